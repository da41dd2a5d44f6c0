"""Style channels that act in one region of the picture: chosen by gradients, then measured."""

import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int
from tqdm import tqdm

from stylegan_jax.config import GeneratorConfig, Size
from stylegan_jax.editing import channels
from stylegan_jax.editing.directions import Directions
from stylegan_jax.errors import InputError
from stylegan_jax.networks import generators
from stylegan_jax.networks.layers import Weights
from stylegan_jax.pictures import masks
from stylegan_jax.sampler import sample_ws, stylespace
from stylegan_jax.sampler.run import sample_shifts
from stylegan_jax.storage.checkpoint import Model

FAR = 3.0
"""Standard deviations to each side, at which channels are measured."""
_PROBES, _PER_CHANNEL = 8, 4
Region = Float[np.ndarray, "h w"]
"""1 inside, 0 outside."""


def read(path: str | Path, size: Size) -> Region:
    """A mask of a region at the size of a model's pictures; InputError for one that is all of one kind."""
    region = masks.drawn(masks.contents(path), size, path)
    if not 0 < region.mean() < 1:
        raise InputError(
            "is all white" if region.any() else "is all black", "paint the region white on black", file=path
        )
    return region


def find(model: Model, ws: Float[np.ndarray, "n l d"], region: Region, count: int = 16) -> Directions:
    """The channels that change a region, and little outside: |Δ| of pixels where `FAR` deviations are added and taken.

    The card has the mean |Δ| inside and outside, in grey levels. Gradients choose four times as many as are wanted;
    these are measured. (Wu et al. 2021, 4.1, look at gradients alone.)
    """
    estimated = _estimated(model, ws, region)
    chosen = _best(*estimated, _PER_CHANNEL * count)
    inside, outside = measured(model, ws, region, chosen)
    best = _best(inside, outside, count)
    card = {"inside": inside[best].tolist(), "outside": outside[best].tolist()}
    return channels.along(model, chosen[best], [1.0] * len(best), card)


def _best(inside: np.ndarray, outside: np.ndarray, count: int) -> Int[np.ndarray, " k"]:
    """The best first: by how much more changes inside than outside, times the share of what is inside."""
    score = (inside - outside) * inside / np.maximum(inside + outside, 1e-12)
    return np.argsort(-score, kind="stable")[:count]


def measured(
    model: Model, ws: Float[np.ndarray, "n l d"], region: Region, chosen: Int[np.ndarray, " k"]
) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"]]:
    """Mean |Δ| of pixels inside and outside of a region for each of some channels, in grey levels."""
    plain = np.concatenate([*sample_ws(model, ws)]).astype(np.float32)
    spread, inside, outside = channels.deviations(model), [], []

    def shifts() -> Iterator[stylespace.Shift]:
        for index in chosen:
            for strength in (-FAR, FAR):
                shift = np.zeros_like(spread)
                shift[index] = strength * spread[index]
                yield shift

    drawn = tqdm(sample_shifts(model, ws, shifts()), "channels", 2 * len(chosen), disable=None, delay=2, leave=False)
    changes = [np.abs(pictures - plain).mean((0, -1)) for pictures in drawn]
    for one, other in zip(changes[::2], changes[1::2], strict=True):
        inside.append(np.average((one + other) / 2, weights=region))
        outside.append(np.average((one + other) / 2, weights=1 - region))
    return np.array(inside), np.array(outside)


def _estimated(model: Model, ws: np.ndarray, region: Region) -> tuple[np.ndarray, np.ndarray]:
    """√(mean square of ∂pixel/∂channel) inside and outside, times the channels' deviations.

    Σ (∂pixel/∂channel)² over a region is the mean of (∂Σ ±pixel/∂channel)² over random signs, and one of these is one
    gradient for all channels (Hutchinson 1990).
    """
    config, weights = model.config.generator, jax.device_put(model.networks["G_ema"])
    signs, squares = np.random.RandomState(0), np.zeros((2, stylespace.count(config)))
    parts = np.sqrt(np.stack([region, 1 - region]))[:, None, ..., None]
    gradients = _gradients(config)
    for w in tqdm(ws, "gradients", disable=None, delay=2, leave=False):
        shape = (2, _PROBES, *config.image_size, config.img_channels)
        probes = parts * (2 * signs.randint(0, 2, shape, np.int8) - 1)
        found = np.asarray(gradients(weights, w, probes.reshape(-1, *shape[2:])), np.float64)
        squares += np.square(found).reshape(2, _PROBES, -1).mean(1)
    sizes = np.array([region.sum(), (1 - region).sum()])[:, None]
    inside, outside = np.sqrt(squares / sizes) * channels.deviations(model)
    return inside, outside


@functools.lru_cache(maxsize=4)
def _gradients(config: GeneratorConfig) -> Callable[..., Float[Array, "k s"]]:
    """G_ema's weights, ws of one image and images of signs → for each of these, ∂(Σ signs · image)/∂styles; compiled
    once.
    """

    @jax.jit
    def run(weights: Weights, w: Float[Array, "l d"], signs: Float[Array, "k h w c"]) -> Float[Array, "k s"]:
        def image(shift: Float[Array, " s"]) -> Float[Array, "h w c"]:
            moved = dict(weights)
            ends = np.cumsum([*stylespace.layers(config).values()])
            for layer, piece in zip(stylespace.layers(config), jnp.split(shift, ends[:-1]), strict=True):
                name = f"synthesis.{layer}.affine.bias"
                moved[name] = moved[name] + piece
            with jax.default_matmul_precision("highest"):
                return generators.synthesis(config, moved)(w[None])[0]

        _, pull = jax.vjp(image, jnp.zeros(stylespace.count(config)))
        return lax.map(lambda sign: pull(sign)[0], signs)

    return run
