"""LPIPS, how unlike two images look: distances of VGG16's features (Zhang et al. 2018), the official projector's loss.

`convert.read_vgg16` reads the network from the user's file.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from stylegan_jax.networks.layers import Weights
from stylegan_jax.networks.ops import conv2d
from stylegan_jax.projection.losses import Loss, features_loss
from stylegan_jax.scores.metrics import in_rgb

_STAGES = (2, 2, 3, 3, 3)
"""Convolutions before each halving of the image; their last output is compared."""
_MEAN = 255 * np.array([0.485, 0.456, 0.406], np.float32)
_STD = 255 * np.array([0.229, 0.224, 0.225], np.float32)


def lpips_loss(weights: Weights) -> Loss:
    """LPIPS by a VGG16 of `convert.read_vgg16`, of images of 16 pixels or more; larger than 256 are shrunk to that."""
    return features_loss(lambda images: lpips_features(weights, images), "lpips")


def lpips_features(weights: Weights, images: Float[Array, "n h w c"]) -> Float[Array, "n f"]:
    """What LPIPS compares: the squared distance of two images' features is their LPIPS. The images are in [0, 255].

    Each pixel's features are of length one, each channel is scaled by the root of its weight, each map counts alike.
    """
    x = (in_rgb(images) - _MEAN) / _STD
    found, numbers = [], itertools.count()
    for stage, convs in enumerate(_STAGES):
        if stage:
            x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
        for number in itertools.islice(numbers, convs):
            weight, bias = (jnp.asarray(weights[f"conv{number}.{leaf}"]) for leaf in ("weight", "bias"))
            x = jax.nn.relu(conv2d(x, weight, padding=1) + bias)
        n, height, width, _ = x.shape
        lengths = lax.rsqrt(jnp.square(x).sum(-1, keepdims=True) + 1e-20)
        scales = jnp.sqrt(jnp.asarray(weights[f"lpips{stage}"]) / (height * width))
        found.append((x * lengths * scales).reshape(n, -1))
    return jnp.concatenate(found, 1)
