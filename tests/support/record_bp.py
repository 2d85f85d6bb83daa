#!/usr/bin/env python3
"""Records what PyTorch makes of 20 steps of backpropagation: the yardstick of mode `bp`.

Weights and batches come from a formula that the C tests evaluate too (formula.h). Each net runs in float64 and in
float32, and tests/data/bp_<net>.txt gets a line for each step and quantity. Run in the tree's root:
  "$(tools/torch_env)" tests/support/record_bp.py
The largest relative deviations of float32 from float64 go to stderr: they have to stay small for the recordings to
say anything. Three choices keep them so:
- Rounding flips a ReLU or the place of a maximum every few steps, and each flip is a jump a thousand times the
  rounding; when it comes differs between float32 runs. So float32 is no single run but the farthest from float64
  of 16: they see the batch's samples in other orders (the same mathematics) and memory layouts.
- Biases of norms do not start at 0: their norms would be made of gradients alone, and a flip would show in full.
- The learning rate is small: at 0.01 and more, batch norm over 8 samples makes float32 leave float64 by 0.1 and more.
"""
import datetime
import os
import sys
from collections import OrderedDict

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

import torch_nets
import torch_peer

NETS = ["dgl4", "resnet20"]
STEPS = 20
BATCH = 8
LR = 5e-4
STREAM_PIXELS = 0x10000
STREAM_LABELS = 0x20000
NORM_FAN_IN = 4  # taken for the biases of norms: within 1/2

HEAD = """\
# {net} in PyTorch {version} ({isa}), mode bp, {date}: {command}
# {steps} steps from weights and batches of the formula below (tests/support/formula.h), in float64 and in float32.
# SGD: lr {lr}, momentum {momentum}, weight decay {decay} on everything, not Nesterov; batch {batch} of 32x32x3, 10 classes.
#
# mix(x): x ^= x >> 16; x *= 0x7feb352d; x ^= x >> 15; x *= 0x846ca68b; x ^= x >> 16      all in uint32
# u32(stream, index) = mix(mix(index) + stream * 0x9e3779b9)
# weight and bias of convolution and linear: (2u - 1) * bound, u = (u32(tensor, index) >> 8) / 2^24, bound = 1/sqrt(fan_in)
#   rounded to float32; exact in float64, then rounded to float32 for the float32 run. index: PyTorch's OIHW or (out, in);
#   tensor: the number below, from 0; bias: fan_in of its weight. Norms: weight 1; bias as above with fan_in 4; running mean 0,
#   running variance 1; momentum 0.1, eps 1e-5.
# pixel(step, index) = u32(0x10000 + step, index) & 255, step from 1, index in NHWC; x = (pixel / 255 - mean) / std,
#   mean {mean}, std {std}
# label(step, sample) = u32(0x20000 + step, sample) % 10
#
{tensors}
#
# loss: of the step's batch, before its update. The others are L2 norms after the update. float32: of {n_single} runs that differ in
# the order of samples and in memory layout, the value farthest from float64.
# step kind name float64 float32
"""


def mix(x):
    x = x ^ (x >> np.uint32(16))
    x = x * np.uint32(0x7FEB352D)
    x = x ^ (x >> np.uint32(15))
    x = x * np.uint32(0x846CA68B)
    return x ^ (x >> np.uint32(16))


def u32(stream, n):
    """The first n numbers of a stream."""
    offset = np.uint32(stream * 0x9E3779B9 & 0xFFFFFFFF)
    return mix(mix(np.arange(n, dtype=np.uint32)) + offset)


def param_values(tensor, n, fan_in):
    bound = np.float64(np.float32(1 / np.sqrt(np.float64(fan_in))))
    return (2 * ((u32(tensor, n) >> np.uint32(8)) / 16777216.0) - 1) * bound


def batch_of(step, dtype):
    shape = (BATCH, torch_nets.IMAGE, torch_nets.IMAGE, 3)
    pixels = (u32(STREAM_PIXELS + step, np.prod(shape)) & np.uint32(255)).astype(np.float64).reshape(shape)
    labels = (u32(STREAM_LABELS + step, BATCH) % np.uint32(torch_nets.CLASSES)).astype(np.int64)
    mean = torch.tensor(torch_peer.MEAN, dtype=dtype).view(1, 3, 1, 1)
    std = torch.tensor(torch_peer.STD, dtype=dtype).view(1, 3, 1, 1)
    x = torch.from_numpy(pixels).to(dtype).permute(0, 3, 1, 2).contiguous()
    return (x / 255 - mean) / std, torch.from_numpy(labels)


def build(name, dtype):
    """The whole net, its parameters named and ordered as adonis does."""
    layers = OrderedDict()
    for unit, module, c, _ in torch_nets.build_units(name):
        layers[unit] = module
    layers["classifier"] = torch_nets.classifier(c, torch_nets.NETS[name].is_global)
    net = nn.Sequential(layers).to(dtype)
    fan_in = 0
    with torch.no_grad():
        for tensor, (path, p) in enumerate(net.named_parameters()):
            if p.dim() > 1:
                fan_in = p[0].numel()  # a bias follows its weight
            elif "norm" in path.split(".")[-2]:
                fan_in = NORM_FAN_IN
                if path.endswith(".weight"):
                    p.fill_(1)
                    continue
            values = param_values(tensor, p.numel(), fan_in)
            p.copy_(torch.from_numpy(values).view(p.shape))
    return net


def run(name, dtype, shift=0, layout=torch.contiguous_format):
    """{(step, kind, name): value}, in order. The batch's samples are rotated by `shift`."""
    net = build(name, dtype).to(memory_format=layout)
    optim = torch.optim.SGD(net.parameters(), lr=LR, momentum=torch_peer.MOMENTUM, weight_decay=torch_peer.WEIGHT_DECAY)
    rows = {}
    for step in range(1, STEPS + 1):
        x, y = (t.roll(shift, 0) for t in batch_of(step, dtype))
        optim.zero_grad(set_to_none=True)
        loss = F.cross_entropy(net(x.contiguous(memory_format=layout)), y)
        loss.backward()
        optim.step()
        rows[step, "loss", "classifier"] = loss.item()
        for path, p in net.named_parameters():
            rows[step, "param_norm", path] = p.detach().double().norm().item()
        for path, b in net.named_buffers():
            kind = path.split(".")[-1]
            if kind in ("running_mean", "running_var"):
                rows[step, kind, path] = b.double().norm().item()
    return rows


def record(name, path):
    exact = run(name, torch.float64)
    singles = [run(name, torch.float32, shift, layout)
               for shift in range(BATCH) for layout in (torch.contiguous_format, torch.channels_last)]
    tensors = [f"# tensor {i}: {n} {list(p.shape)}"
               for i, (n, p) in enumerate(build(name, torch.float32).named_parameters())]
    worst = {}
    with open(path, "w") as file:
        file.write(HEAD.format(
            net=name, version=torch.__version__, isa=torch.backends.cpu.get_cpu_capability(),
            date=datetime.date.today(), command='"$(tools/torch_env)" tests/support/record_bp.py', steps=STEPS, lr=LR,
            momentum=torch_peer.MOMENTUM, decay=torch_peer.WEIGHT_DECAY, batch=BATCH, mean=torch_peer.MEAN,
            std=torch_peer.STD, tensors="\n".join(tensors), n_single=len(singles)))
        for key, value in exact.items():
            single = max((s[key] for s in singles), key=lambda v: abs(v - value))
            file.write("%d %s %s %.17g %.17g\n" % (*key, value, single))
            deviation = abs(single - value) / abs(value)
            worst[key[1]] = max(worst.get(key[1], (0, None)), (deviation, key))
    for kind, (deviation, key) in worst.items():
        print(f"{path}: {kind}: float32 is off by {deviation:.2e} at most (step {key[0]}, {key[2]})", file=sys.stderr)


def main():
    torch.set_num_threads(1)  # how sums are split depends on it
    data = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data")
    for name in NETS:
        record(name, os.path.normpath(os.path.join(data, f"bp_{name}.txt")))


if __name__ == "__main__":
    main()
