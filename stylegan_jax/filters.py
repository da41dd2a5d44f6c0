"""FIR filters: their taps as configurations hold them, and the normalised arrays that files store and networks use."""

from collections.abc import Sequence
from typing import Any

import numpy as np

Filter = tuple[float, ...] | tuple[tuple[float, ...], ...]
"""Taps of one axis, or rows of a two-dimensional filter; not normalised."""
DEFAULT_FILTER: tuple[float, ...] = (1, 3, 3, 1)
_SEPARABLE = 8  # taps from which the official programs filter one axis after the other
_MOST_TAPS = 4096
_LARGEST_TAP = 1e30


def setup_filter(
    taps: Filter | Sequence | np.ndarray | None,
    *,
    normalize: bool = True,
    flip_filter: bool = False,
    gain: float = 1,
    separable: bool | None = None,
) -> np.ndarray:
    """FIR taps → float32 filter, `[k]` if separable (default: from 8 taps on), else the outer product `[k k]`.

    Normalised to a sum of 1 it is what a `resample_filter` holds; None is the identity.
    """
    f = np.asarray([1.0] if taps is None else taps, np.float64)
    if f.ndim == 1 and not (f.size >= _SEPARABLE if separable is None else separable):
        f = np.outer(f, f)
    f = f / (f.sum() or 1) if normalize else f  # one without a sum stays as it is
    f = np.flip(f) if flip_filter else f
    return (f * gain ** (f.ndim / 2)).astype(np.float32)


def filter_shape(taps: Filter) -> tuple[int, ...]:
    """Shape of `setup_filter(taps)`."""
    if isinstance(taps[0], tuple):
        return len(taps), len(taps[0])
    return (len(taps),) if len(taps) >= _SEPARABLE else (len(taps),) * 2


def taps_of(buffer: np.ndarray | None) -> Filter | None:
    """The taps whose normalised outer product is `buffer`; the smallest becomes 1. None if there are none."""
    if buffer is None or buffer.ndim not in (1, 2) or not 0 < buffer.size <= _MOST_TAPS:
        return None
    taps = buffer.astype(np.float64) if buffer.ndim == 1 else buffer.sum(axis=1, dtype=np.float64)
    least = np.abs(taps).min()
    if least > 0:
        scaled = taps / least
        taps = np.rint(scaled) if np.allclose(scaled, np.rint(scaled), atol=1e-4) else scaled
    return _usual(tuple(float(tap) for tap in taps))


def taps_from(value: Any) -> Filter | None:
    """Taps that a file lists, in lists or tuples, as a configuration holds them; None if they are no filter."""
    if not _is_list(value):
        return None
    rows = value if _is_list(value[0]) else [value]
    taps = [tap for row in rows if _is_list(row) for tap in row]
    regular = all(_is_list(row) and len(row) == len(rows[0]) for row in rows) and len(taps) <= _MOST_TAPS
    if not regular or not all(type(tap) in (int, float) and abs(tap) < _LARGEST_TAP for tap in taps) or not sum(taps):
        return None
    found = tuple(tuple(map(float, row)) for row in rows)
    return _usual(found[0]) if rows[0] is not value[0] else found


def as_lists(taps: Filter) -> list[Any]:
    """Taps as the official programs take them; `taps_from` is the way back."""
    return [list(row) if isinstance(row, tuple) else row for row in taps]


def _usual(taps: tuple[float, ...]) -> tuple[float, ...]:
    return DEFAULT_FILTER if taps == DEFAULT_FILTER else taps


def _is_list(value: Any) -> bool:
    return type(value) in (list, tuple) and 0 < len(value) <= _MOST_TAPS
