"""Outputs appear whole or not at all: written beside their place, synced, renamed."""

import contextlib
import errno
import itertools
import os
import re
import shutil
import socket
import time
import warnings
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import filelock

from stylegan_jax.errors import InputError
from stylegan_jax.storage import exchange
from stylegan_jax.storage.downloads import addresses

_PARTIAL = r"\.(?P<host>[\w-]+)\.(?P<pid>\d+)\.\d+\.(?:partial|replaced)"
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}  # of a file system without them
_INITIAL_PIDS = 0xEFFFFFFC  # Linux's own number of the name space that is no container's
_LOOK, _GONE, _PATIENCE = 0.02, 10, 5.0  # seconds between looks, how many in a row find nothing, and seconds at most
_numbers = itertools.count()
_unfinished: set[str] = set()  # of this process, without their suffix


@contextlib.contextmanager
def new_file(path: str | Path, *, overwrite: bool = False) -> Iterator[BinaryIO]:
    """Opens a file that takes its place at `path` when the block ends without an error.

    Raises InputError if `path` exists (unless `overwrite`) or cannot be a file there; OSError if the disk is at fault.
    """
    path = output_path(path, overwrite=overwrite)
    if path.is_dir():
        raise InputError("is a folder", "give the output another name", file=path)
    with _partial(path) as partial:
        try:
            with open(partial, "xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, path)
            sync(path.parent)
        finally:
            partial.unlink(missing_ok=True)


@contextlib.contextmanager
def new_folder(path: str | Path, *, marker: str, beside: Collection[str], overwrite: bool = False) -> Iterator[Path]:
    """Gives an empty folder that takes its place at `path` when the block ends without an error.

    Only a folder that holds a file called `marker`, and nothing else than what lies `beside` it in such folders, is
    ever replaced, so that `overwrite` cannot delete a user's own.

    Raises InputError if `path` exists (unless `overwrite`) or cannot be replaced; OSError if the disk is at fault.
    """
    path = output_path(path, overwrite=overwrite)
    if path.exists() and not (path / marker).is_file():
        raise InputError("exists and is no checkpoint", "give the output another name", file=path)
    if path.exists() and (
        others := sorted(entry.name for entry in path.iterdir() if entry.name not in {marker, *beside})
    ):
        what = f"holds {others[0]!r}, which is no part of the checkpoint"
        raise InputError(what, "move it away, or give the output another name", file=path)
    with _partial(path) as partial:
        try:
            partial.mkdir()
            yield partial
            for file in partial.rglob("*"):
                sync(file)
            _replace_folder(partial, path)
            sync(path.parent)
        except BaseException:
            _remove(partial)
            raise
        shutil.rmtree(partial, ignore_errors=True)  # what was replaced, if exchanged


def _remove(folder: Path) -> None:
    """Deletes what a failed block has written, and what threads that it started still write into it."""
    end = time.monotonic() + _PATIENCE
    gone = 0
    while gone < _GONE and time.monotonic() < end:
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(_LOOK)
        gone = 0 if folder.exists() else gone + 1


@contextlib.contextmanager
def turn(file: Path, *, wait: bool) -> Iterator[bool]:
    """Keeps other processes out while the block runs, by a lock on `file`, which goes with the block.

    Yields whether this process is in; always, if it may `wait`, and where the file system has no locks. A killed
    holder's turn is over.
    """
    lock = filelock.FileLock(file, thread_local=False)
    free = _acquired(lock, wait=wait)
    try:
        yield free
    finally:
        if lock.is_locked:
            with contextlib.suppress(OSError):  # Windows: it is open
                file.unlink(missing_ok=True)  # whoever waits for this one takes its turn on the next
            lock.release()


def _acquired(lock: filelock.BaseFileLock, *, wait: bool) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says where it has to do with the file's mere presence
        try:
            lock.acquire(blocking=wait)
        except filelock.Timeout:
            return False
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
    return True


def output_path(path: str | Path, *, overwrite: bool = False) -> Path:
    """The absolute `path`, if an output may be made there.

    Raises InputError if it exists (unless `overwrite`) or lies in no folder; the OSError that writing it would end in,
    where its name leaves no room for that of its unfinished form or nothing can be made in its folder. Doors call this
    before long work.
    """
    if (address := addresses.find(path)) is not None and "://" in address.typed:
        raise InputError("this output goes to a disk of this machine", "name a path here", file=address.shown)
    absolute = Path(os.path.abspath(os.path.expanduser(path)))
    if absolute.exists() and not overwrite:
        raise InputError("exists", "pass --overwrite, or give the output another name", file=path)
    if not absolute.parent.is_dir():
        raise InputError("its folder does not exist", f"make {absolute.parent} first", file=path)
    if not _has_room(absolute):
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), str(absolute))
    if (code := _closed(absolute.parent)) and not (absolute.is_dir() and not _closed(absolute)):
        raise OSError(code, os.strerror(code), str(absolute))
    return absolute


def _has_room(path: Path) -> bool:
    """Whether the file system takes the name of the longest unfinished form."""
    try:
        longest = os.pathconf(path.parent, "PC_NAME_MAX")
    except (AttributeError, OSError, ValueError):  # no POSIX, or a file system that does not say
        return True
    return len(os.fsencode(f".{path.name}.{_host()}.{os.getpid()}.999999.replaced")) <= longest


def _closed(folder: Path) -> int:
    """The system's number for why nothing can be made in a folder; 0 where something can, as far as is known."""
    if hasattr(os, "statvfs") and os.statvfs(folder).f_flag & os.ST_RDONLY:  # which its owner may not notice otherwise
        return errno.EROFS
    return 0 if os.access(folder, os.W_OK | os.X_OK) else errno.EACCES


def check_no_input(outputs: Iterable[str | Path], inputs: Iterable[str | Path], what: str = "is an input") -> None:
    """Raises InputError for an output that would replace what it is made from, which `overwrite` does not mean."""
    used = {os.path.realpath(os.path.expanduser(path)) for path in inputs}
    for each in outputs:
        if os.path.realpath(os.path.expanduser(each)) in used:
            raise InputError(what, "give the output another name", file=each)


MODELS = (".safetensors", ".pkl", ".pt", ".pth")
PICTURES = (".png", ".jpg", ".jpeg", ".webp")


def check_suffix(path: str | Path, forms: Collection[str]) -> None:
    """Raises InputError if a name ends as that of another kind of file does; a folder's name may end in a version."""
    suffix = Path(path).suffix.lower()
    if suffix not in forms and re.fullmatch(r"\.(?!v\d)[a-z][a-z0-9]{0,10}", suffix):
        raise InputError(
            f"{suffix} is no form that can be written here", f"use {', '.join(forms)}, or no suffix", file=path
        )


def is_unfinished(name: str, target: str) -> bool:
    """Whether a file of this name is what a process was writing in order to put it in the place of `target`."""
    return _unfinished_form(target).fullmatch(name) is not None


def _unfinished_form(name: str) -> re.Pattern[str]:
    return re.compile(rf"\.{re.escape(name)}{_PARTIAL}", re.ASCII)


@contextlib.contextmanager
def _partial(path: Path) -> Iterator[Path]:
    """A name beside `path` that nobody else has, after clearing what killed processes of this host left there.

    An OSError inside names the output, which the user knows, and not its unfinished form.
    """
    form = _unfinished_form(path.name)
    for leftover in [entry for entry in path.parent.iterdir() if entry.name.startswith(f".{path.name}.")]:
        if (found := form.fullmatch(leftover.name)) and _is_dead(leftover.stem, found["host"], int(found["pid"])):
            _clear(leftover, path)
    stem = f".{path.name}.{_host()}.{os.getpid()}.{next(_numbers)}"
    partial = path.with_name(f"{stem}.partial")
    _unfinished.add(stem)
    try:
        yield partial
    except OSError as error:
        if str(error.filename or partial).startswith(str(partial)):
            error.filename = str(path)
        raise
    finally:
        _unfinished.discard(stem)


def _host() -> str:
    """This machine, and the container on it: whose process numbers ours are."""
    name = re.sub(r"[^\w-]", "-", socket.gethostname(), flags=re.ASCII)[:60] or "localhost"
    try:
        pids = os.stat("/proc/self/ns/pid").st_ino
    except OSError:  # no Linux
        return name
    return name if pids == _INITIAL_PIDS else f"{name}-{pids}"


def _is_dead(stem: str, host: str, pid: int) -> bool:
    """Whether the process that was writing is known to be no more; of another host nothing is known."""
    if host != _host():
        return False
    return stem not in _unfinished if pid == os.getpid() else not _is_alive(pid)


def _clear(leftover: Path, path: Path) -> None:
    if leftover.suffix == ".replaced" and not path.exists():  # killed between the two renames of `_replace_folder`
        leftover.rename(path)
    elif leftover.is_dir():
        shutil.rmtree(leftover)
    else:
        leftover.unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
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
    """Puts `partial` in its place; what was there is then in its own, or set aside for a moment (see `standing`)."""
    if not path.exists():
        partial.rename(path)
        return
    if exchange.exchanged(partial, path):
        return
    replaced = partial.with_suffix(".replaced")
    path.rename(replaced)
    try:
        partial.rename(path)
    except OSError:
        replaced.rename(path)
        raise
    shutil.rmtree(replaced, ignore_errors=True)


def standing(path: str | Path, *, patience: float = 1.0) -> Path:
    """`path`, or what is set aside for it while it is replaced, or since its writer was killed in between.

    Args:
      path: of an output that may be overwritten meanwhile.
      patience: seconds that a living writer has to put the new one there.
    """
    path = Path(path)
    end = time.monotonic() + patience
    while not os.path.lexists(path) and (aside := _set_aside(path)):
        if time.monotonic() > end:
            return aside[0]
        time.sleep(0.01)
    return path


def _set_aside(path: Path) -> list[Path]:
    try:
        names = os.listdir(path.parent)
    except (OSError, ValueError):
        return []
    form = _unfinished_form(path.name)
    return [path.with_name(name) for name in names if name.endswith(".replaced") and form.fullmatch(name)]


def identity(path: Path) -> tuple[int, int, int] | None:
    """What tells a file or folder from one that has taken its place; None where there is none."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino, status.st_mtime_ns


def sync(path: Path) -> None:
    """Makes a written file, or the names in a folder, durable; only POSIX can."""
    if os.name != "posix":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
