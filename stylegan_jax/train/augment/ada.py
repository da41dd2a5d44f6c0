"""Adaptive augmentation (ADA): fifteen random transforms of images, and the controller of their probability.

Every random number belongs to one sample's key, so that a sample is augmented alike on any number of devices.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import erfinv
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Key

from stylegan_jax.train.augment.matrices import (
    brighten,
    intensify,
    mirror_luma,
    rotate2d,
    rotate_hue,
    saturate,
    scale2d,
    shift2d,
)
from stylegan_jax.train.augment.pipes import Pipe
from stylegan_jax.train.augment.warp import Images, warp
from stylegan_jax.train.augment.wavelets import filter_bank

Scalar = Float[Array, ""] | float

_BAND_POWER = np.array([10, 1, 1, 1], np.float32) / 13  # of natural images, lowest octave first
_BANK = filter_bank(4).astype(np.float32)

# How many numbers each step draws for one sample, and from which distribution.
_UNIFORM = {
    "xflip": 1,
    "rotate90": 1,
    "xint": 2,
    "rotate_before": 1,
    "rotate_after": 1,
    "lumaflip": 1,
    "hue": 1,
    "cutout": 2,
}
_NORMAL = {
    "scale": 1,
    "aniso": 1,
    "xfrac": 2,
    "brightness": 1,
    "contrast": 1,
    "saturation": 1,
    "imgfilter": 4,
    "noise": 1,
}


class Draws(NamedTuple):
    """Random numbers of each step: `value` says what it does, and it does so where `gate` is below its probability."""

    value: dict[str, Float[Array, "k n"]]
    gate: dict[str, Float[Array, "k n"]]
    pixels: Images | None


class Transforms(NamedTuple):
    """What happens to each image of a batch, in this order; None is left out."""

    inverse: Float[Array, "n 3 3"] | None = None
    color: Float[Array, "n 4 4"] | None = None
    bands: Float[Array, "n 4"] | None = None
    sigma: Float[Array, " n"] | None = None
    noise: Images | None = None
    cut_size: Float[Array, "n 2"] | None = None
    cut_center: Float[Array, "n 2"] | None = None


def sample(pipe: Pipe, keys: Key[Array, " n"], p: Scalar, shape: tuple[int, ...]) -> Transforms:
    """Random transforms, one per key, for images of `shape` (h, w, c); `p` may be traced."""
    return _transforms(pipe, _random_draws(keys, shape if pipe.noise > 0 else None), p, shape)


def at_percentile(pipe: Pipe, percentile: Scalar, shape: tuple[int, ...], pixels: Images | None) -> Transforms:
    """Every transform at one percentile of its distribution, for one sample: the official `debug_percentile`.

    As there, normal quantiles lack the factor √2 and the second rotation is left out. `pixels` is the noise added.
    """
    quantile = jnp.asarray(percentile, jnp.float32)
    value = {name: jnp.full((k, 1), quantile) for name, k in _UNIFORM.items()}
    value |= {name: jnp.full((k, 1), erfinv(2 * quantile - 1)) for name, k in _NORMAL.items()}
    value |= {"rotate_after": jnp.full((1, 1), 0.5), "noise": erfinv(quantile)[None, None]}
    gate = {name: jnp.zeros_like(numbers) for name, numbers in value.items()}
    return _transforms(pipe, Draws(value, gate, pixels), 1.0, shape)


def _random_draws(keys: Key[Array, " n"], shape: tuple[int, ...] | None) -> Draws:
    counts = _UNIFORM | _NORMAL
    total = sum(counts.values())
    # One call for all numbers: each call to the generator costs a second of compiling.
    uniform = jax.vmap(lambda key: jax.random.uniform(key, (2 * total,)))(keys)
    value, gate = _by_name(uniform[:, :total], counts), _by_name(uniform[:, total:], counts)
    value |= {name: _normal(value[name]) for name in _NORMAL}
    pixels = jax.vmap(lambda key: jax.random.normal(jax.random.fold_in(key, 1), shape))(keys) if shape else None
    return Draws(value, gate, pixels)


def _normal(uniform: Array) -> Array:
    """Normal numbers from uniform ones in [0, 1), by their quantile; 0 is as far out as the smallest one above it."""
    return math.sqrt(2) * erfinv(jnp.maximum(2 * uniform - 1, -1 + 2**-23))


def _by_name(numbers: Float[Array, "n total"], counts: dict[str, int]) -> dict[str, Array]:
    parts = jnp.split(numbers.T, np.cumsum(list(counts.values()))[:-1])
    return dict(zip(counts, parts, strict=True))


def _transforms(pipe: Pipe, draws: Draws, p: Scalar, shape: tuple[int, ...]) -> Transforms:
    height, width, channels = shape
    return Transforms(
        inverse=_geometry(pipe, draws, p, height, width),
        color=_color(pipe, draws, p, channels),
        bands=_band_gains(pipe, draws, p) if pipe.imgfilter > 0 else None,
        sigma=_sigma(pipe, draws, p) if pipe.noise > 0 else None,
        noise=draws.pixels if pipe.noise > 0 else None,
        cut_size=_cut_size(pipe, draws, p) if pipe.cutout > 0 else None,
        cut_center=draws.value["cutout"].T if pipe.cutout > 0 else None,
    )


def _where(draws: Draws, name: str, probability: Scalar, effect: ArrayLike, identity: ArrayLike) -> Array:
    """`effect` for the samples to which the step happens, `identity` for the others."""
    happens = draws.gate[name][0] < probability
    return jnp.where(happens.reshape(-1, *[1] * (jnp.ndim(effect) - 1)), effect, identity)


def _geometry(pipe: Pipe, draws: Draws, p: Scalar, height: int, width: int) -> Float[Array, "n 3 3"] | None:
    """Output → input in pixels from the centre. One rotation or both happen with probability `rotate` · p."""
    v = draws.value
    size = np.array([[width], [height]], np.float32)
    zoom = jnp.exp2(-pipe.scale_std * v["scale"][0])
    stretch = jnp.exp2(pipe.aniso_std * v["aniso"][0])
    turn = math.pi * pipe.rotate_max
    rotation = 1 - jnp.sqrt(jnp.clip(1 - pipe.rotate * p, 0, 1))
    steps = (
        ("xflip", pipe.xflip * p, scale2d(1 - 2 * jnp.floor(2 * v["xflip"][0]), 1)),
        ("rotate90", pipe.rotate90 * p, rotate2d(math.pi / 2 * jnp.floor(4 * v["rotate90"][0]))),
        ("xint", pipe.xint * p, shift2d(*-jnp.round((2 * v["xint"] - 1) * pipe.xint_max * size))),
        ("scale", pipe.scale * p, scale2d(zoom, zoom)),
        ("rotate_before", rotation, rotate2d(turn * (2 * v["rotate_before"][0] - 1))),
        ("aniso", pipe.aniso * p, scale2d(1 / stretch, stretch)),
        ("rotate_after", rotation, rotate2d(turn * (2 * v["rotate_after"][0] - 1))),
        ("xfrac", pipe.xfrac * p, shift2d(*-(v["xfrac"] * pipe.xfrac_std * size))),
    )
    inverse = None
    for name, probability, matrix in steps:
        if getattr(pipe, name.split("_")[0]) > 0:
            step = _where(draws, name, probability, matrix, np.eye(3, dtype=np.float32))
            inverse = step if inverse is None else jnp.matmul(inverse, step, precision="highest")
    return inverse


def _color(pipe: Pipe, draws: Draws, p: Scalar, channels: int) -> Float[Array, "n 4 4"] | None:
    """RGB1 → RGB1; hue and saturation mean nothing to grey images."""
    v = {name: numbers[0] for name, numbers in draws.value.items()}
    steps = {
        "brightness": brighten(pipe.brightness_std * v["brightness"]),
        "contrast": intensify(jnp.exp2(pipe.contrast_std * v["contrast"])),
        "lumaflip": mirror_luma(jnp.floor(2 * v["lumaflip"])),
        "hue": rotate_hue(math.pi * pipe.hue_max * (2 * v["hue"] - 1)),
        "saturation": saturate(jnp.exp2(pipe.saturation_std * v["saturation"])),
    }
    color = None
    for name, matrix in steps.items():
        if getattr(pipe, name) > 0 and (channels > 1 or name not in ("hue", "saturation")):
            step = _where(draws, name, getattr(pipe, name) * p, matrix, np.eye(4, dtype=np.float32))
            color = step if color is None else jnp.matmul(step, color, precision="highest")
    return color


def _band_gains(pipe: Pipe, draws: Draws, p: Scalar) -> Float[Array, "n 4"]:
    """Amplitude of each octave; each of the four steps keeps the expected power of natural images."""
    gate = draws.gate["imgfilter"].T
    happens = gate < pipe.imgfilter * p * jnp.array(pipe.imgfilter_bands)
    factors = jnp.where(happens, jnp.exp2(pipe.imgfilter_std * draws.value["imgfilter"].T), 1)
    steps = jnp.where(np.eye(4, dtype=bool), factors[:, :, None], 1)
    steps = steps / jnp.sqrt((_BAND_POWER * steps**2).sum(-1, keepdims=True))
    return steps.prod(1)


def _sigma(pipe: Pipe, draws: Draws, p: Scalar) -> Float[Array, " n"]:
    return _where(draws, "noise", pipe.noise * p, pipe.noise_std * jnp.abs(draws.value["noise"][0]), 0.0)


def _cut_size(pipe: Pipe, draws: Draws, p: Scalar) -> Float[Array, "n 2"]:
    return _where(draws, "cutout", pipe.cutout * p, pipe.cutout_size, 0.0)[:, None].repeat(2, 1)


def apply(transforms: Transforms, images: Images, *, axis_name: str | None = None) -> Images:
    """The images [-1, 1] transformed; linear in `images` up to a constant, and differentiable any number of times.

    Args:
      axis_name: the mesh axis over which the rest of the batch lies (see `warp`).
    """
    t = transforms
    if t.inverse is not None:
        images = warp(images, t.inverse, axis_name=axis_name)
    if t.color is not None:
        images = _recolor(images, t.color)
    if t.bands is not None:
        images = _filter(images, t.bands)
    if t.sigma is not None and t.noise is not None:
        images = images + t.noise * t.sigma[:, None, None, None]
    if t.cut_size is not None and t.cut_center is not None:
        images = _cut_out(images, t.cut_size, t.cut_center)
    return images


def _recolor(images: Images, color: Float[Array, "n 4 4"]) -> Images:
    """RGB by the matrix, grey by the mean of its rows, RGBA as RGB: opacity is no colour.

    Raises ValueError for other numbers of channels.
    """
    channels = images.shape[-1]
    if channels == 3:
        recolored = jnp.einsum("nij,nhwj->nhwi", color[:, :3, :3], images, precision="highest")
        return recolored + color[:, None, None, :3, 3]
    if channels == 1:
        row = color[:, :3].mean(1)[:, None, None, :]
        return images * row[..., :3].sum(-1, keepdims=True) + row[..., 3:]
    if channels == 4:
        return jnp.concatenate([_recolor(images[..., :3], color), images[..., 3:]], -1)
    raise ValueError(f"colour augmentation needs grey, RGB or RGBA images, not {channels} channels")


def _filter(images: Images, bands: Float[Array, "n 4"]) -> Images:
    """Amplifies the octaves along both axes; the images continue by reflection."""
    rows, columns = (
        jnp.einsum("nb,bij->nij", bands, _band_matrices(size), precision="highest") for size in images.shape[1:3]
    )
    images = jnp.einsum("nih,nhwc->niwc", rows, images, precision="highest")
    return jnp.einsum("njw,niwc->nijc", columns, images, precision="highest")


def _band_matrices(size: int) -> np.ndarray:
    """[4 size size]: correlation of one axis, reflected at its ends, with each filter of the bank."""
    reach = _BANK.shape[1] // 2
    source = np.pad(np.arange(size), reach, "reflect")
    matrices = np.zeros((4, size, size), np.float32)
    for row in range(size):
        for tap in range(_BANK.shape[1]):
            matrices[:, row, source[row + tap]] += _BANK[:, tap]
    return matrices


def _cut_out(images: Images, size: Float[Array, "n 2"], center: Float[Array, "n 2"]) -> Images:
    """Zeros in a rectangle; `size` and `center` are (x, y) as shares of the image."""
    height, width = images.shape[1:3]
    x, y = ((np.arange(length, dtype=np.float32) + 0.5) / length for length in (width, height))
    outside_x = jnp.abs(x - center[:, :1]) >= size[:, :1] / 2
    outside_y = jnp.abs(y - center[:, 1:]) >= size[:, 1:] / 2
    return images * (outside_y[:, :, None] | outside_x[:, None, :])[..., None]


def update_p(
    p: Scalar, sign_mean: Scalar, *, batch: int, interval: int = 4, ada_kimg: float = 500, target: float = 0.6
) -> Array:
    """The controller: moves p by the share of `ada_kimg` that was shown since the last call; never below 0.

    Args:
      sign_mean: mean of sign(D(real)) since the last call: the measure of overfitting.
      batch: images per iteration.
      interval: iterations between two calls.
    """
    return jnp.maximum(p + jnp.sign(sign_mean - target) * (batch * interval / (ada_kimg * 1000)), 0)
