"""The arrays of a file that may hold ws, as they are stored, with the names they have there."""

import mmap
import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from convert.pickles import unpickle
from convert.pickles.allowed import shown
from stylegan_jax.errors import InputError

NAMED = re.compile(r".+\.(png|jpe?g|webp|bmp|tiff?|jfif|gif|npy|npz|pt|pth)", re.IGNORECASE)
_FORM = "pass floats of shape [n, w_dim] or [n, num_ws, w_dim], in .npy, .npz or .pt"
_USUAL = ("w", "ws", "latent", "latents")
_MOST_LISTED = 12
_MOST_ENTRIES = 10_000
_PACKED, _SMALL = 64, 1 << 29  # how far ws are ever compressed; bytes that are unpacked without a question
_FLOATS = "fV"  # V: bfloat16


@dataclass(frozen=True, eq=False)
class Stored:
    """One array; `name` is that of its image, where the file tells."""

    values: np.ndarray
    name: str | None = None


def stored(path: Path, name: str | None, row: tuple[int, int]) -> list[Stored]:
    """The arrays of a file: the one called `name`, else those that there is no choice about.

    `row` is what the model takes, num_ws and w_dim: nothing is unpacked that cannot fit. InputError for other files.
    """
    if path.is_dir():
        return _of_tree(unpickle.load_folder(path), name)
    with open(path, "rb") as file:
        start = file.read(8)
        if not start:
            raise InputError("is empty (0 bytes)", "export it again")
        if start.startswith(b"\x93NUMPY"):
            return [Stored(_npy(path))]
        if start.startswith(b"PK\3\4") and (members := _npz_members(path)):
            return [Stored(_member(path, _choose(members, name, path), row))]
        if not start.startswith((b"PK\3\4", b"\x80")):
            raise InputError("is no file of ws", _FORM)
        data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        return _of_tree(unpickle.load(data, file if start.startswith(b"PK") else None), name)


def _npy(path: Path) -> np.ndarray:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # numpy raises half a dozen kinds
        raise InputError("is no file of ws", _FORM) from error


def _npz_members(path: Path) -> dict[str, zipfile.ZipInfo]:
    """The arrays of a NumPy archive by name; empty if it is none."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except Exception as error:  # zipfile raises all kinds
        raise InputError("is a damaged zip archive", "export it again") from error
    if len(entries) > _MOST_ENTRIES:
        raise InputError(f"is an archive of more than {_MOST_ENTRIES} files", _FORM)
    return {entry.filename.removesuffix(".npy"): entry for entry in entries if entry.filename.endswith(".npy")}


def _choose(members: Mapping[str, zipfile.ZipInfo], name: str | None, path: Path) -> zipfile.ZipInfo:
    """`w` as in the official `projected_w.npz`, the only array, or the one asked for."""
    with zipfile.ZipFile(path) as archive:
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
        with archive.open(entry) as member:
            shape, _, dtype = _header(member)
        return dtype.kind in _FLOATS and len(shape) > 0
    except Exception:  # whatever is wrong with it, it is no candidate
        return False


def _header(member: Any) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(member)
    read: Callable[..., Any] = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }[version]
    return read(member, max_header_size=10_000)


def _member(path: Path, entry: zipfile.ZipInfo, row: tuple[int, int]) -> np.ndarray:
    """Reads one array, after its header has shown that it is worth unpacking."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open(entry) as member:
            shape, _, _ = _header(member)
            fits = len(shape) > 0 and (shape[-1] == row[1] or entry.file_size < 1 << 24)
            if not fits or entry.file_size > _PACKED * entry.compress_size + _SMALL:
                what = f"holds an array of shape {list(shape)}, this model takes [n, {row[0]}, {row[1]}]"
                raise InputError(what, "use the model they were projected with, or a blend of it")
            with archive.open(entry) as again:
                return np.lib.format.read_array(again, allow_pickle=False, max_header_size=10_000)
    except InputError:
        raise
    except Exception as error:  # numpy and zipfile raise all kinds
        raise InputError("is no file of ws", _FORM) from error


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
