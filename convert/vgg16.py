"""The perceptual network in a file that the user has: VGG16 and the weights of LPIPS, NVIDIA's or torchvision's."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from convert import reading
from convert.pickles.allowed import AGAIN, Instance, shown
from stylegan_jax.errors import InputError
from stylegan_jax.names import differences
from stylegan_jax.storage import safetensors

CHANNELS = (64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)
"""Of the convolutions."""
_PLACES = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)  # of the convolutions in torchvision's list
_TAPS = (64, 128, 256, 512, 512)
_NVIDIA = "vgg16.pt of the official programs"
_PUBLISHED = 131.8555  # the sum of all weights of LPIPS 0.1 for VGG16
_DEEPEST = 4
_HEADS = "the weights of LPIPS: vgg.pth in the folder lpips/weights/v0.1 of the package lpips"


def layout(channels: tuple[int, ...] = CHANNELS, taps: tuple[int, ...] = _TAPS) -> dict[str, tuple[int, ...]]:
    """Name → shape: `conv0.weight` … `conv12.bias`, and `lpips0` … `lpips4`, the weight of each channel."""
    found: dict[str, tuple[int, ...]] = {}
    for i, (before, after) in enumerate(zip((3, *channels), channels, strict=False)):
        found |= {f"conv{i}.weight": (after, before, 3, 3), f"conv{i}.bias": (after,)}
    return found | {f"lpips{i}": (count,) for i, count in enumerate(taps)}


def read_vgg16(path: str | Path, lpips: str | Path | None = None) -> dict[str, np.ndarray]:
    """The float32 tensors of `layout`; nothing in the files is executed.

    Args:
      path: NVIDIA's `vgg16.pt`, a TorchScript archive, or torchvision's `vgg16-….pth`.
      lpips: the weights of LPIPS, which torchvision's file does not have: `vgg.pth` of the package lpips.

    Raises InputError for other files, and where something is missing or no number.
    """
    with reading.local(path) as place:
        tree, _ = reading.tree_of(place, scripted=True)
        found = _flat(tree)
        scripted = "layers.conv1.weight" in found
        names = [f"layers.conv{i + 1}" if scripted else f"features.{at}" for i, at in enumerate(_PLACES)]
        if f"{names[0]}.weight" not in found:
            raise InputError("holds no VGG16", f"pass {_NVIDIA}, or vgg16-397923af.pth of torchvision")
        tensors = {
            f"conv{i}.{leaf}": found[f"{name}.{leaf}"]
            for i, name in enumerate(names)
            for leaf in ("weight", "bias")
            if f"{name}.{leaf}" in found
        }
        if scripted:
            tensors |= {f"lpips{i}": found[f"lpips{i}"].reshape(-1) for i in range(5) if f"lpips{i}" in found}
        elif lpips is None:
            raise InputError("holds no weights of LPIPS", f"pass --lpips too: {_HEADS}")
        else:
            tensors |= read_heads(lpips)
        whole = _checked(tensors)
        return _not_roots(whole) if scripted else whole


def read_heads(path: str | Path) -> dict[str, np.ndarray]:
    """The weights of LPIPS for VGG16, by `layout`'s names."""
    with reading.local(path) as place:
        found = _flat(reading.tree_of(place)[0])
        names = {f"lpips{i}": f"lin{i}.model.1.weight" for i in range(5)}
        if not set(names.values()) <= set(found):
            raise InputError("holds no weights of LPIPS", f"pass {_HEADS}")
        return {name: found[stored].reshape(-1) for name, stored in names.items()}


def _flat(tree: Any) -> dict[str, np.ndarray]:
    """The tensors of tables and modules by dotted names; what is used twice counts once."""
    flat: dict[str, np.ndarray] = {}
    seen: set[int] = set()
    level: list[tuple[str, Any]] = [("", tree)]
    while level:
        prefix, node = level.pop()
        table = node.state if type(node) is Instance else node
        if type(table) is not dict or id(table) in seen:
            continue
        seen.add(id(table))
        flat |= {f"{prefix}{name}": leaf for name, leaf in table.items() if isinstance(leaf, np.ndarray)}
        nested = (each for each in table.items() if prefix.count(".") < _DEEPEST and type(each[1]) in (dict, Instance))
        level += [(f"{prefix}{name}.", inner) for name, inner in nested]
    return flat


def _not_roots(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The weights of LPIPS as its authors publish them: whether NVIDIA's file has their roots, their sum tells."""
    squares = {name: np.square(leaf) for name, leaf in tensors.items() if name.startswith("lpips")}
    total = float(sum(leaf.sum(dtype=np.float64) for leaf in squares.values()))
    return {**tensors, **squares} if abs(total - _PUBLISHED) < 0.01 * _PUBLISHED else tensors


def _checked(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Float32 copies of tensors that are all there, and weights of LPIPS that are not negative."""
    expected = layout()
    if lines := differences(tensors, expected):
        raise InputError(f"its VGG16 is not a whole one: {'; '.join(lines[:3])}", AGAIN)
    copies = {}
    for name, shape in expected.items():
        copies[name] = safetensors.aligned(shape, np.float32)
        with np.errstate(all="ignore"):
            copies[name][...] = tensors[name]
        if not np.isfinite(copies[name]).all() or (name.startswith("lpips") and (copies[name] < 0).any()):
            raise InputError(f"its {shown(name)} holds what is no number or no weight", AGAIN)
    return copies
