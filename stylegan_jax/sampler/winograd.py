"""Modulated 3×3 convolutions for CPUs: Toom-Cook products over strips of rows that stay in the cache.

Every step of a strip is one matrix product or one pass over cached data: rows are recombined by a product with a small
matrix (which also supplies the zeros beyond the edges), columns by sums of shifted slices. Weights are shared by all
samples; a convolution costs 2.25 products per pixel instead of 9, an up-sampling one about 6 per pixel of its input.
"""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from stylegan_jax.filters import DEFAULT_FILTER, setup_filter
from stylegan_jax.networks.precision import product_precision
from stylegan_jax.networks.resampling import filter2d

Features = Float[Array, "n h w i"]
Styles = Float[Array, "n i"]
Weight = Float[Array, "k l i o"]
Finish = Callable[[Float[Array, "j rows w o"], Any, Any], Any]
"""(linear outputs of a strip, index of its group of images, its first row) → tree of [j rows …] arrays."""
UpWeights = tuple[Array, Array, Array, Array]
"""[kinds i o] each."""
TILE = 4
"""Both convolutions work on tiles of 4 pixels in width, so widths are multiples of 4."""
_FIR = np.array([1, 3, 3, 1]) / 4  # of one axis, with the gain that makes up for the inserted zeros


def toom(points: tuple[float, ...], outputs: int, taps: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Matrices (A, G, B) with A @ ((G @ w) * (B @ x)) = the correlation of x [outputs + taps - 1] with w [taps].

    One product for each point and one for infinity. Points of mixed size lose the fewest bits: those below stay within
    2e-5 of the RMS.
    """
    a, t = np.array(points), len(points) + 1
    output, weight, inputs = np.zeros((outputs, t)), np.zeros((t, taps)), np.zeros((t, t))
    output[:, :-1] = a ** np.arange(outputs)[:, None]
    output[-1, -1] = weight[-1, -1] = 1
    for i in range(t - 1):
        others = np.delete(a, i)
        weight[i] = a[i] ** np.arange(taps) / np.prod(a[i] - others)
        inputs[i, :-1] = np.poly(others)[::-1]
    inputs[-1] = np.poly(a)[::-1]
    return output, weight, inputs


_SAME = toom((0, 0.625, -0.625, 1.5, -1.5), TILE, 3)
_ROWS = toom((0, 1, -1), 3, 2)  # 8 rows have 9 even ones between and around them: three tiles, none in vain
_COLUMNS = toom((0, 1, -1, 0.5), TILE, 2)  # columns come in whole tiles


def prepare_same(weight: Weight) -> Float[Array, "36 i o"]:
    """Weights of `convolve`, linear in `weight`."""
    return _transformed(weight, _SAME[1], _SAME[1])


def prepare_up(weight: Weight) -> UpWeights:
    """Weights of `upsample`, linear in `weight`: odd columns of odd and even rows, even columns of odd and even rows.

    Apart, for a slice of an array is copied each time it is used.
    """
    columns, rows = _odd_and_even(_COLUMNS[1]), _odd_and_even(_ROWS[1])
    parts = itertools.product((columns[:1], columns[1:]), (rows[:1], rows[1:]))
    odd_odd, odd_even, even_odd, even_even = (_transformed(weight, c, r, columns_first=True) for c, r in parts)
    return odd_odd, odd_even, even_odd, even_even


def _odd_and_even(g: np.ndarray) -> np.ndarray:
    """Odd outputs of a transposed convolution are tap 1; even ones correlate taps (2, 0)."""
    return np.concatenate([[[0, 1, 0]], np.stack([g[:, 1], 0 * g[:, 0], g[:, 0]], 1)])


def _transformed(weight: Array, outer: np.ndarray, inner: np.ndarray, *, columns_first: bool = False) -> Array:
    both = np.einsum("al,bk->abkl" if columns_first else "ak,bl->abkl", outer, inner)
    return _dot(jnp.asarray(both.reshape(-1, 9), weight.dtype), weight.reshape(9, -1)).reshape(-1, *weight.shape[2:])


@dataclass(frozen=True)
class _Strips:
    """How `n` images of `h` rows are divided: groups of whole images, or strips of one image."""

    n: int
    h: int
    group: int
    rows: int

    @classmethod
    def of(cls, n: int, h: int, rows: int, pixels: int) -> "_Strips":
        """Strips of `rows`; where they hold whole images, as many images together as `pixels` allow."""
        if rows < h:
            return cls(n, h, 1, rows)
        fitting = max(1, pixels // h**2)
        return cls(n, h, math.gcd(n, 1 << fitting.bit_length() - 1), h)  # groups of one size: a power of 2 divides n

    @property
    def per_image(self) -> int:
        return self.h // self.rows

    def map(self, body: Callable[[Any, Any], Any]) -> Any:
        """`body(group, strip)` → tree of [j rows …], assembled to [n height …]."""
        count = self.n // self.group * self.per_image
        if count == 1:
            return body(0, 0)
        parts = lax.map(lambda k: body(k // self.per_image, k % self.per_image), jnp.arange(count))
        return jax.tree.map(lambda a: a.reshape(self.n, self.per_image * a.shape[2], *a.shape[3:]), parts)

    def window(self, x: Features, styles: Styles, group: Any, strip: Any) -> tuple[Float[Array, "k j w i"], Array]:
        """A strip's rows with one more on either side, modulated, and which strip it is: first, inner or last."""
        height = min(self.rows + 2, self.h)
        start = jnp.clip(self.rows * strip - 1, 0, self.h - height)
        part = lax.dynamic_slice(x, (group * self.group, start, 0, 0), (self.group, height, *x.shape[2:]))
        part = part * lax.dynamic_slice(styles, (group * self.group, 0), (self.group, x.shape[3]))[:, None, None]
        case = jnp.where(strip == 0, 0, jnp.where(strip == self.per_image - 1, 2, 1)) if self.per_image > 1 else 0
        return part.transpose(1, 0, 2, 3), jnp.asarray(case)

    def bands(self, rows: Callable[[int], list[dict[int, float]]]) -> np.ndarray:
        """Matrices that recombine the rows of the first, an inner and the last window.

        `rows(first)` lists, for a strip that begins at row `first`, which rows of the image make each result.
        """
        height, found = min(self.rows + 2, self.h), []
        for strip in (0, 1, self.per_image - 1) if self.per_image > 1 else (0,):
            start = min(max(self.rows * strip - 1, 0), self.h - height)
            wanted = rows(self.rows * strip)
            band = np.zeros((len(wanted), height), np.float32)
            for i, row in enumerate(wanted):
                for at, value in row.items():
                    if 0 <= at < self.h:
                        band[i, at - start] += value
            found.append(band)
        return np.stack(found)


def _dot(a: Array, b: Array) -> Array:
    return lax.dot_general(a, b, (((a.ndim - 1,), (0,)), ((), ())), precision=product_precision())


def _batched(a: Float[Array, "b m k"], b: Float[Array, "b k n"]) -> Float[Array, "b m n"]:
    return lax.dot_general(a, b, (((2,), (1,)), ((0,), (0,))), precision=product_precision())


def _sum(terms: list[tuple[np.ndarray, Array]], shape: tuple[int, ...]) -> Array:
    """Σ coefficients · array; the coefficients, as data of one axis, spare XLA a branch for every element."""
    parts = [array * jnp.asarray(c.reshape(shape), array.dtype) for c, array in terms if c.any()]
    return sum(parts[1:], parts[0])


def _padded(x: Array, left: int, right: int) -> Array:
    """Zero columns on both sides: a concatenation compiles to three loops, padding to a branch for every element."""
    zeros = [jnp.zeros((*x.shape[:2], k, x.shape[3]), x.dtype) for k in (left, right)]
    return jnp.concatenate([zeros[0], x, zeros[1]], 2)


def convolve(x: Features, weight: Float[Array, "36 i o"], styles: Styles, finish: Finish) -> Any:
    """`finish` of the 3×3 correlation of x·styles, by Winograd's F(4×4, 3×3)."""
    n, h, w, c = x.shape
    output, _, inputs = _SAME
    # About 2048 pixels of all channels stay in the cache; wide images have few channels, so that more do.
    strips = _Strips.of(n, h, min(h, max(TILE, 2048 // w, w // 32)), 2048)
    j, tiles, across = strips.group, strips.rows // TILE, w // TILE
    bands = jnp.asarray(
        strips.bands(lambda r: [_taps(inputs[a], r - 1 + TILE * s) for a in range(6) for s in range(tiles)])
    )
    inverse = jnp.asarray(np.einsum("ia,jb->ijab", output, output).reshape(16, 36), x.dtype)

    def body(group: Any, strip: Any) -> Any:
        rows, case = strips.window(x, styles, group, strip)
        u = _dot(bands[case], _padded(rows, 1, 3).reshape(rows.shape[0], -1))  # one tile more: the last reads beyond it
        u = u.reshape(6, 1, tiles, j, across + 1, TILE, c)
        columns = [u[..., :-1, q, :] if q < TILE else u[..., 1:, q - TILE, :] for q in range(6)]
        v = _sum([(inputs[:, q], column) for q, column in enumerate(columns)], (1, 6, 1, 1, 1, 1))
        y = _dot(inverse, _batched(v.reshape(36, -1, c), weight).reshape(36, -1))
        y = y.reshape(TILE, TILE, tiles, j, across, -1).transpose(3, 2, 0, 4, 1, 5)
        return finish(y.reshape(j, strips.rows, w, -1), group * j, strip * strips.rows)

    return strips.map(body)


def _taps(values: np.ndarray, first: int) -> dict[int, float]:
    return {first + i: value for i, value in enumerate(values)}


def upsample(x: Features, weight: UpWeights, styles: Styles, finish: Finish) -> Any:
    """`finish` of the transposed convolution (stride 2) of x·styles, filtered with [1, 3, 3, 1].

    Before the filter, odd rows and columns are one product, even ones correlations with two taps.
    """
    n, h, w, c = x.shape
    strips = _Strips.of(n, h, h if h <= 32 else 8, 1024)  # half of `convolve`'s pixels: the result has four times them
    j, odd, across, height = strips.group, strips.rows + 2, w // TILE, 2 * strips.rows
    tall, wide, o = len(_ROWS[2]), len(_COLUMNS[2]), weight[0].shape[-1]
    bands, out_rows = jnp.asarray(strips.bands(lambda r: _row_kinds(r, strips.rows))), _rows_out(strips.rows)
    of_odd, of_even = (jnp.asarray(part, x.dtype) for part in (out_rows[:, :odd], out_rows[:, odd:]))

    def rows_out(u: Array, of_plain: Array, of_kinds: Array) -> Array:
        """Columns of some kinds, all rows of inputs → their products as rows of the result: [kinds, …·o]."""
        kinds = u.shape[0]
        a = _batched(u[:, :odd].reshape(kinds, -1, c), of_plain).reshape(kinds, odd, -1)
        b = _batched(u[:, odd:].reshape(kinds * tall, -1, c), of_kinds).reshape(kinds, out_rows.shape[1] - odd, -1)
        # The same matrix for every kind: a batched product leaves kinds first, and nothing is transposed.
        a, b = (_batched(jnp.broadcast_to(m, (kinds, *m.shape)), rows) for m, rows in ((of_odd, a), (of_even, b)))
        return (a + b).reshape(kinds, -1)

    def body(group: Any, strip: Any) -> Any:
        rows, case = strips.window(x, styles, group, strip)
        u = _dot(bands[case], _padded(rows, TILE, TILE).reshape(rows.shape[0], -1))
        tiles = u.reshape(-1, j, across + 2, TILE, c)
        columns = [tiles[:, :, :-1, 3] if q == 0 else tiles[:, :, 1:, q - 1] for q in range(wide)]
        v = _sum([(_COLUMNS[2][:, q], column[None]) for q, column in enumerate(columns)], (wide, 1, 1, 1, 1))
        every = u.reshape(1, -1, j, w + 2 * TILE, c)[:, :, :, TILE - 1 : 1 - TILE]  # one more column on either side
        odd_columns = rows_out(every, *weight[:2]).reshape(height, j, w + 2, o)
        even_columns = _dot(jnp.asarray(_EVEN_COLUMNS_OUT, x.dtype), rows_out(v, *weight[2:]))
        y = _columns_out(odd_columns, even_columns.reshape(-1, height, j, across + 1, o))
        return finish(y.transpose(1, 0, 2, 3), group * j, strip * height)

    return strips.map(body)


def prepare_taps(weight: Weight) -> Float[Array, "i o9"]:
    """Weights of `upsample_small`: those of all taps side by side, linear in `weight`."""
    return weight.transpose(2, 0, 1, 3).reshape(weight.shape[2], -1)


def upsample_small(x: Features, weight: Float[Array, "i o9"], styles: Styles, finish: Finish) -> Any:
    """`upsample` of small images: one product yields all taps; its weights are a third of the others to read."""
    n, h, w, c = x.shape
    taps = _dot((x * styles[:, None, None]).reshape(-1, c), weight).reshape(n, h, w, 3, 3, -1)
    y = _transposed(_transposed(taps, 1), 2)
    return finish(filter2d(y, setup_filter(DEFAULT_FILTER), padding=(-1, 0, -1, 0), gain=4), 0, 0)


def _transposed(taps: Array, axis: int) -> Array:
    """Products with the three taps of one axis (along axis 3) → their transposed convolution, stride 2."""
    first, middle, last = (lax.index_in_dim(taps, k, 3, keepdims=False) for k in range(3))
    size, shape = 2 * first.shape[axis] + 1, first.shape

    def padded(a: Array, before: int) -> Array:
        return jnp.pad(a, [(before, 1 - before) if i == axis else (0, 0) for i in range(a.ndim)])

    both = jnp.stack([padded(last, 1) + padded(first, 0), padded(middle, 0)], axis + 1)
    return lax.slice_in_dim(both.reshape(*shape[:axis], size + 1, *shape[axis + 1 :]), 0, size, 1, axis)


def _row_kinds(first: int, rows: int) -> list[dict[int, float]]:
    """Inputs of the products of a strip: plain rows (odd outputs), then each kind of even product."""
    _, _, inputs = _ROWS
    tiles = -(-(rows + 1) // 3)
    last = first + rows  # what lies beyond only feeds outputs that are not wanted
    even = [_taps(inputs[a], first - 1 + 3 * u) for a in range(len(inputs)) for u in range(tiles)]
    even = [{at: value for at, value in row.items() if at <= last} for row in even]
    return [{first - 1 + i: 1.0} for i in range(rows + 2)] + even


def _rows_out(rows: int) -> Float[np.ndarray, "rows2 p"]:
    """Products of `_row_kinds` → filtered rows."""
    output, kinds, tiles = _ROWS[0], len(_ROWS[2]), -(-(rows + 1) // 3)
    unfiltered = np.zeros((2 * rows + 3, rows + 2 + kinds * tiles))
    unfiltered[np.arange(rows + 2) * 2, np.arange(rows + 2)] = 1
    for i in range(rows + 1):
        unfiltered[2 * i + 1, rows + 2 + np.arange(kinds) * tiles + i // 3] = output[i % 3]
    return np.sum([tap * unfiltered[k : k + 2 * rows] for k, tap in enumerate(_FIR)], 0)


def _even_columns_out() -> Float[np.ndarray, "9 p"]:
    """Products of a tile's even columns → what they add to its 8 filtered columns, and its first even column."""
    even = np.concatenate([_COLUMNS[0], 0 * _COLUMNS[0][:1]])
    added = [_FIR[1 - phase] * even[m] + _FIR[3 - phase] * even[m + 1] for m in range(TILE) for phase in (0, 1)]
    return np.array([*added, even[0]])


_EVEN_COLUMNS_OUT = _even_columns_out()


def _columns_out(odd: Float[Array, "h j w2 o"], even: Float[Array, "k h j w1 o"]) -> Float[Array, "h j w3 o"]:
    """Odd columns (one more on either side) and what the even ones add → filtered columns.

    Column 2m takes f₀, f₂ of odd columns m - 1 and m, column 2m + 1 f₁, f₃ of m and m + 1; the last two of a tile also
    take f₃, f₂ of the next tile's first even column.
    """
    h, j, w, o = odd.shape[0], odd.shape[1], odd.shape[2] - 2, odd.shape[3]
    shape = (h, j, w // TILE, TILE, -1, o)
    own, first = even[:-1, :, :, :-1], even[-1, :, :, 1:]
    last = np.zeros((TILE, 2))
    last[-1] = _FIR[[3, 2]]
    y = own.transpose(1, 2, 3, 0, 4).reshape(*shape)
    y = y + first[:, :, :, None, None] * jnp.asarray(last[..., None], y.dtype)
    taps = np.array([[_FIR[0], 0], [_FIR[2], _FIR[1]], [0, _FIR[3]]])
    y = y + _sum([(taps[k], odd[:, :, k : k + w].reshape(*shape)) for k in range(3)], (2, 1))
    return y.reshape(h, j, 2 * w, o)
