"""How unlike two images are, for descents: each loss describes an image once and compares descriptions."""

import functools
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from stylegan_jax.scores.features import halved, in_ycc, octaves, pooled

Images = Float[Array, "n r r c"]
"""In [-1, 1]."""


@dataclass(frozen=True)
class Loss:
    """A distance of images. Both functions are pure and are compiled into the descent.

    Attributes:
      name: for notes.
      describe: images → any tree of arrays, one row for each image.
      compare: two such trees → distances `[n]`.
    """

    name: str
    describe: Callable[[Images], Any]
    compare: Callable[[Any, Any], Float[Array, " n"]]


def features_loss(features: Callable[[Float[Array, "n h w c"]], Float[Array, "n f"]], name: str = "features") -> Loss:
    """The official projector's: squared distance of perceptual features.

    Args:
      features: takes images in [0, 255], which are averaged down to 256 pixels if they are larger.
      name: for notes.
    """

    def describe(images: Images) -> Float[Array, "n f"]:
        images = (images + 1) * 127.5
        return features(images if images.shape[1] <= 256 else pooled(images, 256))

    return Loss(name, describe, lambda found, wanted: jnp.square(found - wanted).sum(1))


def pyramid(images: Images, coarsest: int = 8) -> list[Array]:
    """The images and their means over boxes of 2, 4, … pixels, down to `coarsest`."""
    found = [images]
    while found[-1].shape[1] > coarsest:
        found.append(halved(found[-1]))
    return found


@functools.cache
def scattering_loss(scattering: float = 0.75, pixels: float = 0.5) -> Loss:
    """Local scattering and half a pyramid of squared differences: faces come out crisp, and so do their toons.

    The first order of a wavelet scattering in four octaves, log(1 + 16·|wavelet|), means over 2×2 pixels: what lies
    where, but not to the pixel.
    """

    def describe(images: Images) -> Any:
        amplitudes = octaves(in_ycc((images + 1) * 127.5), smooth=1e-6)[:4]
        return [halved(jnp.log1p(16 * a)) for a in amplitudes], pyramid(images)

    def compare(found: Any, wanted: Any) -> Float[Array, " n"]:
        (amplitudes, images), (wanted_amplitudes, wanted_images) = found, wanted
        return scattering * _square_distance(amplitudes, wanted_amplitudes) + pixels * _square_distance(
            images, wanted_images
        )

    return Loss(f"scattering({scattering:g},{pixels:g})", describe, compare)


@functools.cache
def pixel_loss() -> Loss:
    """Laplacian pyramid in L1, twice a pyramid in L2, half of 1 - MS-SSIM: the nearest pixels, and the worst toons."""

    def compare(found: Images, wanted: Images) -> Float[Array, " n"]:
        a, b = pyramid(found), pyramid(wanted)
        difference = [x - y for x, y in zip(a, b, strict=True)]
        bands = [x - jax.image.resize(coarse, x.shape, "linear") for x, coarse in itertools.pairwise(difference)]
        laplacian = sum(jnp.abs(band).mean((1, 2, 3)) for band in [*bands, difference[-1]])
        squares = sum(jnp.square(each).mean((1, 2, 3)) for each in difference)
        return laplacian + 2 * squares + 0.5 * (1 - ms_ssim(found, wanted))

    return Loss("pixels", lambda images: images, compare)


LOSSES: dict[str, Callable[[], Loss]] = {"scattering": scattering_loss, "pixels": pixel_loss}


def _square_distance(found: list[Array], wanted: list[Array]) -> Float[Array, " n"]:
    """Mean squares of each level, summed."""
    levels = [jnp.square(a - b).mean(tuple(range(1, a.ndim))) for a, b in zip(found, wanted, strict=True)]
    return jnp.sum(jnp.stack(levels), 0)


def ms_ssim(a: Images, b: Images) -> Float[Array, " n"]:
    """Multi-scale structural similarity (Wang et al. 2003) of images in [-1, 1]: 1 is equal.

    As many of the five scales as the images have room for 11×11 windows; the weights of those are scaled to sum 1.
    """
    weights = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333]
    scales = [size for size in (a.shape[1] >> i for i in range(5)) if size >= 11]
    used = jnp.asarray(weights[: len(scales)]) / sum(weights[: len(scales)])
    found = []
    for i, weight in enumerate(used):
        luminance, contrast = _ssim(a, b)
        last = i == len(scales) - 1
        found.append(jnp.maximum(luminance * contrast if last else contrast, 1e-6) ** weight)
        a, b = (halved(x) for x in (a, b)) if not last else (a, b)
    return jnp.prod(jnp.stack(found), 0)


def _ssim(a: Images, b: Images) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    """Mean luminance and contrast-structure terms, in Gaussian windows of 11×11, σ 1.5; the range of values is 2."""
    mean_a, mean_b, square_a, square_b, product = jnp.split(_blurred(jnp.concatenate([a, b, a * a, b * b, a * b])), 5)
    var_a, var_b, covariance = square_a - mean_a**2, square_b - mean_b**2, product - mean_a * mean_b
    c1, c2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2
    luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    contrast = (2 * covariance + c2) / (var_a + var_b + c2)
    return luminance.mean((1, 2, 3)), contrast.mean((1, 2, 3))


def _blurred(x: Float[Array, "n h h c"]) -> Float[Array, "n v v c"]:
    """Each channel under the Gaussian window, where it fits: products with a band matrix, quick to compile."""
    size = x.shape[1]
    away = np.arange(size)[:, None] - np.arange(size - 10) - 5.0
    band = np.where(np.abs(away) <= 5, np.exp(-(away**2) / (2 * 1.5**2)), 0)
    band = jnp.asarray(band / band.sum(0), jnp.float32)
    planes = jnp.einsum("nhwc,hu->ncuw", x, band, precision="highest")
    return jnp.einsum("ncuw,wv->nuvc", planes, band, precision="highest")


def in_grey(images: Images) -> Images:
    """The luma of RGB or RGBA images in each colour; opacity, and what is grey already, stay."""
    if images.shape[-1] == 1:
        return images
    luma = jnp.dot(images[..., :3], jnp.array([0.299, 0.587, 0.114], images.dtype), precision="highest")
    return jnp.concatenate([jnp.repeat(luma[..., None], 3, -1), images[..., 3:]], -1)


def psnr(a: Images, b: Images) -> Float[Array, " n"]:
    """Peak signal-to-noise ratio in dB of images in [-1, 1]."""
    return 10 * jnp.log10(4 / jnp.square(a - b).mean((1, 2, 3)))


def noise_penalty(noise: Float[Array, "n r r"]) -> Float[Array, " n"]:
    """Correlation of neighbours, at every size down to 8×8: noise must carry no signal (StyleGAN2, appendix D)."""
    total = jnp.zeros(len(noise))
    while True:
        for axis in (1, 2):
            total += jnp.square((noise * jnp.roll(noise, 1, axis)).mean((1, 2)))
        if noise.shape[1] <= 8:
            return total
        n, r, _ = noise.shape
        noise = noise.reshape(n, r // 2, 2, r // 2, 2).mean((2, 4))
