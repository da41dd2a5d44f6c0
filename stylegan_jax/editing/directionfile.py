"""Files of directions: our `.npz` with vectors, scales, layers, names and a card, and what other programs write."""

import json
import os
import zipfile
from pathlib import Path
from typing import Any, Literal

import numpy as np

import convert.directions
from stylegan_jax.config import GeneratorConfig
from stylegan_jax.editing.directions import SPACES, Directions, Space
from stylegan_jax.errors import InputError
from stylegan_jax.sampler import stylespace
from stylegan_jax.storage import arrays, atomic, inputs, schema

_AGAIN = "find them again"
KEY = "directions"
"""The array that tells a file of directions from one of ws."""
_OF_WS = {"w", "made_by"}  # the arrays of files that project, encode and sample --save-w write
_MOST_MEMBERS, _MOST = 16, convert.directions.MOST
MEASURED = ("explained", "eigenvalues", "inside", "outside", "theta")
"""Fields of a card with a number for each direction."""
_NUMBERS = dict.fromkeys(MEASURED, schema.ListOf(schema.Number(), _MOST))
_CARD = schema.Table({**_NUMBERS, "space": schema.Text(10)}, others=schema.Anything())


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


def read(path: str | Path, config: GeneratorConfig, space: Literal["w", "z"] = "w") -> Directions:
    """The directions of a file, for such a model; those of other programs have scale 1.

    Args:
      path: the file.
      config: of the model.
      space: where directions of another program are, which does not say; ours do.

    Raises InputError for what holds none, is damaged, or holds directions of another shape.
    """
    inputs.require_regular_file(path)
    arrays_there = _names(path)
    if KEY in arrays_there:
        return _read(path, config)
    if arrays_there >= _OF_WS:
        raise InputError("holds ws, not directions", "pass two such files as --from-latents", file=path)
    layers, width = shape_of(config, space)
    found = convert.directions.read(path, num_ws=layers, w_dim=width)
    count = len(found.names)
    everywhere, card = np.ones((count, layers), bool), {} if space == "w" else {"space": space}
    return Directions(tuple(found.names), found.values, np.ones(count, np.float32), everywhere, card)


def shape_of(config: GeneratorConfig, space: Space) -> tuple[int, int]:
    """Layers and width of a direction in a space of a model."""
    shapes = {"w": (config.num_ws, config.w_dim), "z": (1, config.z_dim)}
    return shapes.get(space) or (1, stylespace.count(config))


def is_ours(path: str | Path) -> bool:
    """Whether a file looks like one that `write` made."""
    return KEY in _names(path)


def _names(path: str | Path) -> set[str]:
    """Of the arrays in a file; none where it is no archive."""
    try:
        with inputs.open_regular(path) as file, _opened(file) as archive:
            return set(arrays.members(archive))
    except Exception:  # zipfile raises all kinds
        return set()


def _read(path: str | Path, config: GeneratorConfig) -> Directions:
    """Those that `write` wrote."""
    try:
        with inputs.open_regular(path) as file, _opened(file) as archive:
            budget = inputs.Budget(os.fstat(file.fileno()).st_size)
            found = {name: arrays.read(archive, entry, budget) for name, entry in arrays.members(archive).items()}
            card = inputs.parsed(str(found["card"]).encode(), budget)
        return _checked(found, card, config)
    except InputError as error:
        error.file = error.file or path
        raise
    except Exception as error:  # numpy, zipfile and json raise all kinds
        raise InputError("is no whole file of directions", _AGAIN, file=path) from error


def _opened(file: Any) -> zipfile.ZipFile:
    return inputs.open_zip(file, inputs.Budget(os.fstat(file.fileno()).st_size), most=_MOST_MEMBERS)


def _checked(found: dict[str, np.ndarray], card: Any, config: GeneratorConfig) -> Directions:
    vectors, scales, layers = found[KEY], found["scales"], found["layers"]
    names = tuple(map(str, found["names"]))
    count = len(names)
    if schema.faults(card, _CARD) or card.get("space", "w") not in SPACES:
        raise InputError("is no whole file of directions", _AGAIN)
    of_one = shape_of(config, card.get("space", "w"))
    if vectors.shape[1:] != of_one:
        what = f"holds directions of shape {list(vectors.shape)}, this model takes [k, {of_one[0]}, {of_one[1]}]"
        raise InputError(what, "use the model they were found in, or a blend of it")
    whole = vectors.shape[0] == count == len(set(names)) and scales.shape == (count,)
    whole = whole and layers.shape == (count, of_one[0])
    kinds = (vectors.dtype.kind, scales.dtype.kind, layers.dtype.kind)
    whole = whole and kinds == ("f", "f", "b") and count <= _MOST
    measured = all(len(card[key]) == count for key in MEASURED if card.get(key) is not None)
    long, lengths = (convert.directions.as_float32(each) if whole else None for each in (vectors, scales))
    if not measured or long is None or lengths is None:
        raise InputError("is no whole file of directions", _AGAIN)
    return Directions(names, long, lengths, layers, card)
