"""Encoding of pictures into a model: what `python -m stylegan_jax encode` does, as a function."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt8

from stylegan_jax.config import GeneratorConfig
from stylegan_jax.networks.generators import synthesis
from stylegan_jax.networks.layers import Weights
from stylegan_jax.pictures.images import to_float
from stylegan_jax.projection.encoder import EncoderConfig, EncoderFile, as_seen, encoder
from stylegan_jax.projection.lessons import Weighing
from stylegan_jax.projection.losses import scattering_loss
from stylegan_jax.projection.project import Projection, seen
from stylegan_jax.scores.features import in_batches
from stylegan_jax.storage.checkpoint import Model

ROUNDS = 3
_BATCH = 16


def encode(
    model: Model, pictures: UInt8[np.ndarray, "n r r c"], trained: EncoderFile, *, rounds: int = ROUNDS
) -> Projection:
    """The ws that an encoder gives for pictures: of each the best of some rounds.

    In every round the encoder sees the picture beside what the model makes of its last answer. What is best is told by
    the descents' distance and the prior with which it was trained, which the projection's losses are.

    Args:
      model: its G_ema.
      pictures: aligned as the images that the model was trained on.
      trained: for this model; see `encoderfile.check_belongs`.
      rounds: one at least.
    """
    config, parts, losses = model.config.generator, [], []
    size = min(len(pictures), _BATCH)
    look = _look(config, trained.config)
    weights = jax.device_put((dict(model.networks["G_ema"]), dict(trained.weights)))
    for batch, count in in_batches(pictures, size):
        places = jnp.zeros((size, config.num_ws, trained.config.rank))
        best = np.full(size, np.inf, np.float32), np.zeros((size, config.num_ws, config.w_dim), np.float32)
        for round_ in range(rounds + 1):
            ws, loss, places = look(*weights, batch, places)
            if round_:  # what comes before the first is the mean
                better = np.asarray(loss) < best[0]
                best = np.where(better, loss, best[0]), np.where(better[:, None, None], ws, best[1])
        losses.append(best[0][:count])
        parts.append(best[1][:count])
    return seen(model, pictures, np.concatenate(parts), np.concatenate(losses))


@functools.lru_cache(maxsize=4)
def _look(model: GeneratorConfig, config: EncoderConfig) -> Callable[..., Any]:
    """(weights, the encoder's, pictures, answers) → their ws, their losses, the next answers."""
    distance, prior = scattering_loss(), Weighing().prior

    @jax.jit
    def run(
        weights: Weights, own: Weights, pictures: UInt8[Array, "n r r c"], places: Float[Array, "n l k"]
    ) -> tuple[Array, Array, Array]:
        network, wanted = encoder(config, own), to_float(pictures)
        with jax.default_matmul_precision("highest"):
            ws = network.ws(places)
            images = synthesis(model, weights)(ws)
            loss = distance.compare(distance.describe(images), distance.describe(wanted))
            loss += prior * jnp.square(places).mean((1, 2))
            return ws, loss, places + network(as_seen(wanted), as_seen(images))

    return run
