"""FIR resampling of images on NHWC arrays: `upfirdn2d`, and up- and down-sampling that keep pixels in place."""

import math
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from stylegan_jax.networks.precision import widen

Taps = np.ndarray | None
Ints = int | Sequence[int]
"""One number for both axes or (x, y); padding also (x0, x1, y0, y1)."""
Images = Float[Array, "n h w c"]
NewImages = Float[Array, "n h2 w2 c"]


def upfirdn2d(
    x: Images, f: Taps, *, up: Ints = 1, down: Ints = 1, padding: Ints = 0, flip_filter: bool = False, gain: float = 1
) -> NewImages:
    """Inserts `up - 1` zeros after each pixel, pads (or crops), convolves with `f`, keeps every `down`-th pixel.

    Args:
      f: `[k]` (separable) or `[kh kw]`, a concrete array; None is the identity. True convolution unless `flip_filter`.
      padding: in pixels of the up-sampled image; negative crops.
    """
    upx, _, upy, _ = per_side(up)
    downx, _, downy, _ = per_side(down)
    x0, x1, y0, y1 = per_side(padding)
    f, terms = np.ones((1, 1)) if f is None else np.asarray(f, np.float64), []
    for column, row in zip(*_separate(f if flip_filter else np.flip(f)), strict=True):
        columns = _fir(x, column * math.sqrt(gain), axis=1, up=upy, down=downy, before=y0, after=y1)
        terms.append(_fir(columns, row * math.sqrt(gain), axis=2, up=upx, down=downx, before=x0, after=x1))
    return sum(terms[1:], terms[0]).astype(x.dtype)


def per_side(value: Ints) -> tuple[int, int, int, int]:
    """(x0, x1, y0, y1)."""
    if isinstance(value, int):
        return value, value, value, value
    x0, x1, y0, y1 = value if len(value) == 4 else (value[0], value[0], value[1], value[1])
    return x0, x1, y0, y1


def _separate(f: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Filters (columns, rows) whose outer products add up to `f`: one pair where `f` has rank 1."""
    if f.ndim == 1:
        return f[None], f[None]
    pivot = f[np.unravel_index(np.argmax(np.abs(f)), f.shape)]
    column, row = f[:, np.argmax(np.abs(f).max(0))], f[np.argmax(np.abs(f).max(1))]
    if pivot != 0 and np.allclose(np.outer(column, row) / pivot, f, rtol=1e-6, atol=0):
        scale = math.sqrt(abs(pivot))  # keeps the two factors of one size, so that neither over- nor underflows
        return column[None] / scale * np.sign(pivot), row[None] / scale
    return np.eye(len(f)), f  # row by row


def _fir(x: Array, f: np.ndarray, *, axis: int, up: int, down: int, before: int, after: int) -> Array:
    """`upfirdn2d` along one axis as a sum of shifted slices, phase by phase, so that no inserted zero is ever read."""
    size, taps = x.shape[axis], len(f)
    total = (size * up + before + after - taps) // down + 1
    phases, stride = up // math.gcd(up, down), down // math.gcd(up, down)
    steps = -(-total // phases)
    # Output phases·q + r reads tap k from input stride·q + (r·down + k - before) / up, where that is whole.
    reads = [
        [((r * down + k - before) // up, f[k]) for k in range(taps) if (r * down + k - before) % up == 0 and f[k] != 0]
        for r in range(phases)
    ]
    offsets = [offset for phase in reads for offset, _ in phase] or [0]
    low = max(0, -min(offsets))
    span = stride * (steps - 1) + 1
    high = max(0, max(offsets) + span - size)
    x = lax.pad(x, jnp.zeros((), x.dtype), [(low, high, 0) if a == axis else (0, 0, 0) for a in range(x.ndim)])
    untouched = widen(jnp.zeros((*x.shape[:axis], steps, *x.shape[axis + 1 :]), x.dtype))

    def phase(entries: list[tuple[int, float]]) -> Array:
        slices = ((widen(lax.slice_in_dim(x, low + at, low + at + span, stride, axis)), tap) for at, tap in entries)
        return sum((pixels * np.asarray(tap, pixels.dtype) for pixels, tap in slices), untouched)

    joined = jnp.stack([phase(entries) for entries in reads], axis + 1)
    joined = joined.reshape(*x.shape[:axis], steps * phases, *x.shape[axis + 1 :])
    return lax.slice_in_dim(joined, 0, total, 1, axis)


def aligned(padding: Ints, f: Taps, *, up: int = 0, down: int = 0) -> tuple[int, int, int, int]:
    """`padding` plus what keeps an image in place when `f` takes it `up` and `down`; 0 leaves a step out."""
    sides = list(per_side(padding))
    for axis, n in enumerate((1, 1) if f is None else (f.shape[-1], f.shape[0])):
        sides[2 * axis] += ((n + up - 1) // 2 if up else 0) + ((n - down + 1) // 2 if down else 0)
        sides[2 * axis + 1] += ((n - up) // 2 if up else 0) + ((n - down) // 2 if down else 0)
    return per_side(sides)


def upsample2d(
    x: Images, f: Taps, *, up: int = 2, padding: Ints = 0, flip_filter: bool = False, gain: float = 1
) -> NewImages:
    """Up-samples by `up`; output pixel 0 is aligned with input pixel 0 as in the official programs."""
    return upfirdn2d(x, f, up=up, padding=aligned(padding, f, up=up), flip_filter=flip_filter, gain=gain * up**2)


def downsample2d(
    x: Images, f: Taps, *, down: int = 2, padding: Ints = 0, flip_filter: bool = False, gain: float = 1
) -> NewImages:
    """Filters and keeps every `down`-th pixel."""
    return upfirdn2d(x, f, down=down, padding=aligned(padding, f, down=down), flip_filter=flip_filter, gain=gain)


def filter2d(x: Images, f: Taps, *, padding: Ints = 0, flip_filter: bool = False, gain: float = 1) -> NewImages:
    """Filters without changing the size (at padding 0)."""
    return upfirdn2d(x, f, padding=aligned(padding, f, up=1), flip_filter=flip_filter, gain=gain)
