"""Scattering features: a fixed, untrained description of images, for FID and KID where no Inception file is at hand.

These are not Inception features, and no score over them compares with a published one: call it proxy-FID. Two orders
of a wavelet scattering transform (Bruna & Mallat 2013) tell texture, sharpness and noise in every octave, and a
thumbnail tells layout and colour. There is nothing to download and nothing random in it.
"""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Shaped, UInt8

from stylegan_jax.scores.metrics import in_rgb

NAME = "scattering-1"
"""Says which features a score was measured with; it changes whenever the numbers do."""

_ORIENTATIONS = 4
_TAPS = 7
_STRIDE = 8
_COARSEST = 8  # pixels of the last octave
SMALLEST = 2 * _COARSEST
"""Pixels per side of the smallest images that have scattering features."""
_GRIDS = {8: 4, 16: 2, 32: 2}  # where in the image is told of the coarse octaves only
_FLOOR = 1 / 16  # amplitudes far below it, some grey levels, hardly count
_YCC = np.array([[0.299, 0.587, 0.114], [0.5, -0.419, -0.081], [-0.169, -0.331, 0.5]], np.float32)


def proxy_features(images: UInt8[np.ndarray, "n r r c"], *, batch: int = 64) -> Float[np.ndarray, "n f"]:
    """Describes grey, RGB or RGBA (on white) images of one size, from 16 pixels on: 324 numbers at 64, 400 at 128.

    Raises ValueError for smaller images.
    """
    if images.shape[1] < SMALLEST:
        raise ValueError(f"scattering features need images of {SMALLEST} pixels or more, not {images.shape[1]}")
    return np.concatenate([np.asarray(_describe(part))[:count] for part, count in in_batches(images, batch)])


def in_batches(rows: Shaped[np.ndarray, "n ..."], size: int) -> Iterator[tuple[Shaped[np.ndarray, "size ..."], int]]:
    """(`size` rows, how many of them count): all batches have one shape, and so one program; the last ends in zeros."""
    for start in range(0, len(rows), size):
        part = rows[start : start + size]
        yield np.concatenate([part, np.zeros((size - len(part), *rows.shape[1:]), rows.dtype)]), len(part)


@jax.jit
def _describe(pixels: UInt8[Array, "n r r c"] | UInt8[np.ndarray, "n r r c"]) -> Float[Array, "n f"]:
    ycc = in_ycc(jnp.asarray(pixels).astype(jnp.float32))
    luma, chroma = ycc[..., :1], ycc[..., 1:]
    first = octaves(luma)
    second = [octave for amplitudes in first for octave in octaves(halved(amplitudes))]
    parts = [pooled(luma, 8), pooled(chroma, 4)]
    parts += [_log(pooled(octave, _GRIDS.get(octave.shape[1], 1))) for octave in first]
    parts += [_log(pooled(octave, 1)) for octave in (*octaves(chroma), *second)]
    return jnp.concatenate([part.reshape(len(pixels), -1) for part in parts], 1)


def in_ycc(images: Float[Array, "n h w c"]) -> Float[Array, "n h w 3"]:
    """Luma and the two chroma planes, luma in [-1, 1], of grey, RGB or RGBA images in [0, 255]."""
    rgb = in_rgb(images) / 127.5 - 1
    return jnp.einsum("nhwc,dc->nhwd", rgb, _YCC, precision="highest")


def octaves(x: Float[Array, "n h w c"], smooth: float = 0.0) -> list[Array]:
    """Amplitudes `[n h w c·orientations]` of each octave, finest first.

    Args:
      x: images of one size, a multiple of 8·2ᵏ.
      smooth: added under the root, for gradients: that of a modulus is infinite at 0.
    """
    found = []
    while x.shape[1] >= _COARSEST:
        found.append(_amplitudes(x, smooth))
        x = halved(x)
    return found


def _amplitudes(x: Float[Array, "n h w c"], smooth: float) -> Float[Array, "n h w oriented"]:
    """Modulus of each channel filtered by the complex wavelets, the image continued by reflection."""
    n, height, width, channels = x.shape
    reach = _TAPS // 2
    planes = x.transpose(0, 3, 1, 2).reshape(n * channels, height, width, 1)
    planes = jnp.pad(planes, ((0, 0), (reach, reach), (reach, reach), (0, 0)), "reflect")
    filtered = lax.conv_general_dilated(
        planes,
        jnp.asarray(_WAVELETS),
        (1, _STRIDE),
        "VALID",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        precision="highest",
    )
    real, imaginary = jnp.split(filtered.reshape(n, channels, height, width, -1), 2, -1)
    amplitudes = jnp.sqrt(real**2 + imaginary**2 + smooth)
    return amplitudes.transpose(0, 2, 3, 1, 4).reshape(n, height, width, -1)


def _wavelets() -> Float[np.ndarray, "k k filters"]:
    """Morlet wavelets of 0.3 cycles per pixel, zero mean and unit norm: real parts, then imaginary parts."""
    y, x = np.mgrid[:_TAPS, :_TAPS] - _TAPS // 2
    envelope = np.exp(-(x**2 + y**2) / (2 * 1.6**2))
    found = []
    for angle in np.pi * np.arange(_ORIENTATIONS) / _ORIENTATIONS:
        wave = np.exp(0.6j * np.pi * (np.cos(angle) * x + np.sin(angle) * y))
        wavelet = envelope * (wave - (envelope * wave).sum() / envelope.sum())
        found.append(wavelet / np.linalg.norm(wavelet))
    return np.stack([*np.real(found), *np.imag(found)], -1).astype(np.float32)


def _eight_at_once(wavelets: Float[np.ndarray, "k k filters"]) -> Float[np.ndarray, "k k2 1 shifted"]:
    """One kernel that yields eight neighbouring pixels: convolutions with few channels are slow on a CPU."""
    taps, _, filters = wavelets.shape
    kernel = np.zeros((taps, taps + _STRIDE - 1, 1, _STRIDE, filters), np.float32)
    for shift in range(_STRIDE):
        kernel[:, shift : shift + taps, 0, shift] = wavelets
    return kernel.reshape(taps, taps + _STRIDE - 1, 1, _STRIDE * filters)


_WAVELETS = _eight_at_once(_wavelets())


def halved(x: Float[Array, "n h w c"]) -> Float[Array, "n h2 w2 c"]:
    """Means over boxes of 2×2: sums of slices, whose gradients cost a CPU half of what a reduction's do."""
    n, height, width, channels = x.shape
    rows = x.reshape(n, height // 2, 2, width // 2, 2, channels)
    rows = rows[:, :, 0] + rows[:, :, 1]
    return (rows[:, :, :, 0] + rows[:, :, :, 1]) / 4


def pooled(x: Float[Array, "n h w c"], size: int) -> Float[Array, "n size size c"]:
    """Means over boxes."""
    n, height, width, channels = x.shape
    return x.reshape(n, size, height // size, size, width // size, channels).mean((2, 4))


def _log(amplitudes: Float[Array, "n h w c"]) -> Float[Array, "n h w c"]:
    """Ratios of contrast become differences."""
    return jnp.log1p(amplitudes / _FLOOR)
