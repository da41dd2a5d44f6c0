"""Files of directions: our `.npz` with vectors, scales, layers, names and a card, and what other programs write."""

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

import convert.directions
from stylegan_jax.editing.directions import Directions
from stylegan_jax.errors import InputError
from stylegan_jax.storage import arrays, atomic, inputs, schema

KEY = "directions"
"""The array that tells a file of directions from one of ws."""
_MOST_MEMBERS, _MOST = 16, 10_000
MEASURED = ("explained", "eigenvalues")
"""Fields of a card with a number for each direction."""
_CARD = schema.Table(dict.fromkeys(MEASURED, schema.ListOf(schema.Number(), _MOST)), others=schema.Anything())


def write(path: str | Path, directions: Directions, *, overwrite: bool = False) -> None:
    """Writes directions, whole or not at all; InputError if the file exists (unless `overwrite`)."""
    parts: dict[str, Any] = {
        KEY: directions.vectors,
        "scales": directions.scales,
        "layers": directions.layers,
        "names": np.array(directions.names),
        "card": np.array(json.dumps(directions.card)),
    }
    with atomic.new_file(path, overwrite=overwrite) as file:
        np.savez_compressed(file, **parts)


def read(path: str | Path, *, num_ws: int, w_dim: int) -> Directions:
    """The directions of a file, for a model that takes `[n num_ws w_dim]`; those of other programs have scale 1.

    Raises InputError for what holds none, is damaged, or holds directions of another shape.
    """
    inputs.require_regular_file(path)
    if is_ours(path):
        return _read(path, num_ws, w_dim)
    found = convert.directions.read(path, num_ws=num_ws, w_dim=w_dim)
    count = len(found.names)
    return Directions(tuple(found.names), found.values, np.ones(count, np.float32), np.ones((count, num_ws), bool))


def is_ours(path: str | Path) -> bool:
    """Whether a file looks like one that `write` made."""
    try:
        with inputs.open_regular(path) as file, _opened(file) as archive:
            return KEY in arrays.members(archive)
    except Exception:  # zipfile raises all kinds
        return False


def _read(path: str | Path, num_ws: int, w_dim: int) -> Directions:
    """Those that `write` wrote."""
    try:
        with inputs.open_regular(path) as file, _opened(file) as archive:
            budget = inputs.Budget(os.fstat(file.fileno()).st_size)
            found = {name: arrays.read(archive, entry, budget) for name, entry in arrays.members(archive).items()}
            card = inputs.parsed(str(found["card"]).encode(), budget)
        return _checked(found, card, num_ws, w_dim)
    except InputError as error:
        error.file = error.file or path
        raise
    except Exception as error:  # numpy, zipfile and json raise all kinds
        raise InputError("is no whole file of directions", "find them again", file=path) from error


def _opened(file: Any) -> zipfile.ZipFile:
    return inputs.open_zip(file, inputs.Budget(os.fstat(file.fileno()).st_size), most=_MOST_MEMBERS)


def _checked(found: dict[str, np.ndarray], card: Any, num_ws: int, w_dim: int) -> Directions:
    vectors, scales, layers = found[KEY], found["scales"], found["layers"]
    names = tuple(map(str, found["names"]))
    count = len(names)
    if vectors.shape[1:] != (num_ws, w_dim):
        what = f"holds directions of shape {list(vectors.shape)}, this model takes [k, {num_ws}, {w_dim}]"
        raise InputError(what, "use the model they were found in, or a blend of it")
    whole = (
        vectors.shape[0] == count == len(set(names)) and scales.shape == (count,) and layers.shape == (count, num_ws)
    )
    kinds = (vectors.dtype.kind, scales.dtype.kind, layers.dtype.kind)
    finite = kinds == ("f", "f", "b") and np.isfinite(vectors).all() and np.isfinite(scales).all()
    if not schema.faults(card, _CARD):
        whole = whole and all(len(card[key]) == count for key in MEASURED if card.get(key) is not None)
    if not (whole and finite) or count > _MOST or schema.faults(card, _CARD):
        raise InputError("is no whole file of directions", "find them again")
    return Directions(names, vectors.astype(np.float32), scales.astype(np.float32), layers, card)
