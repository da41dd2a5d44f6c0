"""torch's two ways to save: the older stream of pickles and raw numbers, and the zip archive."""

import contextlib
import encodings.cp437  # noqa: F401  zipfile would import it while it reads an archive
import io
import itertools
import mmap
import os
import stat
import zipfile
import zlib
from collections.abc import Iterator
from io import BufferedIOBase
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from convert.pickles.allowed import AGAIN, GLOBALS, Budget, Storage, refuse, shown
from convert.pickles.interpreter import Machine, Names
from convert.pickles.writer import Pickler, raw, storage_id
from stylegan_jax.errors import InputError
from stylegan_jax.storage import inputs

LEGACY_START = bytes.fromhex("80028a0a6cfc9c46f9206aa850192e")
_PROTOCOL = 1001
_MAX_ENTRIES = 10_000
_NO_TENSORS: Names = {("torch._utils", "_rebuild_tensor_v2"): lambda *ignored: None}


def load_stream(data: memoryview, budget: Budget, *, names: Names = GLOBALS) -> Any:
    """The tree of an older torch file: three pickles of facts, the object, the storages' keys, then their numbers.

    The object is read twice, because its tensors need numbers that only follow it: first to find out where they lie.
    """
    start = _check_facts(data, budget)
    storages: dict[str, Storage] = {}
    blind: Names = {**names, **_NO_TENSORS}
    measuring = Machine(data, start, names=blind, budget=budget, persistent=lambda what: _note(what, storages))
    measuring.run()
    keys = Machine(data, measuring.position, names={}, budget=budget)
    _fill(storages, keys.run(), data, keys.position)
    reading = Machine(data, start, names=names, budget=budget, persistent=lambda what: _note(what, storages))
    return reading.run()


def _check_facts(data: memoryview, budget: Budget) -> int:
    """Where the object starts, after magic number, version and system facts."""
    if bytes(data[: len(LEGACY_START)]) != LEGACY_START:
        raise InputError("holds tensors that torch did not write", AGAIN)
    version = Machine(data, len(LEGACY_START), names={}, budget=budget)
    system = Machine(data, len(LEGACY_START), names={}, budget=budget)
    if version.run() != _PROTOCOL:
        raise InputError("is of an unknown torch version", AGAIN)
    system.position = version.position
    facts = system.run()
    if type(facts) is not dict or facts.get("little_endian") is not True:
        raise InputError("comes from a big-endian machine", "export it on an ordinary one")
    return system.position


def _note(what: Any, storages: dict[str, Storage]) -> Storage:
    """The storage that a persistent id names, the same one each time."""
    dtype, key, count = _parse_id(what)
    storage = storages.setdefault(key, Storage(dtype, count))
    if (storage.dtype, storage.size) != (dtype, count):
        raise InputError(f"describes its storage {shown(key)} in two ways", AGAIN)
    return storage


def _parse_id(what: Any) -> tuple[np.dtype, str, int]:
    """dtype, key and count of ('storage', type, key, device, count[, None]); devices do not matter here."""
    if type(what) is not tuple or len(what) not in (5, 6) or what[0] != "storage" or what[5:] not in ((), (None,)):
        raise refuse("refers to objects outside of itself")
    _, dtype, key, _, count = what[:5]
    if not isinstance(dtype, np.dtype) or type(key) is not str or type(count) is not int or count < 0:
        raise refuse("holds a storage that is not plain numbers")
    return dtype, key, count


def _fill(storages: dict[str, Storage], keys: Any, data: memoryview, position: int) -> None:
    """Gives every storage its numbers: for each key a count of 8 bytes, then the raw data."""
    plain = type(keys) is list and all(type(key) is str for key in keys)
    if not plain or sorted(keys) != sorted(storages):
        raise InputError("does not hold the storages that its tensors need", AGAIN)
    for key in keys:
        storage = storages[key]
        begin = position + 8
        position = begin + storage.size * storage.dtype.itemsize
        if position > len(data):
            raise InputError(f"is cut short: {position - len(data)} bytes are missing", AGAIN)
        if int.from_bytes(data[begin - 8 : begin], "little") != storage.size:
            raise InputError(f"holds a storage of another size than it says ({storage.size} numbers)", AGAIN)
        storage.data = data[begin:position]


def load_zip(
    data: memoryview, file: BufferedIOBase, budget: Budget, *, names: Names = GLOBALS, scripted: bool = False
) -> Any:
    """The tree of a torch zip archive; `file` is the open file that `data` maps. TorchScript's only if `scripted`."""
    return _tree_of(dict(_entries(data, file, budget, scripted)), budget, names, scripted)


def load_folder(path: Path, budget: Budget, *, names: Names = GLOBALS) -> Any:
    """The tree of a torch zip archive that somebody has unpacked: a folder with `data.pkl`."""
    files = [path / "data.pkl", path / "byteorder", path / "constants.pkl"]
    with os.scandir(path / "data") if (path / "data").is_dir() else contextlib.nullcontext([]) as numbers:
        files += [Path(entry.path) for entry in itertools.islice(numbers, _MAX_ENTRIES + 1)]
    if len(files) > _MAX_ENTRIES:
        raise InputError(f"is a folder of more than {_MAX_ENTRIES} files", "pass the model file itself")
    found = {file.relative_to(path).as_posix(): _mapped(file) for file in files if file.exists()}
    return _tree_of(found, budget, names)


def _mapped(path: Path) -> memoryview:
    status = path.lstat()
    if stat.S_ISREG(status.st_mode) and status.st_size == 0:  # of a tensor without numbers
        return memoryview(b"")
    if stat.S_ISLNK(status.st_mode):  # whose numbers lie elsewhere
        raise InputError("is a link, not a part of an unpacked archive", "pass the .pt it came from", file=path)
    with inputs.open_regular(path) as file:
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def _tree_of(entries: dict[str, memoryview], budget: Budget, names: Names, scripted: bool = False) -> Any:
    folder = _root(entries, scripted)
    if bytes(entries.get(f"{folder}byteorder", b"little")) != b"little":
        raise InputError("comes from a big-endian machine", "export it on an ordinary one")
    storages: dict[str, Storage] = {}

    def persistent(what: Any) -> Storage:
        storage = _note(what, storages)
        if storage.data is None:
            storage.data = _numbers(storage, entries, f"{folder}data/{_parse_id(what)[1]}")
        return storage

    return Machine(entries[f"{folder}data.pkl"], 0, names=names, budget=budget, persistent=persistent).run()


def _root(entries: dict[str, memoryview], scripted: bool) -> str:
    """The folder inside the archive that holds `data.pkl`."""
    found = [name for name in entries if name == "data.pkl" or name.endswith("/data.pkl")]
    if len(found) != 1 or (not scripted and any(name.endswith("/constants.pkl") for name in entries)):
        kind = "a TorchScript archive" if len(found) == 1 else "a zip archive"
        raise InputError(f"is {kind}, not a model file", "pass the model file itself")
    return found[0].removesuffix("data.pkl")


def _numbers(storage: Storage, entries: dict[str, memoryview], name: str) -> memoryview:
    if name not in entries or len(entries[name]) != storage.size * storage.dtype.itemsize:
        what = "is missing" if name not in entries else f"has {len(entries[name])} bytes"
        raise InputError(f"its part {shown(name)} of {storage.size} numbers {what}", AGAIN)
    return entries[name]


def _entries(
    data: memoryview, file: BufferedIOBase, budget: Budget, scripted: bool
) -> Iterator[tuple[str, memoryview]]:
    """Name and bytes of every file in the archive, checked: nothing compressed, no name twice, CRCs right.

    Only the programs of a `scripted` one are compressed: they are left out.

    The parts are no longer than the archive, all together, so that reading them takes no longer than reading it.
    """
    try:
        with inputs.open_zip(file, budget, most=_MAX_ENTRIES) as archive:
            listed = archive.infolist()
    except InputError:
        raise
    except Exception as error:  # zipfile raises all kinds
        raise InputError("is a damaged zip archive", AGAIN) from error
    if len({info.filename for info in listed}) != len(listed):
        raise InputError("is a zip archive with a name twice", AGAIN)
    for info in listed:
        if scripted and info.compress_type != zipfile.ZIP_STORED:
            continue
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
            raise InputError("is a compressed zip archive, not a torch file", "unpack it and pass the model inside")
        content = _content(info, data)
        if zlib.crc32(content) != info.CRC:
            raise InputError(f"its part {shown(info.filename)} is damaged (CRC differs)", AGAIN)
        yield info.filename, content


def _content(info: zipfile.ZipInfo, data: memoryview) -> memoryview:
    """The bytes of a stored entry, found through its local header, which must agree with the directory."""
    header = data[info.header_offset : info.header_offset + 30]
    name_size, extra_size = int.from_bytes(header[26:28], "little"), int.from_bytes(header[28:30], "little")
    name_start = info.header_offset + 30
    start = name_start + name_size + extra_size
    name = bytes(data[name_start : name_start + name_size])
    good = bytes(header[:4]) == b"PK\3\4" and name == info.orig_filename.encode() and start <= len(data)
    if not good or info.compress_size != info.file_size or start + info.file_size > len(data):
        raise InputError(f"its part {shown(info.filename)} is not where the archive says", AGAIN)
    return data[start : start + info.file_size]


class _ZipPickler(Pickler):
    """Leaves the numbers out of the pickle: `arrays` are files of their own, one for each array however often used."""

    def __init__(self, file: io.BytesIO):
        super().__init__(file, protocol=2)
        self.arrays: list[np.ndarray] = []

    def save_storage(self, array: np.ndarray) -> None:
        self.save(storage_id(array, str(len(self.arrays))))
        self.arrays.append(array)


def save_zip(file: BinaryIO, tree: Any) -> None:
    """Writes plain data and arrays as `torch.save` does."""
    described = io.BytesIO()
    pickler = _ZipPickler(described)
    pickler.dump(tree)
    facts = {"data.pkl": described.getvalue(), "byteorder": b"little", "version": b"3\n"}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, content in facts.items():
            archive.writestr(zipfile.ZipInfo(f"archive/{name}"), content)
        for i, array in enumerate(pickler.arrays):
            info = zipfile.ZipInfo(f"archive/data/{i}")
            info.file_size = array.nbytes
            with archive.open(info, "w") as entry:
                entry.write(raw(array))
