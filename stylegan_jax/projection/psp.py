"""Photographs → ws by an encoder of the pSp family (pSp, e4e), in one pass; `convert.read_encoder` reads such files."""

import dataclasses
import functools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt8
from PIL import Image

from stylegan_jax.errors import InputError
from stylegan_jax.networks import psp
from stylegan_jax.networks.layers import Weights
from stylegan_jax.pictures.images import to_float
from stylegan_jax.projection.losses import scattering_loss
from stylegan_jax.projection.project import Projection, seen
from stylegan_jax.psp import SIZE, PspConfig, PspEncoder
from stylegan_jax.scores.features import in_batches
from stylegan_jax.storage.checkpoint import Model

_BATCH = 4


def encode(encoder: PspEncoder, pictures: UInt8[np.ndarray, "n 256 256 3"]) -> Float[np.ndarray, "n l d"]:
    """The ws of aligned photographs: FFHQ's crop, for encoders that were trained on it."""
    weights = jax.device_put(dict(encoder.weights))
    program = _program(encoder.config)
    found = [
        np.asarray(program(weights, part))[:count] for part, count in in_batches(pictures, min(_BATCH, len(pictures)))
    ]
    return np.concatenate(found) + encoder.average


def fitted(pictures: Sequence[np.ndarray]) -> UInt8[np.ndarray, "n 256 256 3"]:
    """Square pictures `[h w c]` of any sizes as encoders take them: shrunk with antialiasing, grey as RGB, no alpha."""
    return np.stack([_fitted(each) for each in pictures])


def _fitted(picture: UInt8[np.ndarray, "h w c"]) -> UInt8[np.ndarray, "256 256 3"]:
    image = Image.fromarray(picture[..., 0] if picture.shape[-1] == 1 else picture).convert("RGB")
    return np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BILINEAR))


def projected(encoder: PspEncoder, model: Model, pictures: UInt8[np.ndarray, "n r r c"]) -> Projection:
    """What a model makes of the encoder's ws for pictures of its size; the losses are those of descents.

    Raises InputError where the encoder was made for another model's ws.
    """
    made, taken = encoder.config, model.config.generator
    if (made.num_ws, made.w_dim) != (taken.num_ws, taken.w_dim):
        what = f"the encoder makes {made.num_ws} ws of {made.w_dim} numbers"
        remedy = "use the generator that it was trained with: the one in its file"
        raise InputError(f"{what}, the model takes {taken.num_ws} of {taken.w_dim}", remedy)
    found = seen(model, pictures, encode(encoder, fitted(list(pictures))), np.zeros(len(pictures), np.float32))
    return dataclasses.replace(found, losses=np.asarray(_distance(found.images, pictures)))


@jax.jit
def _distance(images: UInt8[Array, "n r r c"], pictures: UInt8[Array, "n r r c"]) -> Float[Array, " n"]:
    loss = scattering_loss()
    with jax.default_matmul_precision("highest"):
        return loss.compare(loss.describe(to_float(images)), loss.describe(to_float(pictures)))


@functools.lru_cache(maxsize=2)
def _program(config: PspConfig) -> Callable[[Weights, UInt8[np.ndarray, "n r r 3"]], Array]:
    @jax.jit
    def run(weights: Weights, pixels: Array) -> Array:
        with jax.default_matmul_precision("highest"):
            return psp.ws_of(config, weights, to_float(jnp.asarray(pixels)))

    return run
