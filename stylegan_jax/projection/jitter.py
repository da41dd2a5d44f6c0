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
    drawn, spread = jax.random.split(key)
    much, blur, grey, noise, colour, *place = jax.random.uniform(drawn, (8,))  # one draw: each takes long to compile
    normal = jax.random.normal(spread, (x.size + 5,))
    x = _moved(x, much * (2 * jnp.stack(place) - 1))
    x = jnp.where(blur < _BLUR * much, _blurred(x), x)
    x = _recoloured(x, jnp.where(grey < _GREY, 0.0, 1 + _COLOUR * much * (2 * colour - 1)), much * normal[:5])
    return x + _NOISE * much * noise * normal[5:].reshape(x.shape)


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


def _recoloured(x: Picture, kept: Float[Array, ""], drawn: Float[Array, " 5"]) -> Picture:
    """`kept` of the colours is left; light, contrast and the tint of red, green and blue are `drawn`."""
    if x.shape[-1] >= 3:
        luma = (x[..., :3] @ _LUMA)[..., None]
        shown = luma + kept * (x[..., :3] - luma) + _TINT * drawn[2:]
        x = jnp.concatenate([shown, x[..., 3:]], -1)
    return x * jnp.exp(_CONTRAST * drawn[1]) + _BRIGHTER * drawn[0]
