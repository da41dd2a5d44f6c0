"""Arrays of NumPy's archives (`.npz`), paid for before they are unpacked."""

import math
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np

from stylegan_jax.errors import InputError
from stylegan_jax.storage import inputs
from stylegan_jax.storage.inputs import Budget

_LONGEST_HEADER = 10_000  # numpy's own limit, of what it evaluates


def members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The arrays of an archive by name; empty if it holds none."""
    return {e.filename.removesuffix(".npy"): e for e in archive.filelist if e.filename.endswith(".npy")}


def facts(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and dtype that an array's header promises.

    Raises InputError as `inputs.require_plain`; whatever numpy and zipfile raise for what is damaged.
    """
    inputs.require_plain(entry)
    with archive.open(entry) as file:
        shape, _, dtype = _header(file)
    return shape, dtype


def read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, budget: Budget) -> np.ndarray:
    """An array, if its header and the zip's directory agree on what it takes and the budget has that.

    Raises InputError for others; whatever numpy and zipfile raise for what is damaged, and for pickled objects.
    """
    shape, dtype = facts(archive, entry)
    size = math.prod(shape) * dtype.itemsize
    if not 0 < size < entry.file_size:
        raise InputError(f"holds an array of shape {list(shape)} and {entry.file_size} bytes", "export it again")
    budget.allocate(size, f"an array of shape {list(shape)}")
    with archive.open(entry) as file:
        return np.lib.format.read_array(file, allow_pickle=False, max_header_size=_LONGEST_HEADER)


def _header(file: Any) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(file)
    reader: Callable[..., Any] = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }[version]
    return reader(file, max_header_size=_LONGEST_HEADER)
