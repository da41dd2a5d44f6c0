"""Files of ws that we write: `.npz` with the key `w`, as the official projector does."""

import json
import os
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from stylegan_jax.errors import InputError
from stylegan_jax.pictures.naming import difference
from stylegan_jax.storage import arrays, inputs, remote

_MEMBERS = 16


def is_written(path: str | Path, made_by: Mapping[str, Any], *, overwrite: bool = False) -> bool:
    """Whether `write_ws` made this file from the same description; InputError if it exists and is another's.

    Args:
      overwrite: it may be replaced if `write_ws` made it.
    """
    if not remote.exists(path):
        return False
    try:
        with remote.fetched(path) as file:
            found = _note_in(file)
    except (InputError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise InputError("was not made by this command", "move it away, or choose another place", file=path) from error
    changed = difference(found, json.loads(json.dumps(made_by)))
    if changed and not overwrite:
        raise InputError(f"holds ws {changed}", "choose another place, or pass --overwrite", file=path)
    return not changed


def _note_in(file: str | Path) -> Any:
    """What `write_ws` noted in a file, without a look at its ws."""
    with inputs.open_regular(file) as stream:
        budget = inputs.Budget(os.fstat(stream.fileno()).st_size)
        with inputs.open_zip(stream, budget, most=_MEMBERS) as archive:
            text = str(arrays.read(archive, archive.getinfo("made_by.npy"), budget))
    found = inputs.parsed(text.encode(), budget)
    if type(found) is not dict:
        raise ValueError("no table")
    return found


def write_ws(
    path: str | Path,
    pieces: Iterable[Float[np.ndarray, "n l d"]],
    shape: tuple[int, ...],
    made_by: Mapping[str, Any],
    *,
    names: Sequence[str] | None = None,
) -> None:
    """Writes ws piece by piece as the official `projected_w.npz`, whole or not at all; `shape` is that of all.

    Layers that share their w cost next to nothing: the file is packed. `names` are those of the images.
    """
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    with remote.new_file(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("w.npy", "w", force_zip64=True) as member:
            np.lib.format.write_array_header_1_0(member, header)
            for ws in pieces:
                member.write(np.ascontiguousarray(ws, "<f4").tobytes())
        if names is not None:
            with archive.open("names.npy", "w") as member:
                np.lib.format.write_array(member, np.array(names), allow_pickle=False)
        with archive.open("made_by.npy", "w") as member:
            np.lib.format.write_array(member, np.array(json.dumps(made_by)), allow_pickle=False)
