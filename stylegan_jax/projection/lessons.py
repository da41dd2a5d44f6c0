"""One step of an encoder's training: pictures in, answers, what the model makes of them, and a move of the weights.

A batch is as many groups as there are rounds. The first group are fresh pictures beside the mean image; every other
group are those of the group before at the step before, beside what the model made of the answer then: so the network
learns to correct itself (as ReStyle does), at the cost of one look at a picture for each image of the batch.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float, Key, UInt8

from stylegan_jax.config import GeneratorConfig
from stylegan_jax.networks.generators import mapping, synthesis
from stylegan_jax.networks.layers import Weights
from stylegan_jax.pictures.images import to_float
from stylegan_jax.projection.encoder import Encoder, EncoderConfig, as_seen, encoder
from stylegan_jax.projection.jitter import jittered
from stylegan_jax.projection.losses import Loss

AXIS = "batch"
_LEAST_PSI = 0.5  # the model's samples are truncated by a psi from here to 1,
_MIXED = 0.5  # and so many have two w, one up to some layer and one from there on
_RULE = optax.chain(optax.clip_by_global_norm(1.0), optax.scale_by_adam(b2=0.99))
Tree = Any


@dataclass(frozen=True, kw_only=True)
class Weighing:
    """What counts how much in the loss of an encoder.

    Attributes:
      picture: the descents' distance of a picture and what the model makes of the answer.
      ws: mean squared distance of the layers' w from the true ones in spreads of the model's own, where they are known.
      prior: the mean square of the answers in P_N, as in descents: without it they leave what the model makes.
      apart: the mean square of how far the further layers are from the first, in P_N.
    """

    picture: float = 1.0
    ws: float = 0.5
    prior: float = 0.03
    apart: float = 0.02


class Fixed(NamedTuple):
    """What no step moves: the model's weights, its mean w and their spread, the encoder's buffers, the mean image."""

    model: Weights
    mean: Float[Array, " d"]
    std: Float[Array, ""]
    buffers: Weights
    shown: Float[Array, "1 s s c"]


class Slots(NamedTuple):
    """The pictures of a batch, and what is known of them.

    Attributes:
      target: as they are.
      seen: as the encoder sees them.
      shown: what the model makes of the last answer, as the encoder sees it.
      places: the last answers.
      ws: the true ones,
      known: 1 where there are such;
      alive: 1 where there is a picture at all.
    """

    target: Float[Array, "n r r c"]
    seen: Float[Array, "n s s c"]
    shown: Float[Array, "n s s c"]
    places: Float[Array, "n l k"]
    ws: Float[Array, "n l d"]
    known: Float[Array, " n"]
    alive: Float[Array, " n"]


class Learner(NamedTuple):
    """What steps move: the encoder's weights, the optimiser's moments, the pictures that are asked about again."""

    weights: Weights
    moments: Tree
    slots: Slots


class Fresh(NamedTuple):
    """What a step begins with: a key and a label for every sample of the model, photographs, a key for each picture."""

    samples: Key[Array, " k"]
    labels: Float[Array, "k c"]
    photographs: UInt8[Array, "q r r c"]
    jitter: Key[Array, " m"]


def drawn_ws(
    config: GeneratorConfig,
    weights: Weights,
    mean: Float[Array, " d"],
    keys: Key[Array, " n"],
    labels: Float[Array, "n c"],
) -> Float[Array, "n l d"]:
    """Ws of the model's own, one of each key: truncated by some psi, and half of them style-mixed."""
    normal, uniform = jax.vmap(
        lambda key: (jax.random.normal(key, (2, config.z_dim)), jax.random.uniform(jax.random.fold_in(key, 1), (3,)))
    )(keys)
    one, other = (mapping(config, weights)(normal[:, i], labels)[:, None] for i in (0, 1))
    crossing = 1 + jnp.floor(uniform[:, 0] * (config.num_ws - 1))
    crossing = jnp.where(uniform[:, 1] < _MIXED, crossing, config.num_ws)
    ws = jnp.where(jnp.arange(config.num_ws)[None, :, None] < crossing[:, None, None], one, other)
    psi = _LEAST_PSI + (1 - _LEAST_PSI) * uniform[:, 2]
    return mean + psi[:, None, None] * (ws - mean)


def empty(model: GeneratorConfig, config: EncoderConfig, n: int) -> Slots:
    """As many slots without pictures."""
    images = np.zeros((n, model.img_resolution, model.img_resolution, model.img_channels), np.float32)
    seen = np.zeros((n, config.seen, config.seen, model.img_channels), np.float32)
    places, ws = (np.zeros((n, model.num_ws, width), np.float32) for width in (config.rank, model.w_dim))
    return Slots(images, seen, seen, places, ws, *np.zeros((2, n), np.float32))  # type: ignore[arg-type]


def first_moments(weights: dict[str, np.ndarray]) -> Tree:
    """Of the optimiser, before its first step."""
    return _RULE.init(weights)


def _filled(model: GeneratorConfig, fixed: Fixed, slots: Slots, fresh: Fresh) -> Slots:
    """The slots a group further on, fresh pictures in the first."""
    ws = drawn_ws(model, fixed.model, fixed.mean, fresh.samples, fresh.labels)
    target = jnp.concatenate([synthesis(model, fixed.model)(ws), to_float(fresh.photographs)])
    k, m = len(ws), len(target)
    new = Slots(
        target,
        jittered(as_seen(target), fresh.jitter),
        jnp.broadcast_to(fixed.shown, (m, *fixed.shown.shape[1:])),
        jnp.zeros((m, *slots.places.shape[1:])),
        jnp.zeros((m, *ws.shape[1:])).at[:k].set(ws),
        (jnp.arange(m) < k).astype(jnp.float32),
        jnp.ones(m),
    )
    return jax.tree.map(lambda a, b: jnp.concatenate([a, b[: len(b) - m]]), new, slots)


@functools.lru_cache(maxsize=4)
def program(
    model: GeneratorConfig, config: EncoderConfig, loss: Loss, weighing: Weighing, mesh: Mesh
) -> Callable[[Fixed, Learner, Fresh, Array], tuple[Learner, dict[str, Array]]]:
    """One step, compiled once: (what stays, what moves, fresh pictures, learning rate) → (what moves, statistics)."""

    def objective(weights: Weights, fixed: Fixed, slots: Slots) -> Any:
        network: Encoder = encoder(config, {**weights, **fixed.buffers})
        places = slots.places + network(slots.seen, slots.shown)
        ws = network.ws(places)
        images = synthesis(model, fixed.model)(ws)
        terms = {
            "picture": loss.compare(loss.describe(images), loss.describe(slots.target)),
            "ws": slots.known * jnp.square(ws - slots.ws).sum(2).mean(1) / fixed.std**2,
            "prior": jnp.square(places).mean((1, 2)),
            "apart": jnp.square(places[:, 1:] - places[:, :1]).mean((1, 2)),
        }
        total = sum(getattr(weighing, name) * term for name, term in terms.items())
        return (slots.alive * total).mean(), (images, places, terms)

    def step(fixed: Fixed, learner: Learner, fresh: Fresh, rate: Array) -> Any:
        slots = jax.tree.map(jax.lax.stop_gradient, _filled(model, fixed, learner.slots, fresh))
        gradients, (images, places, terms) = jax.grad(objective, has_aux=True)(learner.weights, fixed, slots)
        gradients = jax.lax.pmean(gradients, AXIS)
        updates, moments = _RULE.update(gradients, learner.moments)
        weights = jax.tree.map(lambda leaf, update: leaf - rate * update, learner.weights, updates)
        kept = slots._replace(shown=as_seen(images), places=places)
        rounds = terms["picture"].reshape(-1, len(fresh.jitter)).mean(1)
        stats = {name: (slots.alive * term).mean() for name, term in terms.items()} | {"rounds": rounds}
        return Learner(weights, moments, kept), jax.lax.pmean(stats, AXIS)

    each, all_ = P(AXIS), P()
    moving = Learner(all_, all_, each)  # type: ignore[arg-type]
    sharded = jax.shard_map(
        step, mesh=mesh, in_specs=(all_, moving, each, all_), out_specs=(moving, all_), check_vma=False
    )
    return jax.jit(sharded, donate_argnums=1)
