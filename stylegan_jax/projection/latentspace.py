"""Where a model's w lie: their mean and spread, and the space P_N in which they are normally distributed.

P_N undoes the mapping network's last leaky ReLU and whitens by PCA ("Improved StyleGAN Embedding", Zhu et al. 2020):
ws of length near one there look like something the model makes.
"""

import functools
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from stylegan_jax.config import LRELU_SLOPE, GeneratorConfig
from stylegan_jax.networks.generators import mapping
from stylegan_jax.networks.layers import Weights
from stylegan_jax.sampler import latents
from stylegan_jax.storage.checkpoint import Model

SAMPLES = 10_000
_SEED = 123  # as the official projector draws
_FLOOR = 1e-3  # of the largest variance: directions in which nothing varies say nothing


@dataclass(frozen=True, eq=False)
class LatentSpace:
    """What samples of w tell of a mapping network.

    Attributes:
      mean: of w.
      std: root of the mean squared distance from it, one number.
      center, whiten: w → P_N: `(undone - center) @ whiten`.
    """

    mean: Float[np.ndarray, " d"]
    std: float
    center: Float[np.ndarray, " d"]
    whiten: Float[np.ndarray, "d d"]


def latent_space(model: Model, class_idx: latents.Label = None, samples: int = SAMPLES) -> LatentSpace:
    """Measures the w of `samples` latents z of `RandomState(123)`, in float64. InputError as `latents.labels_of`."""
    config = model.config.generator
    z = np.random.RandomState(_SEED).randn(samples, config.z_dim).astype(np.float32)
    c = latents.labels_of(latents.drawn_from(model.lineage, class_idx), range(samples), config.c_dim)
    w = np.asarray(_mapped(config)(model.networks["G_ema"], z, c)).astype(np.float64)
    mean = w.mean(0)
    undone = np.where(w < 0, w / LRELU_SLOPE, w)
    center = undone.mean(0)
    variances, axes = np.linalg.eigh(np.cov(undone - center, rowvar=False, bias=True))
    scales = 1 / np.sqrt(np.maximum(variances, _FLOOR * variances[-1]))
    std = float(np.sqrt(np.square(w - mean).sum() / samples))
    return LatentSpace(mean.astype(np.float32), std, center.astype(np.float32), (axes * scales).astype(np.float32))


@functools.lru_cache(maxsize=8)
def _mapped(config: GeneratorConfig):
    @jax.jit
    def run(weights: Weights, z: Array, c: Array) -> Float[Array, "n d"]:
        with jax.default_matmul_precision("highest"):
            return mapping(config, weights)(z, c)

    return run


def in_p_n(ws: Float[Array, "n l d"], center: Float[Array, " d"], whiten: Float[Array, "d d"]) -> Float[Array, "n l d"]:
    """The ws in P_N, of unit variance in every direction where the model's own vary."""
    return (jnp.where(ws < 0, ws / LRELU_SLOPE, ws) - center) @ whiten


def from_p_n(
    p: Float[Array, "n l k"], center: Float[Array, " d"], unwhiten: Float[Array, "k d"]
) -> Float[Array, "n l d"]:
    """The ws of places in P_N: the way back from `in_p_n`."""
    undone = p @ unwhiten + center
    return jnp.where(undone < 0, undone * LRELU_SLOPE, undone)


def widest(space: LatentSpace, count: int) -> tuple[Float[np.ndarray, "d k"], Float[np.ndarray, "k d"]]:
    """The `count` directions of P_N in which w varies most: the columns of `whiten`, and the rows that undo them."""
    unwhiten = np.linalg.inv(space.whiten.astype(np.float64))
    chosen = np.argsort(-np.square(unwhiten).sum(1), kind="stable")[:count]
    return space.whiten[:, chosen], unwhiten[chosen].astype(np.float32)
