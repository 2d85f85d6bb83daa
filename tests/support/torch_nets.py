"""The zoo's networks in PyTorch, cut into stages with a head each. As src/nn/zoo.c has them."""
import math
from collections import OrderedDict
from typing import NamedTuple

import torch.nn as nn
import torch.nn.functional as F

CLASSES = 10
IMAGE = 32  # side


class Unit(NamedTuple):
    channels: int
    halves: bool = False  # the side: by a max pool in front of a conv, by the stride of a residual block
    is_residual: bool = False


class Net(NamedTuple):
    units: list
    conv_bias: bool
    head_convs: int  # 1x1 convolutions of the heads: 3 is MLP-SR, 0 is MLP
    is_global: bool = False  # classifier: global average + linear, as in ResNets


def residuals(widths, depth):
    """So many residual blocks at each width; the side is halved where the width changes."""
    return [Unit(w, i == 0 and w != widths[0], True) for w in widths for i in range(depth)]


NETS = {
    "dgl4": Net([Unit(64), Unit(128, True), Unit(128), Unit(256, True)], True, 3),
    "dgl6": Net([Unit(128), Unit(256, True), Unit(256), Unit(512, True), Unit(512), Unit(512)], False, 0),
    "vgg11": Net([Unit(64), Unit(128, True), Unit(256, True), Unit(256), Unit(512, True), Unit(512),
                  Unit(512, True), Unit(512)], True, 3),
    "resnet18": Net([Unit(64)] + residuals([64, 128, 256, 512], 2), False, 3, True),
    "resnet20": Net([Unit(16)] + residuals([16, 32, 64], 3), False, 3, True),
}


# Layers carry adonis' names (unit1.conv, classifier.fc1), and are registered in its order.

def conv_unit(c_in, unit, has_bias):
    layers = OrderedDict()
    if unit.halves:
        layers["pool"] = nn.MaxPool2d(2)
    layers["conv"] = nn.Conv2d(c_in, unit.channels, 3, padding=1, bias=has_bias)
    layers["norm"] = nn.BatchNorm2d(unit.channels)
    layers["relu"] = nn.ReLU(inplace=True)
    return nn.Sequential(layers)


class Residual(nn.Module):
    def __init__(self, c_in, unit):
        super().__init__()
        c, stride = unit.channels, 2 if unit.halves else 1
        self.conv1 = nn.Conv2d(c_in, c, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(c)
        self.conv2 = nn.Conv2d(c, c, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(c)
        self.shortcut = nn.Sequential()
        if c_in != c or stride != 1:
            self.shortcut.add_module("conv", nn.Conv2d(c_in, c, 1, stride, bias=False))
            self.shortcut.add_module("norm", nn.BatchNorm2d(c))

    def forward(self, x):
        y = F.relu(self.norm1(self.conv1(x)), inplace=True)
        y = self.norm2(self.conv2(y))
        return F.relu(y + self.shortcut(x), inplace=True)


def linears(layers, n_hidden, width):
    """Flatten, so many hidden layers of the input's width, and the scores."""
    layers["flatten"] = nn.Flatten()
    for i in range(1, n_hidden + 1):
        layers[f"fc{i}"] = nn.Linear(width, width)
        layers[f"norm{i}"] = nn.BatchNorm1d(width)
        layers[f"relu{i}"] = nn.ReLU(inplace=True)
    layers[f"fc{n_hidden + 1}"] = nn.Linear(width, CLASSES)
    return nn.Sequential(layers)


def auxiliary_head(c, side, n_conv):
    """MLP-SR (Belilovsky et al. 2020); without convolutions MLP."""
    layers = OrderedDict(average=nn.AdaptiveAvgPool2d(math.ceil(side / 4)))
    for i in range(1, n_conv + 1):
        layers[f"conv{i}"] = nn.Conv2d(c, c, 1, bias=False)
        layers[f"conv_norm{i}"] = nn.BatchNorm2d(c)
        layers[f"conv_relu{i}"] = nn.ReLU(inplace=True)
    layers["average2"] = nn.AdaptiveAvgPool2d(2)
    return linears(layers, 3, 4 * c)


def classifier(c, is_global):
    if is_global:
        return linears(OrderedDict(average=nn.AdaptiveAvgPool2d(1)), 0, c)
    return linears(OrderedDict(average=nn.AdaptiveAvgPool2d(2)), 2, 4 * c)


def build_units(name):
    """Makes the net's units, one after another: (name, module, channels out, side out)."""
    net, c, side = NETS[name], 3, IMAGE
    for k, unit in enumerate(net.units, 1):
        module = Residual(c, unit) if unit.is_residual else conv_unit(c, unit, net.conv_bias)
        c = unit.channels
        side //= 2 if unit.halves else 1
        yield f"unit{k}", module, c, side


class Stage(nn.Module):
    """A block and its head."""

    def __init__(self, block, head):
        super().__init__()
        self.block = block
        self.head = head

    def forward(self, x):
        emitted = self.block(x)
        return emitted, self.head(emitted)


def build_stages(name, cuts):
    """Blocks end after these units, counted from 1, and after the last."""
    net, stages, block = NETS[name], nn.ModuleList(), OrderedDict()
    for k, (unit, module, c, side) in enumerate(build_units(name), 1):
        block[unit] = module
        if k == len(net.units):
            stages.append(Stage(nn.Sequential(block), classifier(c, net.is_global)))
        elif k in cuts:
            stages.append(Stage(nn.Sequential(block), auxiliary_head(c, side, net.head_convs)))
            block = OrderedDict()
    return stages
