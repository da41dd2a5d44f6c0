"""VGG16 and LPIPS in torch, from what is known of them, and files as NVIDIA and torchvision have them."""

import warnings

import torch
from torch import nn

from convert.vgg16 import CHANNELS

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_POOLED = (2, 4, 7, 10)  # convolutions before which the image is halved


def torchvision_state(seed=0):
    """Random weights by torchvision's names, its last layers' too."""
    torch.manual_seed(seed)
    state, place = {}, 0
    for i, (before, after) in enumerate(zip((3, *CHANNELS), CHANNELS, strict=False)):
        place += i in _POOLED
        state[f"features.{place}.weight"] = torch.randn(after, before, 3, 3) * (2 / (9 * before)) ** 0.5
        state[f"features.{place}.bias"] = torch.randn(after) * 0.1
        place += 2
    return {**state, "classifier.6.bias": torch.randn(1000)}


def heads(seed=1):
    """Weights of LPIPS by the names of its package."""
    torch.manual_seed(seed)
    return {f"lin{i}.model.1.weight": torch.rand(1, c, 1, 1) for i, c in enumerate((64, 128, 256, 512, 512))}


class Layers(nn.Module):
    def __init__(self):
        super().__init__()
        for i, (before, after) in enumerate(zip((3, *CHANNELS), CHANNELS, strict=False)):
            setattr(self, f"conv{i + 1}", nn.Conv2d(before, after, 3, padding=1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


class Scripted(nn.Module):
    """The tensors of NVIDIA's archive under their names; what its program computes is of no account."""

    def __init__(self):
        super().__init__()
        self.layers = Layers()
        convs = [leaf for name, leaf in torchvision_state().items() if name.startswith("features.")]
        self.layers.load_state_dict(dict(zip(self.layers.state_dict(), convs, strict=True)))
        for i, leaf in enumerate(heads().values()):
            self.register_buffer(f"lpips{i}", leaf[0])

    def forward(self, img: torch.Tensor, resize_images: bool = True, return_lpips: bool = False) -> torch.Tensor:
        return self.layers(img)


def save_scripted(network, path):
    """As NVIDIA's archive was written; torch warns of its own later way."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.script(network.eval()), path)


def lpips(a, b):
    """LPIPS of images [n 3 h w] in [0, 255], as its authors define it."""
    state, weights = torchvision_state(), list(heads().values())
    x = torch.cat([a, b]) / 255
    x = (x - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
    convs = [leaf for name, leaf in state.items() if name.startswith("features.")]
    total, stage = torch.zeros(len(a)), 0
    for i in range(13):
        if i in _POOLED:
            x = nn.functional.max_pool2d(x, 2)
        x = torch.relu(nn.functional.conv2d(x, convs[2 * i], convs[2 * i + 1], padding=1))
        if i + 1 in (*_POOLED, 13):
            unit = x / (x.norm(dim=1, keepdim=True) + 1e-10)
            one, other = unit.chunk(2)
            total += nn.functional.conv2d((one - other).square(), weights[stage]).mean((1, 2, 3))
            stage += 1
    return total
