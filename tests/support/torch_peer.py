#!/usr/bin/env python3
"""The peer: decoupled greedy learning in PyTorch, written as a good PyTorch user would.

Trains on CIFAR-10 (official binary files). Without --epochs it measures images per second over whole steps; the
loader's work (crop from a black-padded image, flip, normalise; all of it vectorised) is inside the timed step.
  torch_peer.py --data DIR --net dgl4 --mode dgl --threads 2 --steps 30
  torch_peer.py --data DIR --net dgl4 --mode dgl --epochs 5     accuracy of every head after each epoch
  torch_peer.py --data DIR --net dgl4 --device cuda --graphs    the set and the loader's work on the GPU, steps as a graph
Needs torch >= 2 and numpy: tools/torch_env.
"""
import argparse
import json
import os
import resource
import statistics
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

from torch_nets import IMAGE, NETS, build_stages

PAD = 4  # of the random crop
MEAN = (0.4914, 0.4822, 0.4465)
STD = (0.2023, 0.1994, 0.2010)
MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4


def load(root, files):
    """Bytes, NCHW, and labels. Normalised a batch at a time, as they are drawn."""
    parts = []
    for file in files:
        path = os.path.join(root, file)
        try:
            raw = np.fromfile(path, np.uint8)
        except OSError as e:
            sys.exit(f"torch_peer: {path}: {e.strerror}")
        if raw.size == 0 or raw.size % (1 + 3 * IMAGE * IMAGE) != 0:
            sys.exit(f"torch_peer: {path}: {raw.size} bytes are no whole number of records")
        parts.append(raw.reshape(-1, 1 + 3 * IMAGE * IMAGE))
    raw = torch.from_numpy(np.concatenate(parts))
    return raw[:, 1:].reshape(-1, 3, IMAGE, IMAGE), raw[:, 0].long()


def normalise(x):
    mean = torch.tensor(MEAN, device=x.device).view(1, 3, 1, 1)
    std = torch.tensor(STD, device=x.device).view(1, 3, 1, 1)
    return (x.float() / 255 - mean) / std


def augment(x):
    """Crop from the black-padded image, flip, normalise: torchvision's order."""
    n = x.size(0)
    windows = F.pad(x, (PAD, PAD, PAD, PAD)).unfold(2, IMAGE, 1).unfold(3, IMAGE, 1)  # a view of every window
    top, left = torch.randint(0, 2 * PAD + 1, (2, n), device=x.device)
    out = windows[torch.arange(n, device=x.device), :, top, left]
    is_flipped = (torch.rand(n, device=x.device) < 0.5).view(-1, 1, 1, 1)
    return normalise(torch.where(is_flipped, out.flip(3), out))


class Trainer:
    def __init__(self, args):
        n_unit = len(NETS[args.net].units)
        cuts = args.cuts if args.cuts is not None else list(range(1, n_unit))
        self.stages = build_stages(args.net, [] if args.mode == "bp" else cuts)
        self.is_channels_last = args.layout == "channels_last"
        self.is_bf16 = args.precision == "bf16"
        self.device = args.device
        self.stages = self.stages.to(args.device)
        if self.is_channels_last:
            self.stages = self.stages.to(memory_format=torch.channels_last)
        self.optims = [torch.optim.SGD(s.parameters(), lr=args.lr, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
                       for s in self.stages]
        self.graph, self.graph_batch = None, []
        self.forward = self.plain_forward
        if args.compile:
            # One function serves all stages: a version for each, and for the last, shorter batch.
            torch._dynamo.config.recompile_limit = 4 * n_unit
            self.forward = torch.compile(self.plain_forward, dynamic=False)

    def layout(self, x):
        return x.contiguous(memory_format=torch.channels_last) if self.is_channels_last else x

    def plain_forward(self, stage, x, y):
        with torch.autocast(self.device, torch.bfloat16, enabled=self.is_bf16, cache_enabled=not self.graph_batch):
            emitted, scores = stage(x)
        return emitted, scores, F.cross_entropy(scores.float(), y)

    def step(self, x, y, hits=None):
        """DGL's Algorithm 1: what is passed on is the activation from before the update."""
        x = self.layout(x)
        for k, stage in enumerate(self.stages):
            self.optims[k].zero_grad(set_to_none=True)
            emitted, scores, loss = self.forward(stage, x, y)
            loss.backward()
            self.optims[k].step()
            x = emitted.detach()
            if hits is not None:
                hits[k] += (scores.argmax(1) == y).sum().item()

    def capture(self, x, y):
        """Records steps of such batches as a CUDA graph, after some that are not recorded."""
        self.graph_batch = [x.clone(), y.clone()]
        beside = torch.cuda.Stream()
        beside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(beside):
            for _ in range(3):
                self.step(*self.graph_batch)
        torch.cuda.current_stream().wait_stream(beside)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.step(*self.graph_batch)

    def replay(self, x, y):
        for place, batch in zip(self.graph_batch, (x, y)):
            place.copy_(batch)
        self.graph.replay()

    @torch.no_grad()
    def test(self, images, labels):
        """Percent right at each head, with the running statistics."""
        self.stages.eval()
        hits = [0] * len(self.stages)
        for i in range(0, len(images), 1000):
            x = self.layout(normalise(images[i:i + 1000]))
            y = labels[i:i + 1000]
            for k, stage in enumerate(self.stages):
                x, scores, _ = self.plain_forward(stage, x, y)
                hits[k] += (scores.argmax(1) == y).sum().item()
        self.stages.train()
        return [100 * h / len(images) for h in hits]


def peak_rss_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def train_epochs(trainer, args, images, labels):
    test_images, test_labels = load(args.data, ["test_batch.bin"])
    for epoch in range(1, args.epochs + 1):
        for optim in trainer.optims:
            optim.param_groups[0]["lr"] = args.lr * 0.2 ** ((epoch - 1) // 15)
        order = torch.randperm(len(images))
        hits = [0] * len(trainer.stages)
        start = time.perf_counter()
        for i in range(0, len(images), args.batch):
            batch = order[i:i + args.batch]
            trainer.step(augment(images[batch]), labels[batch], hits)
        seconds = time.perf_counter() - start
        train = " ".join(f"{100 * h / len(images):.2f}" for h in hits)
        test = " ".join(f"{t:.2f}" for t in trainer.test(test_images, test_labels))
        print(f"epoch {epoch} train {train} test {test} img/s {len(images) / seconds:.0f}", flush=True)


def measure(trainer, args, images, labels):
    """Seconds of each step but the first ones."""
    seconds = []
    for i in range(args.warmup + args.steps):
        start = time.perf_counter()
        batch = torch.randint(0, len(images), (args.batch,))
        try:
            trainer.step(augment(images[batch]), labels[batch])
        except Exception as e:
            if not args.compile:
                raise
            sys.exit(f"torch_peer: torch.compile failed: {type(e).__name__}: {str(e).strip().splitlines()[0]}")
        seconds.append(time.perf_counter() - start)
    return seconds[args.warmup:]


def measure_on_gpu(trainer, args, images, labels):
    """Seconds of a step, as the mean of each of five rows of steps: the host does not wait within a row."""
    n, per_row = images.size(0), max(1, args.steps // 5)

    def batch():
        picks = torch.randint(0, n, (args.batch,), device=images.device)
        return augment(images[picks]), labels[picks]

    take_step = trainer.step
    if args.graphs:
        trainer.capture(*batch())
        take_step = trainer.replay
    for _ in range(args.warmup):
        take_step(*batch())
    seconds = []
    for _ in range(5):
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(per_row):
            take_step(*batch())
        torch.cuda.synchronize()
        seconds.append((time.perf_counter() - start) / per_row)
    return seconds


def cut_list(text):
    return [int(c) for c in text.split(",")]


def parse_args():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--data", required=True, help="folder of the binary files")
    ap.add_argument("--net", default="dgl4", choices=list(NETS))
    ap.add_argument("--mode", default="dgl", choices=["dgl", "bp"])
    ap.add_argument("--cuts", type=cut_list,
                    help="a block ends after these units, from 1: 3 makes two blocks; default: after every unit")
    ap.add_argument("--precision", default="fp32", choices=["fp32", "bf16"])
    ap.add_argument("--threads", type=int, default=2)
    ap.add_argument("--batch", type=int, default=128)
    ap.add_argument("--steps", type=int, default=30, help="measured")
    ap.add_argument("--warmup", type=int, default=5, help="steps before those")
    ap.add_argument("--epochs", type=int, default=0, help="train instead: learning rate x 0.2 every 15 epochs")
    ap.add_argument("--lr", type=float, default=0.1)
    ap.add_argument("--layout", default="channels_last", choices=["channels_last", "contiguous"])
    ap.add_argument("--compile", action="store_true", help="by torch.compile, which needs a C++ compiler")
    ap.add_argument("--device", default="cpu", choices=["cpu", "cuda"], help="cuda measures alone")
    ap.add_argument("--graphs", action="store_true", help="steps as a CUDA graph")
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--json", action="store_true", help="the measurement as one JSON object")
    args = ap.parse_args()
    if min(args.threads, args.steps) < 1 or args.batch < 2 or min(args.warmup, args.epochs) < 0:
        ap.error("--threads and --steps are at least 1, --batch is at least 2")
    if args.device == "cpu" and args.graphs:
        ap.error("--graphs is of --device cuda")
    if args.device == "cuda" and args.epochs > 0:
        ap.error("--epochs is of --device cpu")
    for cut in args.cuts or []:
        if not 1 <= cut < len(NETS[args.net].units):
            ap.error(f"--cuts: {cut}: {args.net} has {len(NETS[args.net].units)} units")
    return args


def main():
    args = parse_args()
    import_rss = peak_rss_mib()
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    images, labels = load(args.data, [f"data_batch_{i}.bin" for i in range(1, 6)])
    if args.device == "cuda":
        torch.backends.cudnn.benchmark = True
        torch.backends.cudnn.allow_tf32 = False  # fp32 is fp32; matrix products are by default
        images, labels = images.cuda(), labels.cuda()
    trainer = Trainer(args)
    if args.epochs > 0:
        train_epochs(trainer, args, images, labels)
        return
    seconds = (measure_on_gpu if args.device == "cuda" else measure)(trainer, args, images, labels)
    result = {
        "torch": torch.__version__,
        "isa": torch.backends.cpu.get_cpu_capability(),
        "net": args.net,
        "mode": args.mode,
        "blocks": len(trainer.stages),
        "precision": args.precision,
        "threads": args.threads,
        "batch": args.batch,
        "layout": args.layout,
        "compile": args.compile,
        "device": torch.cuda.get_device_name() if args.device == "cuda" else "cpu",
        "graphs": args.graphs,
        "img_s": args.batch / statistics.median(seconds),
        "img_s_best": args.batch / min(seconds),
        "peak_rss_mib": peak_rss_mib(),
        "import_rss_mib": import_rss,  # of which: Python, PyTorch and the CUDA libraries its wheel loads
    }
    if args.json:
        print(json.dumps(result))
        return
    print(f"torch {result['torch']} ({result['isa']}) {args.net} {args.mode} {args.precision}"
          f" threads {args.threads} batch {args.batch} {args.layout}{' compile' if args.compile else ''}"
          f"{' graphs' if args.graphs else ''} on {result['device']}:"
          f" median {result['img_s']:.0f} img/s, best {result['img_s_best']:.0f},"
          f" peak RSS {result['peak_rss_mib']:.0f} MiB ({import_rss:.0f} after import)")


if __name__ == "__main__":
    main()
