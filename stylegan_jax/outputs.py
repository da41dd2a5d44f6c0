"""Outputs appear whole or not at all: written beside their place, synced, renamed."""

import contextlib
import glob
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from stylegan_jax import addresses
from stylegan_jax.errors import InputError

_PARTIAL = re.compile(r"\.\d+\.(partial|replaced)$")


@contextlib.contextmanager
def new_file(path: str | Path, *, overwrite: bool = False) -> Iterator[BinaryIO]:
    """Opens a file that takes its place at `path` when the block ends without an error.

    Raises InputError if `path` exists (unless `overwrite`) or cannot be a file there; OSError if the disk is at fault.
    """
    path = check_place(path, overwrite=overwrite)
    if path.is_dir():
        raise InputError("is a folder", "give the output another name", file=path)
    partial = _partial(path)
    try:
        with open(partial, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
        sync(path.parent)
    except OSError as error:
        _rename_culprit(error, partial, path)
        raise
    finally:
        partial.unlink(missing_ok=True)


@contextlib.contextmanager
def new_folder(path: str | Path, *, marker: str, overwrite: bool = False) -> Iterator[Path]:
    """Gives an empty folder that takes its place at `path` when the block ends without an error.

    Only a folder that holds a file called `marker` is ever replaced, so that `overwrite` cannot delete a user's own.

    Raises InputError if `path` exists (unless `overwrite`) or cannot be replaced; OSError if the disk is at fault.
    """
    path = check_place(path, overwrite=overwrite)
    if path.exists() and not (path / marker).is_file():
        raise InputError("exists and is no checkpoint", "give the output another name", file=path)
    partial = _partial(path)
    try:
        partial.mkdir()
        yield partial
        for file in partial.rglob("*"):
            sync(file)
        _replace_folder(partial, path)
        sync(path.parent)
    except OSError as error:
        _rename_culprit(error, partial, path)
        raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextlib.contextmanager
def turn(folder: Path, *, wait: bool) -> Iterator[bool]:
    """Keeps other processes out of a folder while the block runs, where the file system can.

    Yields whether this process is in; always, if it may `wait`. A killed holder's turn is over.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield True
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        free = True
    except BlockingIOError:
        free = False
    except OSError:  # a file system without locks
        free = True
    try:
        yield free
    finally:
        os.close(handle)


def _rename_culprit(error: OSError, partial: Path, path: Path) -> None:
    """The user knows the output's name, not that of its unfinished form."""
    if str(error.filename or partial).startswith(str(partial)):
        error.filename = str(path)


def check_place(path: str | Path, *, overwrite: bool = False) -> Path:
    """The absolute `path`, if an output may be made there.

    Raises InputError if it exists (unless `overwrite`) or lies in no folder. Doors call this before long work.
    """
    if (address := addresses.find(path)) is not None and "://" in address.typed:
        raise InputError("this output goes to a disk of this machine", "name a path here", file=address.shown)
    absolute = Path(os.path.abspath(os.path.expanduser(path)))
    if absolute.exists() and not overwrite:
        raise InputError("exists", "pass --overwrite, or give the output another name", file=path)
    if not absolute.parent.is_dir():
        raise InputError("its folder does not exist", f"make {absolute.parent} first", file=path)
    return absolute


def _partial(path: Path) -> Path:
    """A name beside `path` for this process, after clearing what killed processes left there."""
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*"):
        if _PARTIAL.search(leftover.name) and not _alive(int(leftover.suffixes[-2][1:])):
            _clear(leftover, path)
    return path.with_name(f".{path.name}.{os.getpid()}.partial")


def _clear(leftover: Path, path: Path) -> None:
    if leftover.suffix == ".replaced" and not path.exists():  # killed between the two renames of `_replace_folder`
        leftover.rename(path)
    elif leftover.is_dir():
        shutil.rmtree(leftover)
    else:
        leftover.unlink(missing_ok=True)


def _alive(pid: int) -> bool:
    if pid == os.getpid():
        return False
    if os.name != "posix":  # signal 0 is no mere question there
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # another user's
        return True
    return True


def _replace_folder(partial: Path, path: Path) -> None:
    if not path.exists():
        partial.rename(path)
        return
    replaced = partial.with_suffix(".replaced")
    path.rename(replaced)
    try:
        partial.rename(path)
    except OSError:
        replaced.rename(path)
        raise
    shutil.rmtree(replaced, ignore_errors=True)


def sync(path: Path) -> None:
    """Makes a written file, or the names in a folder, durable; only POSIX can."""
    if os.name != "posix":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
