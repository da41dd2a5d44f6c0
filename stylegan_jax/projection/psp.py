"""Photographs → ws by an encoder of the pSp family (pSp, e4e), in one pass; `convert.read_encoder` reads such files."""

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
from stylegan_jax.psp import SIZE, PspConfig, PspEncoder
from stylegan_jax.scores.features import in_batches

_BATCH = 4


def encode(encoder: PspEncoder, pictures: UInt8[np.ndarray, "n 256 256 3"]) -> Float[np.ndarray, "n l d"]:
    """The ws of aligned photographs: FFHQ's crop, for encoders that were trained on it."""
    weights = jax.device_put(dict(encoder.weights))
    program = _program(encoder.config)
    found = [
        np.asarray(program(weights, part))[:count] for part, count in in_batches(pictures, min(_BATCH, len(pictures)))
    ]
    return np.concatenate(found) + encoder.average


def fitted(pictures: Sequence[UInt8[np.ndarray, "h w c"]]) -> UInt8[np.ndarray, "n 256 256 3"]:
    """Square pictures of any size as encoders take them: shrunk with antialiasing, grey as RGB, without alpha."""
    return np.stack([_fitted(each) for each in pictures])


def _fitted(picture: UInt8[np.ndarray, "h w c"]) -> UInt8[np.ndarray, "256 256 3"]:
    image = Image.fromarray(picture[..., 0] if picture.shape[-1] == 1 else picture).convert("RGB")
    return np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BILINEAR))


def starts(encoder: PspEncoder, pictures: Sequence[np.ndarray], num_ws: int, w_dim: int) -> Float[np.ndarray, "n l d"]:
    """The ws from which a model's projection of square pictures may start.

    Raises InputError where the encoder was made for another model's.
    """
    config = encoder.config
    if (config.num_ws, config.w_dim) != (num_ws, w_dim):
        what = f"the encoder makes {config.num_ws} ws of {config.w_dim} numbers, the model takes {num_ws} of {w_dim}"
        raise InputError(what, "use the generator that it was trained with: the one in its file")
    return encode(encoder, fitted(pictures))


@functools.lru_cache(maxsize=2)
def _program(config: PspConfig) -> Callable[[Weights, UInt8[np.ndarray, "n r r 3"]], Array]:
    @jax.jit
    def run(weights: Weights, pixels: Array) -> Array:
        with jax.default_matmul_precision("highest"):
            return psp.ws_of(config, weights, to_float(jnp.asarray(pixels)))

    return run
