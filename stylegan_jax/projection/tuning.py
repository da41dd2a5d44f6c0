"""Pivotal tuning: a model's synthesis is trained on photographs a little, so that their ws show them as they are.

Roich et al. 2021. The ws, the pivots, stay; so do mapping, noise images and w_avg, and with them what other ws mean.
"""

import functools
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, UInt8

from stylegan_jax.config import GeneratorConfig
from stylegan_jax.errors import InputError
from stylegan_jax.names import is_buffer
from stylegan_jax.networks.generators import synthesis
from stylegan_jax.networks.layers import Weights
from stylegan_jax.pictures.images import to_float
from stylegan_jax.projection.losses import LOSSES, Loss
from stylegan_jax.sampler import latents, map_seeds
from stylegan_jax.storage.checkpoint import Model

Tree = Any


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """How a model is tuned. The authors': 350 steps of 3e-4 with LPIPS; these were measured at 64×64 with scattering.

    Attributes:
      steps: of Adam, each with all photographs.
      rate: its learning rate.
      locality: weight of the same two losses between the tuned image and the model's own, at a place near a pivot
        that is drawn anew for each step; 0 leaves it out.
      distance: how far from the pivot that place lies, towards another w and not beyond it, over all layers.
    """

    steps: int = 100
    rate: float = 3e-3
    locality: float = 0.1
    distance: float = 30.0


def tune(
    model: Model,
    pictures: UInt8[np.ndarray, "n r r c"],
    ws: Float[np.ndarray, "n l d"],
    tuning: Tuning | None = None,
    *,
    loss: str | Loss = "scattering",
    class_idx: latents.Label = None,
    seed: int = 0,
    report: Callable[[int, float], Any] | None = None,
) -> Model:
    """The model whose images of `ws` are nearer to pictures: mean square difference and `loss` fall. Its G_ema alone.

    Args:
      model: its G_ema.
      pictures: of the model's size.
      ws: where each was projected.
      tuning: how.
      loss: "scattering" or "pixels", see `losses`, or one that is given.
      class_idx: whose w the places near the pivots lie towards, of a conditional model.
      seed: of what is drawn.
      report: called with the step and the loss, every ten steps and at the end.

    Raises InputError for a rate at which the loss becomes no number.
    """
    tuning, weights = tuning or Tuning(), model.networks["G_ema"]
    compared = loss if isinstance(loss, Loss) else LOSSES[loss]()
    trained = {name: leaf for name, leaf in weights.items() if name.startswith("synthesis.") and not is_buffer(name)}
    buffers = {name: leaf for name, leaf in weights.items() if name.startswith("synthesis.") and is_buffer(name)}
    begin, step = _programs(model.config.generator, compared, tuning.locality > 0)
    before, after = jax.device_put(trained), jax.tree.map(jnp.array, trained)
    wanted, state = begin(pictures, after)
    drawn = np.random.RandomState([seed, 3])
    seeds = drawn.randint(1 << 31, size=tuning.steps)
    others = map_seeds(model, seeds.tolist(), class_idx=class_idx) if tuning.locality else ws[:1]
    numbers = np.array([tuning.rate, tuning.locality, tuning.distance], np.float32)
    pivots = jax.device_put(ws)
    value = None
    for number in range(tuning.steps):
        place = drawn.randint(len(ws))
        other = others[number % len(others)]
        after, state, value = step(after, state, before, buffers, wanted, pivots, ws[place], other, numbers)
        if report is not None and ((number + 1) % 10 == 0 or number + 1 == tuning.steps):
            report(number + 1, float(value))
    if value is not None and not np.isfinite(value):
        raise InputError("tuning diverged: its loss is no number", f"use a lower rate than {tuning.rate:g}")
    note = {**asdict(tuning), "loss": compared.name, "seed": seed, "photographs": len(ws)}
    lineage = {"source": "tuned", "tuned": note, "parents": [model.lineage]}
    tuned = {**weights, **{name: np.asarray(leaf) for name, leaf in after.items()}}
    return Model(type(model.config)(generator=model.config.generator), {"G_ema": tuned}, lineage)


@functools.lru_cache(maxsize=4)
def _programs(config: GeneratorConfig, loss: Loss, local: bool) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """What describes the pictures and begins Adam, and its step: compiled once for each number of photographs."""
    adam = optax.scale_by_adam()

    def differences(images: Array, target: Array, description: Tree) -> Float[Array, " n"]:
        return jnp.square(images - target).mean((1, 2, 3)) + loss.compare(loss.describe(images), description)

    def objective(trained: Weights, buffers: Weights, wanted: Tree, pivots: Array, near: Tree, weight: Array) -> Array:
        shown = synthesis(config, {**trained, **buffers})
        value = differences(shown(pivots), *wanted).mean()
        if local:
            place, own = near
            value = value + weight * differences(shown(place), *own).mean()
        return value

    @jax.jit
    def begin(pictures: Array, trained: Weights) -> tuple[Tree, Tree]:
        images = to_float(jnp.asarray(pictures))
        return (images, loss.describe(images)), adam.init(trained)

    @functools.partial(jax.jit, donate_argnums=(0, 1))
    def step(
        trained: Weights,
        state: Tree,
        before: Weights,
        buffers: Weights,
        wanted: Tree,
        pivots: Array,
        pivot: Array,
        other: Array,
        numbers: Array,
    ) -> tuple[Weights, Tree, Array]:
        with jax.default_matmul_precision("highest"):
            near, (rate, locality, distance) = None, numbers
            if local:
                place = between(pivot, other, distance)[None]
                images = synthesis(config, {**before, **buffers})(place)
                near = place, (images, loss.describe(images))
            value, gradients = jax.value_and_grad(objective)(trained, buffers, wanted, pivots, near, locality)
            updates, state = adam.update(gradients, state)
            trained = jax.tree.map(lambda leaf, update: leaf - rate * update, trained, updates)
        return trained, state, value

    return begin, step


def between(
    pivot: Float[Array, "l d"], other: Float[Array, "l d"], distance: float | Float[Array, ""]
) -> Float[Array, "l d"]:
    """The place so far from the pivot towards another w, or that w if it is nearer."""
    way = other - pivot
    length = jnp.sqrt(jnp.square(way).sum() + 1e-12)
    return pivot + way * jnp.minimum(1, distance / length)
