"""Homogeneous matrices of the plane and of RGB space, one per sample."""

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

Plane = Float[Array, "n 3 3"]
Space = Float[Array, "n 4 4"]

_GREY = np.array([1, 1, 1, 0], np.float32) / np.sqrt(np.float32(3))
_GREY_PROJECTION = np.outer(_GREY, _GREY)  # onto the axis from black to white
_CROSS_GREY = np.array([[0, -1, 1, 0], [1, 0, -1, 0], [-1, 1, 0, 0], [0] * 4], np.float32) / np.sqrt(np.float32(3))
_RGB = np.diag(np.array([1, 1, 1, 0], np.float32))
_IDENTITY = np.eye(4, dtype=np.float32)


def _matrix(*rows: tuple[ArrayLike, ...]) -> Array:
    entries = jnp.broadcast_arrays(*(jnp.asarray(entry, jnp.float32) for row in rows for entry in row))
    return jnp.stack(entries, -1).reshape(*entries[0].shape, len(rows), len(rows))


def shift2d(x: Float[Array, " n"], y: Float[Array, " n"]) -> Plane:
    """(x, y) added."""
    return _matrix((1, 0, x), (0, 1, y), (0, 0, 1))


def scale2d(x: Float[Array, " n"], y: Float[Array, " n"] | float) -> Plane:
    """Each axis multiplied."""
    return _matrix((x, 0, 0), (0, y, 0), (0, 0, 1))


def rotate2d(angle: Float[Array, " n"]) -> Plane:
    """From x towards y by `angle` radians."""
    c, s = jnp.cos(angle), jnp.sin(angle)
    return _matrix((c, -s, 0), (s, c, 0), (0, 0, 1))


def brighten(by: Float[Array, " n"]) -> Space:
    """Adds to every channel."""
    return _matrix((1, 0, 0, by), (0, 1, 0, by), (0, 0, 1, by), (0, 0, 0, 1))


def intensify(by: Float[Array, " n"]) -> Space:
    """Multiplies every channel."""
    return _matrix((by, 0, 0, 0), (0, by, 0, 0), (0, 0, by, 0), (0, 0, 0, 1))


def mirror_luma(happens: Float[Array, " n"]) -> Space:
    """Where `happens` is 1, reflects colours at the plane of zero luma: dark becomes light, hues stay."""
    return happens[:, None, None] * (-2 * _GREY_PROJECTION) + _IDENTITY


def rotate_hue(angle: Float[Array, " n"]) -> Space:
    """Turns colours around the grey axis by `angle` radians (Rodrigues)."""
    c, s = jnp.cos(angle)[:, None, None], jnp.sin(angle)[:, None, None]
    return c * (_RGB - _GREY_PROJECTION) + s * _CROSS_GREY + (_GREY_PROJECTION + _IDENTITY - _RGB)


def saturate(by: Float[Array, " n"]) -> Space:
    """Multiplies the distance from the grey axis. As in the official program the last diagonal entry is `by` too."""
    return by[:, None, None] * (_IDENTITY - _GREY_PROJECTION) + _GREY_PROJECTION
