"""How pictures look, in numbers that need no network: saturation, sharpness, and which seeds are dead.

Measured where faces are: rows ¼ to ¾, columns ⅓ to ⅔.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, UInt8

from stylegan_jax.scores.features import proxy_features
from stylegan_jax.scores.metrics import Features, in_rgb

Pixels = UInt8[np.ndarray, "n r r c"]  # grey, RGB or RGBA
_FAINT = 0.55  # of the median sharpness
_FAR = 10  # times the usual distance from the median


def saturation(images: Pixels) -> Float[np.ndarray, " n"]:
    """Mean of max − min over the channels of each image, 0 … 255."""
    face = _face(images)
    return (face.max(-1) - face.min(-1)).mean((1, 2))


def sharpness(images: Pixels) -> Float[np.ndarray, " n"]:
    """Mean length of the gradient of the grey image, in levels per pixel."""
    grey = _face(images).mean(-1)
    down, right = np.diff(grey, axis=1)[:, :, :-1], np.diff(grey, axis=2)[:, :-1]
    return np.hypot(down, right).mean((1, 2))


def dead(images: Pixels, features: Features | None = None) -> Bool[np.ndarray, " n"]:
    """Images without a face, among images of one model most of which have one.

    Those with a sharpness under 0.55 of the median, and those whose scattering features lie further from the median
    than 10 times the usual (median) squared distance.

    Args:
      features: of the images, where they are known already.
    """
    sharp, features = sharpness(images), proxy_features(images) if features is None else features
    features = features.astype(np.float64)
    distance = np.square(features - np.median(features, 0)).sum(1)
    return (sharp < _FAINT * np.median(sharp)) | (distance > _FAR * np.median(distance))


class BlendQuality(NamedTuple):
    """A blend's mean saturation and sharpness as shares of its lesser parent's; 1 is as good as that parent."""

    saturation: float
    sharpness: float


def blend_quality(blend: Pixels, base: Pixels, transfer: Pixels) -> BlendQuality:
    """How a blend looks beside its parents, all for the same w; no number where a parent has nothing of it."""
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = [
            measure(blend).mean() / min(measure(base).mean(), measure(transfer).mean())
            for measure in (saturation, sharpness)
        ]
    return BlendQuality(*map(float, shares))


def _face(images: Pixels) -> Float[np.ndarray, "n h w rgb"]:
    size = images.shape[1]
    face = images[:, size // 4 : size - size // 4, size // 3 : size - size // 3].astype(np.float32)
    return face if face.shape[-1] != 4 else np.asarray(in_rgb(jnp.asarray(face)))
