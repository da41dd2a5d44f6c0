"""The networks of pSp and e4e in torch, from what is known of them, and files that hold one."""

import argparse

import torch
from torch import nn
from torch.nn import functional

from stylegan_jax.psp import PspConfig

SMALL = {"channels": (16, 32, 48, 64), "units": (1, 2, 2, 1)}


class Excited(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // 16, 1, bias=False)
        self.fc2 = nn.Conv2d(channels // 16, channels, 1, bias=False)

    def forward(self, x):
        return x * torch.sigmoid(self.fc2(torch.relu(self.fc1(x.mean((2, 3), keepdim=True)))))


class Unit(nn.Module):
    def __init__(self, before, after, stride):
        super().__init__()
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(before),
            nn.Conv2d(before, after, 3, 1, 1, bias=False),
            nn.PReLU(after),
            nn.Conv2d(after, after, 3, stride, 1, bias=False),
            nn.BatchNorm2d(after),
            Excited(after),
        )
        if before != after:
            self.shortcut_layer = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))
        self.pick = nn.MaxPool2d(1, stride)

    def forward(self, x):
        return self.res_layer(x) + (self.shortcut_layer(x) if hasattr(self, "shortcut_layer") else self.pick(x))


class Scaled(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(width, width)), nn.Parameter(torch.zeros(width))

    def forward(self, x):
        return functional.linear(x, self.weight / self.weight.shape[1] ** 0.5, self.bias)


class Head(nn.Module):
    def __init__(self, width, convs):
        super().__init__()
        layers = [(nn.Conv2d(width, width, 3, 2, 1), nn.LeakyReLU(0.01)) for _ in range(convs)]
        self.convs = nn.Sequential(*[layer for pair in layers for layer in pair])
        self.linear = Scaled(width)

    def forward(self, x):
        return self.linear(self.convs(x).flatten(1))


class Encoder(nn.Module):
    """Of pictures of 256 pixels in [-1, 1]."""

    def __init__(self, config):
        super().__init__()
        (c0, c1, c2, c3), self.config = config.channels, config
        self.input_layer = nn.Sequential(nn.Conv2d(3, c0, 3, 1, 1, bias=False), nn.BatchNorm2d(c0), nn.PReLU(c0))
        stages = zip((c0, c0, c1, c2), config.channels, config.units, strict=True)
        blocks = [[(i, d, 2), *[(d, d, 1)] * (count - 1)] for i, d, count in stages]
        self.body = nn.Sequential(*[Unit(*block) for stage in blocks for block in stage])
        self.latlayer1, self.latlayer2 = nn.Conv2d(c2, c3, 1), nn.Conv2d(c1, c3, 1)
        convs = [4] * 3 + [5] * 4 + [6] * config.num_ws
        self.styles = nn.ModuleList(Head(c3, convs[i]) for i in range(config.num_ws))

    def forward(self, x):
        x, maps = self.input_layer(x), []
        for unit in self.body:
            x = unit(x)
            maps.append(x)
        ends = torch.tensor(self.config.units).cumsum(0) - 1
        c1, c2, c3 = (maps[end] for end in ends[1:])
        p2 = self.enlarged(c3, c2) + self.latlayer1(c2)
        p1 = self.enlarged(p2, c1) + self.latlayer2(c1)
        ws = [head(c3 if i < 3 else p2 if i < 7 else p1) for i, head in enumerate(self.styles)]
        return torch.stack([ws[0]] + [w + ws[0] if self.config.offsets else w for w in ws[1:]], 1)

    @staticmethod
    def enlarged(x, like):
        return functional.interpolate(x, size=like.shape[2:], mode="bilinear", align_corners=True)


def encoder(config, seed=0):
    """A network whose every tensor matters."""
    torch.manual_seed(seed)
    made = Encoder(config).eval()
    with torch.no_grad():
        for name, leaf in made.state_dict().items():
            if name.endswith(("running_mean", "bias")):
                leaf.normal_(0, 0.3)
            elif leaf.is_floating_point() and leaf.ndim == 1:
                leaf.uniform_(0.5, 1.5)
    return made


def file_tree(made, *, kind="Encoder4Editing", average=None, namespace=False, prefix="encoder.", **options):
    """What a file of the family holds, without its generator."""
    options = {"encoder_type": kind, "start_from_latent_avg": average is not None, "stylegan_size": 64, **options}
    tree = {
        "state_dict": {f"{prefix}{name}": leaf for name, leaf in made.state_dict().items()},
        "opts": argparse.Namespace(**options) if namespace else options,
    }
    return tree if average is None else {**tree, "latent_avg": average}


def config(num_ws=8, **fields):
    return PspConfig(num_ws, **{**SMALL, **fields})
