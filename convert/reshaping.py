"""A model whose images are not square: its learned input is made wider or higher, as the artists' forks have it."""

import dataclasses
import re
from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Float, Int

from stylegan_jax import names
from stylegan_jax.config import GeneratorConfig, ModelConfig, Size, is_const_size
from stylegan_jax.errors import InputError
from stylegan_jax.storage.checkpoint import Model

SEED, USUAL = 0, "reflect"
_SIZE = re.compile(r"(\d{1,6})[x×](\d{1,6})")


def reshaped(model: Model, size: str, way: str) -> tuple[Model, list[str]]:
    """The model with images of another size ("640x512": width, height), and a line for what of it is lost or fresh.

    Every layer but the first is a convolution and takes what it is given; noise keeps its place in the middle, and
    around it is fresh. What the pictures show there nobody has trained.

    Args:
      way: how the learned input is extended: its pixels mirrored ("reflect"), repeated ("tile"), those of its border
        drawn out ("pad"), or all of it stretched ("resize"). Of a smaller one the middle stays, or all of it shrinks.

    Raises InputError for a size that the model cannot have, and for an unknown way.
    """
    if way not in WAYS:
        raise InputError("no way to change a size", f"choose among {', '.join(WAYS)}", file=f"--size-by {way}")
    generator = dataclasses.replace(model.config.generator, const_size=_const_size(model.config.generator, size))
    if generator == model.config.generator:
        return model, []
    networks = {n: _stretched(generator, leaves, way) for n, leaves in model.networks.items() if n != "D"}
    notes = [f"noise is fresh (seed {SEED}) around the middle"] if generator.use_noise else []
    notes += ["D is left out: it judges squares"] if "D" in model.networks else []
    return dataclasses.replace(model, config=ModelConfig(generator=generator), networks=networks), notes


def _const_size(config: GeneratorConfig, size: str) -> Size:
    """The size of the learned input that makes images of a size; InputError unless there is one."""
    found, unit, named = _SIZE.fullmatch(size), config.img_resolution // 4, f"--size {size}"
    if found is None:
        width, height = config.image_size[1] + unit, config.image_size[0]
        if not size:
            raise InputError("--size-by goes with --size", f"pass --size too, such as --size {width}x{height}")
        raise InputError("is no size", f"write width and height, such as {width}x{height}", file=named)
    width, height = int(found[1]), int(found[2])
    const_size = max(1, round(height / unit)), max(1, round(width / unit))
    if not is_const_size(const_size):
        what = f"is too large for a model of resolution {config.img_resolution}"
        raise InputError(what, f"use {16 * unit}x{16 * unit}, or no more pixels than that", file=named)
    nearest = f"{unit * const_size[1]}x{unit * const_size[0]}"
    if (unit * const_size[0], unit * const_size[1]) != (height, width):
        raise InputError(f"this model's sides are multiples of {unit} pixels", f"use {nearest}", file=named)
    return const_size


def _stretched(config: GeneratorConfig, leaves: Mapping[str, np.ndarray], way: str) -> dict[str, np.ndarray]:
    random, changed = np.random.RandomState(SEED), dict(leaves)
    for name, shape in names.layout(config).items():
        if name.endswith(".noise_const"):
            changed[name] = _in_the_middle(leaves[name], random.standard_normal(shape).astype(np.float32))
        elif name.endswith(".const"):
            rows, columns = (WAYS[way](*sides) for sides in zip(leaves[name].shape[1:], shape[1:], strict=True))
            changed[name] = np.einsum("ah,chw,bw->cab", rows, leaves[name], columns).astype(leaves[name].dtype)
    return changed


def _in_the_middle(old: Float[np.ndarray, "h w"], new: Float[np.ndarray, "h2 w2"]) -> Float[np.ndarray, "h2 w2"]:
    """`new` with the middle of `old` in its middle."""
    inside, outside = [], []
    for before, after in zip(old.shape, new.shape, strict=True):
        length = min(before, after)
        inside.append(slice((before - length) // 2, (before - length) // 2 + length))
        outside.append(slice((after - length) // 2, (after - length) // 2 + length))
    new[tuple(outside)] = old[tuple(inside)]
    return new


def _chosen(places: Callable[[Int[np.ndarray, " new"], int], np.ndarray]) -> Callable[[int, int], np.ndarray]:
    """A way by which every new pixel is an old one: `places` of (numbers from the first old one, how many are old)."""

    def matrix(old: int, new: int) -> Float[np.ndarray, "new old"]:
        return np.eye(old)[places(np.arange(new) - (new - old) // 2, old)]

    return matrix


def _mirrored(places: Int[np.ndarray, " new"], old: int) -> Int[np.ndarray, " new"]:
    folded = places % (2 * old)
    return np.minimum(folded, 2 * old - 1 - folded)


def _interpolated(old: int, new: int) -> Float[np.ndarray, "new old"]:
    """Pixels of the same stretch, linearly interpolated between their centres."""
    at = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
    return np.maximum(0, 1 - np.abs(at[:, None] - np.arange(old)))


WAYS: dict[str, Callable[[int, int], np.ndarray]] = {
    "reflect": _chosen(_mirrored),
    "tile": _chosen(lambda places, old: places % old),
    "pad": _chosen(lambda places, old: np.clip(places, 0, old - 1)),
    "resize": _interpolated,
}
"""How a learned input is extended along one side: (old, new pixels) → matrix `[new old]`."""
