"""What comes from outside: regular files alone, and a budget for what reading one may cost, whatever it says."""

import codecs
import json
import os
import stat
import zipfile
from collections.abc import Callable
from io import BufferedIOBase, BufferedReader
from pathlib import Path
from typing import Any

from stylegan_jax.errors import InputError
from stylegan_jax.storage import shipped

AGAIN = "download it again"
SPARE = 640 << 20  # bytes beyond a file's own size; with the interpreter and a copy under way that stays below 1 GiB
_DIRECTORY_ENTRY = 800  # bytes of memory for a file in a zip's directory
_ELSEWHERE = (1 << 32) - 1  # in place of a length that takes 64 bits
_PLAIN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # others take memory that no header bounds
for _encoding in ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"):
    codecs.lookup(_encoding)  # json would import them while it reads a file that says so


class Budget:
    """The memory that reading one input may take, by the size of its file.

    Every reader declares here what it is going to make, before it makes it.
    """

    def __init__(self, size: int = 0, spare: int = SPARE):
        self.memory = size + spare

    def allocate(self, size: int, what: str) -> None:
        """Declares `size` bytes for `what`; InputError when all together are more than the file's size accounts for."""
        self.memory -= size
        if self.memory < 0:
            much = f"holds {what}, which would take {size >> 20} MiB of memory, far more than such a file should"
            raise InputError(much, AGAIN)


def require_regular_file(path: str | Path, *, empty: bool = False) -> os.stat_result:
    """The facts of a file that has contents; InputError for all else: what is missing, empty, a folder, device or pipe.

    Opening a pipe would wait for ever, a device may do anything, and what /proc makes up has no size. A file without
    contents passes if it may be `empty`.
    """
    try:
        status = os.stat(path)
    except ValueError as error:  # a NUL in it
        raise InputError("is no path", "check the path", file=shown_path(path)) from error
    except OSError as error:
        raise unread(path, error) from error
    if stat.S_ISDIR(status.st_mode):
        raise InputError("is a folder, not a file", "name a file in it", file=path)
    if not stat.S_ISREG(status.st_mode):
        raise InputError("is a device or pipe, not a file", "save it as a file first", file=path)
    if status.st_size == 0 and not empty and _is_made_up(status):
        raise InputError("is made up by the system, not a file", "save it as a file first", file=path)
    if status.st_size == 0 and not empty:
        raise InputError("is empty (0 bytes)", AGAIN, file=path)
    return status


def _is_made_up(status: os.stat_result) -> bool:
    """Whether a file is of /proc or /sys, which say of most that they are empty."""
    places = [place for place in ("/proc", "/sys") if os.path.ismount(place)]
    return status.st_dev in [os.stat(place).st_dev for place in places]


def shown_path(path: str | Path) -> str:
    """A path of which even printing may fail."""
    return ascii(str(path))[1:-1][:200]


def unread(path: str | Path, error: OSError) -> InputError:
    """The error for a file that cannot be read, by what the system says."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return InputError("no such file", shipped.remedy(path), file=path)
    return InputError(f"cannot be read ({error.strerror or error})", "check the path", file=path)


def open_regular(path: str | Path) -> BufferedReader:
    """Opens a file for reading; InputError as `require_regular_file`, also if it is exchanged meanwhile."""
    require_regular_file(path)
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        handle = os.open(path, flags)
    except OSError as error:
        raise unread(path, error) from error
    file = os.fdopen(handle, "rb")
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        file.close()
        raise InputError("is a device or pipe, not a file", "save it as a file first", file=path)
    return file


def contents(path: str | Path, *, most: int) -> bytes:
    """The bytes of a small file; InputError as `require_regular_file`, and for one of more than `most` bytes."""
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise InputError(f"is {size >> 10} KiB long, far longer than such a file is", AGAIN, file=path)
        return file.read(most + 1)[:most]


def parsed(data: bytes, budget: Budget, *, pairs: Callable[[list[tuple[str, Any]]], Any] | None = None) -> Any:
    """JSON; ValueError for what is none, InputError for what would unfold to more than the budget has.

    Args:
      data: the text.
      budget: of the file that it comes from.
      pairs: makes an object of its pairs; a dict by default.
    """
    budget.allocate(_json_cost(data), "JSON")
    try:
        return json.loads(data, object_pairs_hook=pairs)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _json_cost(data: bytes) -> int:
    """Bytes that the objects of a JSON text take at most: it unfolds up to thirtyfold."""
    nests, items, pairs = data.count(b"[") + data.count(b"{"), data.count(b","), data.count(b":")
    return 90 * nests + 56 * items + 120 * pairs + len(data) * (2 if data.isascii() else 8)


class _Owner(zipfile.ZipFile):
    """A zip that closes its file."""

    def __init__(self, file: BufferedIOBase):
        super().__init__(file)  # type: ignore[arg-type]
        self._own = file

    def close(self) -> None:
        """Closes both."""
        super().close()
        if hasattr(self, "_own"):  # it is a zip
            self._own.close()


def open_zip(file: BufferedIOBase, budget: Budget, *, most: int, own: bool = False) -> zipfile.ZipFile:
    """Opens a zip of at most `most` files, which have room beside each other in it; closes `file` with it if `own`.

    Raises InputError for others, and whatever `zipfile` raises for a damaged one.
    """
    size = file.seek(0, os.SEEK_END)
    length = _directory_length(file, size)
    if length // 46 > 4 * most:  # which no list of so many names reaches
        raise _too_many(most)
    budget.allocate(length // 46 * _DIRECTORY_ENTRY + 2 * length, "a list of files")
    archive = _Owner(file) if own else zipfile.ZipFile(file)
    if len(archive.filelist) > most:
        raise _too_many(most)
    if sum(entry.compress_size for entry in archive.filelist) > size:
        raise InputError("is a zip archive whose parts overlap", AGAIN)
    return archive


def _too_many(most: int) -> InputError:
    return InputError(f"is a zip archive of more than {most} files", "pass the file that is meant itself")


def _directory_length(file: BufferedIOBase, size: int) -> int:
    """The bytes of a zip's directory: the most that any record says which could be that of its end."""
    start = max(0, size - (1 << 16) - 22 - 76)
    file.seek(start)
    tail, longest, at = file.read(size - start), 0, -1
    while (at := tail.find(b"PK\5\6", at + 1)) >= 0:
        said = [int.from_bytes(tail[at + 12 : at + 16], "little")]
        if tail[max(0, at - 20) : at].startswith(b"PK\6\7"):  # a record with 64-bit numbers goes before it
            file.seek(min(int.from_bytes(tail[at - 12 : at - 4], "little"), size))
            records = (file.read(56), tail[max(0, at - 76) : at - 20])
            far = [int.from_bytes(each[40:48], "little") for each in records if each.startswith(b"PK\6\6")]
            said = far + [length for length in said if length < _ELSEWHERE or not far]
        longest = max(longest, *said)
    return min(longest, size)


def member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, budget: Budget) -> bytes:
    """The bytes of a file in a zip; InputError for one that unfolds to more than the budget has."""
    require_plain(entry)
    budget.allocate(entry.file_size, "a part")
    return archive.read(entry)


def require_plain(entry: zipfile.ZipInfo) -> None:
    """Raises InputError for a file in a zip that is encrypted, or packed in a way whose memory nothing bounds."""
    if entry.flag_bits & 1:
        raise InputError("is encrypted", "unpack it with its password first")
    if entry.compress_type not in _PLAIN:
        raise InputError("is packed in an unusual way", "pack it again, as an ordinary zip")
