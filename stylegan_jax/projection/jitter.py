"""Small changes of pictures, as photographs differ from what a model makes: for the training of encoders."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key, PRNGKeyArray

Picture = Float[Array, "s s c"]
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_SHIFT, _SCALE = 0.03, 0.05  # shares of the side
_BRIGHTER, _CONTRAST, _TINT, _COLOUR = 0.12, 0.15, 0.04, 0.3
_BLUR, _GREY, _NOISE = 0.5, 0.05, 0.03  # the first two are probabilities


def jittered(pictures: Float[Array, "n s s c"], keys: Key[Array, " n"]) -> Float[Array, "n s s c"]:
    """Pictures in [-1, 1], each somewhat shifted, scaled, blurred, in other light and colours, by its own key.

    How much is drawn too, so that many are nearly as they were. Nothing is mirrored: a w knows left from right.
    """
    return jax.vmap(_one)(pictures, keys)


def _one(x: Picture, key: PRNGKeyArray) -> Picture:
    keys = jax.random.split(key, 6)
    much = jax.random.uniform(keys[0])
    x = _moved(x, much * jax.random.uniform(keys[1], (3,), minval=-1, maxval=1))
    x = jnp.where(jax.random.uniform(keys[2]) < _BLUR * much, _blurred(x), x)
    x = _recoloured(x, much, keys[3])
    return x + _NOISE * much * jax.random.uniform(keys[4]) * jax.random.normal(keys[5], x.shape)


def _moved(x: Picture, drawn: Float[Array, " 3"]) -> Picture:
    side = x.shape[0]
    scale = 1 + _SCALE * drawn[0]
    shift = side * (_SHIFT * drawn[1:] + (1 - scale) / 2)
    edged = jnp.pad(x, ((side // 8,) * 2, (side // 8,) * 2, (0, 0)), "edge")  # what lies outside goes on
    return jax.image.scale_and_translate(
        edged, x.shape, (0, 1), jnp.stack([scale, scale]), shift - scale * (side // 8), "linear"
    )


def _blurred(x: Picture) -> Picture:
    for axis in (0, 1):
        edged = jnp.pad(x, [(1, 1) if each == axis else (0, 0) for each in range(3)], "edge")
        before, after = (jax.lax.slice_in_dim(edged, i, i + x.shape[axis], axis=axis) for i in (0, 2))
        x = x / 2 + (before + after) / 4
    return x


def _recoloured(x: Picture, much: Float[Array, ""], key: PRNGKeyArray) -> Picture:
    light, contrast, tint, colour, grey = jax.random.split(key, 5)
    if x.shape[-1] >= 3:
        luma = (x[..., :3] @ _LUMA)[..., None]
        kept = 1 + _COLOUR * much * jax.random.uniform(colour, minval=-1, maxval=1)
        kept = jnp.where(jax.random.uniform(grey) < _GREY, 0.0, kept)
        shown = luma + kept * (x[..., :3] - luma) + _TINT * much * jax.random.normal(tint, (3,))
        x = jnp.concatenate([shown, x[..., 3:]], -1)
    x = x * jnp.exp(_CONTRAST * much * jax.random.normal(contrast))
    return x + _BRIGHTER * much * jax.random.normal(light)
