"""Directions of other programs: InterFaceGAN's boundaries, eps696's vectors, e4e's and StyleCLIP's tensors."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from convert.pickles.allowed import Budget
from convert.warrays import Stored, stored
from stylegan_jax.errors import InputError
from stylegan_jax.storage import inputs

_FORM = "pass finite floats of shape [w_dim], [k, w_dim] or [num_ws, w_dim], in .npy, .npz or .pt"
_UNFOLDED, _SPARE = 1 << 29, 1 << 26  # bytes that packed vectors unfold by at most; that no file must account for
MOST = 10_000
"""Directions in a file."""
LARGEST = 1e6
"""Of a number in a direction and of its scale: what an edit adds is then finite in float32, and its square too."""


class Vectors(NamedTuple):
    """Names, and for each a vector `[num_ws w_dim]`, as long as in the file."""

    names: list[str]
    values: Float[np.ndarray, "k l d"]


def read(path: str | Path, *, num_ws: int, w_dim: int) -> Vectors:
    """The vectors of a file, for a model that takes `[n num_ws w_dim]`; one named after its file, several with numbers.

    `[w_dim]` and `[1, w_dim]` are one vector for all layers (InterFaceGAN, StyleCLIP), `[num_ws, w_dim]` one for each
    layer (eps696), `[k, w_dim]` and `[k, num_ws, w_dim]` several. Pickles are interpreted and never executed.

    Raises InputError for what holds no such vectors.
    """
    place = Path(path)
    try:
        inputs.require_regular_file(place)
        budget = Budget(place.stat().st_size + _UNFOLDED, spare=_SPARE)
        found = [*_found(stored(place, None, budget), place.stem, num_ws, w_dim)]
    except InputError as error:
        error.file = error.file or path
        raise
    return Vectors([name for name, _ in found], np.stack([vector for _, vector in found]))


def as_float32(values: np.ndarray) -> np.ndarray | None:
    """Numbers of a file as float32; None where one is NaN or larger than those of any direction."""
    with np.errstate(all="ignore"):
        numbers = values.astype(np.float32, copy=False)
    return numbers if not numbers.size or max(-numbers.min(), numbers.max()) <= LARGEST else None  # NaN is not <=


def _found(arrays: list[Stored], stem: str, num_ws: int, w_dim: int) -> Iterator[tuple[str, np.ndarray]]:
    left = MOST
    for array in arrays:
        vectors = _vectors(array.values, num_ws, w_dim, left)
        left -= len(vectors)
        name = stem if len(arrays) == 1 or not array.name else array.name
        for i, vector in enumerate(vectors):
            yield (name if len(vectors) == 1 else f"{name}{i}"), vector


def _vectors(values: np.ndarray, num_ws: int, w_dim: int, most: int) -> Float[np.ndarray, "k l d"]:
    shape = list(values.shape)
    fits = values.ndim in (1, 2, 3) and values.shape[-1] == w_dim and values.size
    if values.dtype.kind not in "fV" or not fits or (values.ndim == 3 and values.shape[1] not in (1, num_ws)):
        what = f"holds {values.dtype} of shape {shape}, this model's directions are [{w_dim}] or [{num_ws}, {w_dim}]"
        raise InputError(what, _FORM)
    rows = num_ws if values.shape[-2:] == (num_ws, w_dim) else 1
    if values.size > most * rows * w_dim:
        raise InputError(f"holds more than {MOST} directions", "pass a file of those that are meant")
    if (numbers := as_float32(values)) is None:
        raise InputError("holds NaN, Inf or numbers beyond a million", _FORM)
    numbers = numbers.reshape(-1, rows, w_dim)
    return np.broadcast_to(numbers, (len(numbers), num_ws, w_dim))
