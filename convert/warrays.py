"""The arrays of a file that may hold ws, as they are stored, with the names they have there."""

import mmap
import re
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np

from convert.pickles import unpickle
from convert.pickles.allowed import Budget
from stylegan_jax.errors import InputError, shown
from stylegan_jax.storage import arrays, inputs

NAMED = re.compile(r".+\.(png|jpe?g|webp|bmp|tiff?|jfif|gif|npy|npz|pt|pth)", re.IGNORECASE)
_FORM = "pass floats of shape [n, w_dim] or [n, num_ws, w_dim], in .npy, .npz or .pt"
_USUAL = ("w", "ws", "latent", "latents")
_OF_DIRECTIONS = {"directions", "scales", "layers", "card"}  # the arrays of interp.edit's files
_MOST_LISTED = 12
_MOST_ENTRIES, _MOST_ARRAYS = 10_000, 1_000
_FLOATS = "fV"  # V: bfloat16


@dataclass(frozen=True, eq=False)
class Stored:
    """One array; `name` is that of its image, `names` those of its rows' images, where the file tells."""

    values: np.ndarray
    name: str | None = None
    names: tuple[str, ...] = ()


def stored(path: Path, name: str | None, budget: Budget) -> list[Stored]:
    """The arrays of a file: the one called `name`, else those that there is no choice about.

    What is unpacked is paid from the budget before. InputError for other files.
    """
    if path.is_dir():
        return _of_tree(unpickle.load_folder(path, budget), name)
    with inputs.open_regular(path) as file, warnings.catch_warnings(action="ignore"):  # numpy's, of headers by Python 2
        start = file.read(8)
        if start.startswith(b"\x93NUMPY"):
            return [Stored(_npy(path))]
        if start.startswith(b"PK\3\4"):
            with _opened(file, budget) as archive:
                if members := _npz_members(archive):
                    chosen = _choose(archive, members, name, path)
                    return [Stored(_member(archive, chosen, budget), names=_names(archive, members, budget))]
        if not start.startswith((b"PK\3\4", b"\x80")):
            raise InputError("is no file of ws", _FORM)
        data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        return _of_tree(unpickle.load(data, file if start.startswith(b"PK") else None, budget), name)


def _npy(path: Path) -> np.ndarray:
    try:
        with np.errstate(all="raise"):  # numpy multiplies the sides of its header, and prints where they overflow
            return np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # numpy raises half a dozen kinds
        raise InputError("is no file of ws", _FORM) from error


def _opened(file: BufferedReader, budget: Budget) -> zipfile.ZipFile:
    try:
        return inputs.open_zip(file, budget, most=_MOST_ENTRIES)
    except InputError:
        raise
    except Exception as error:  # zipfile raises all kinds
        raise InputError("is a damaged zip archive", "export it again") from error


def _npz_members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The arrays of a NumPy archive by name; empty if it is none."""
    found = arrays.members(archive)
    if len(found) > _MOST_ARRAYS:
        raise InputError(f"holds more than {_MOST_ARRAYS} arrays", _FORM)
    return found


def _choose(
    archive: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo], name: str | None, path: Path
) -> zipfile.ZipInfo:
    """`w` as in the official `projected_w.npz`, the only array, or the one asked for."""
    if members.keys() >= _OF_DIRECTIONS:
        raise InputError("holds directions, not ws", "pass it as --directions", file=path)
    floats = [key for key, entry in members.items() if _is_float(archive, entry)]
    if name is None and (len(floats) == 1 or "w" in floats):
        return members["w" if "w" in floats else floats[0]]
    if name is None and len(members) == 1:
        return next(iter(members.values()))
    if name is None or name not in members:
        raise _which(floats or list(members), name, path)
    return members[name]


def _is_float(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bool:
    try:
        shape, dtype = arrays.facts(archive, entry)
    except Exception:  # whatever is wrong with it, it is no candidate
        return False
    return dtype.kind in _FLOATS and len(shape) > 0


def _member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, budget: Budget) -> np.ndarray:
    """Unpacks one array; InputError if it cannot be."""
    try:
        return arrays.read(archive, entry, budget)
    except InputError:
        raise
    except Exception as error:  # numpy and zipfile raise all kinds
        raise InputError("is no file of ws", _FORM) from error


def _names(archive: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo], budget: Budget) -> tuple[str, ...]:
    """What `names` beside the array calls the images, as `project` writes them; nothing where they are no names."""
    try:
        found = _member(archive, members["names"], budget) if "names" in members else np.array(())
    except InputError:
        return ()
    return tuple(map(str, found)) if found.ndim == 1 and found.dtype.kind == "U" else ()


def _which(names: list[str], name: str | None, path: Path) -> InputError:
    listed = ", ".join(shown(each) for each in names[:_MOST_LISTED]) + (", …" if len(names) > _MOST_LISTED else "")
    what = f"holds several arrays: {listed}" if name is None else f"has no array called {shown(name)}: {listed}"
    return InputError(what, f"choose one: --w {path}:{shown(names[0]) if names else 'NAME'}")


def _of_tree(tree: Any, name: str | None) -> list[Stored]:
    """What a torch file or pickle holds: one tensor, a list of them, or a table."""
    if isinstance(tree, np.ndarray):
        return [Stored(tree)]
    if type(tree) in (list, tuple) and tree and all(isinstance(each, np.ndarray) for each in tree):
        return [Stored(each) for each in tree]
    table = _table(tree)
    if not table:
        raise InputError("is no file of ws", _FORM)
    if name is not None:
        if name not in table:
            raise InputError(f"has no array called {shown(name)}: {_listed(table)}", "choose one of these")
        return [Stored(table[name], name)]
    if all(NAMED.fullmatch(key) or type(tree[key]) is dict for key in table):
        return [Stored(values, key) for key, values in table.items()]
    usual = [key for key in _USUAL if key in table]
    if len(table) == 1 or len(usual) == 1:
        return [Stored(table[usual[0] if usual else next(iter(table))])]
    first = next(iter(table))
    raise InputError(f"holds several arrays: {_listed(table)}", f"choose one: --w FILE:{shown(first)}")


def _table(tree: Any) -> dict[str, np.ndarray]:
    """Name → array; rosinality's table is file → {img, latent, noise}."""
    found = {}
    for key, value in tree.items() if type(tree) is dict else ():
        if type(value) is dict:
            value = next((value[usual] for usual in (*reversed(_USUAL),) if usual in value), None)
        if type(key) is str and isinstance(value, np.ndarray) and value.ndim and value.dtype.kind in _FLOATS:
            found[key] = value
    return found


def _listed(table: Mapping[str, Any]) -> str:
    more = ", …" if len(table) > _MOST_LISTED else ""
    return ", ".join(shown(key) for key in list(table)[:_MOST_LISTED]) + more
