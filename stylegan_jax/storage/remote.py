"""Where models and outputs lie: local paths, or URLs such as gs://bucket/faces that fsspec reaches."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Protocol

from stylegan_jax.errors import InputError
from stylegan_jax.storage import atomic, inputs

_EXTRAS = {"gs": "gcsfs", "gcs": "gcsfs", "s3": "s3fs", "az": "adlfs", "abfs": "adlfs"}
_PACKAGES = {"google": "gcsfs", "azure": "adlfs"}  # of modules that are called otherwise


def is_remote(path: str | Path) -> bool:
    """Whether `path` is a URL."""
    return "://" in str(path)


@contextlib.contextmanager
def fetched(path: str | Path) -> Iterator[str | Path]:
    """The path of a local copy of a remote file or folder while the block runs; a local `path` as it is.

    Raises InputError if there is nothing, or its file system cannot be reached.
    """
    if not is_remote(path):
        yield path
        return
    system, key = file_system(str(path))
    with tempfile.TemporaryDirectory(prefix="stylegan-jax-") as folder, reaching(str(path)):
        if not system.exists(key):
            raise InputError("no such file or folder", "check the URL", file=path)
        local = Path(folder) / PurePosixPath(key).name
        system.get(key, str(local), recursive=system.isdir(key))
        yield local


def file_system(url: str) -> tuple[Any, str]:
    """The fsspec file system of a URL, and its path there; InputError that names what is missing for it."""
    protocol = url.partition("://")[0]
    try:
        from fsspec.core import url_to_fs

        return url_to_fs(url)
    except ImportError as error:
        what = f"{protocol}:// needs a package that is not installed"
        raise InputError(what, f"python -m pip install {_missing(error, protocol)}", file=url) from error
    except ValueError as error:
        remedy = "use https://, hf://, gs://, s3:// or a local path"
        raise InputError(f"{protocol}:// is unknown", remedy, file=url) from error
    except Exception as error:  # of the packages for single stores: no credentials, no such account
        raise _unreached(url, error) from error


def _check_writable(url: str) -> None:
    if url.partition("://")[0] in ("http", "https", "hf"):
        raise InputError("is no place for outputs", "use a folder, gs:// or s3://", file=url)


def _missing(error: ImportError, protocol: str) -> str:
    """The package to install: the one whose import failed, which may be a need of the store's own package."""
    cause: BaseException | None = error
    names = []
    while cause is not None:
        names += [cause.name.partition(".")[0]] if isinstance(cause, ImportError) and cause.name else []
        cause = cause.__cause__ or cause.__context__
    package = names[-1] if names else _EXTRAS.get(protocol, "fsspec")
    return _PACKAGES.get(package, package)


@contextlib.contextmanager
def reaching(url: str) -> Iterator[None]:
    """Packages for remote stores raise their own kinds of errors: here they become InputErrors that name the URL."""
    try:
        yield
    except (InputError, OSError):
        raise
    except Exception as error:
        raise _unreached(url, error) from error


def _unreached(url: str, error: Exception) -> InputError:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return InputError(f"cannot be reached ({reason})", "check the URL and your credentials", file=url)


class Folder(Protocol):
    """A folder of files that appear whole or not at all."""

    def names(self) -> Iterator[str]:
        """Of all files in it, in no order."""
        ...

    def exists(self, name: str) -> bool:
        """Whether there is such a file."""
        ...

    def is_empty(self, name: str) -> bool:
        """Whether a file that is there has no contents, where that is known at once: a disk may leave such."""
        ...

    def read(self, name: str) -> bytes:
        """The contents of a file."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Makes or replaces a file; threads may call this at once."""
        ...

    def remove(self, name: str) -> None:
        """Deletes a file."""
        ...


class LocalFolder:
    """A `Folder` on this machine's disks; files are completed in `unfinished`, a folder of the same disk."""

    def __init__(self, path: Path, unfinished: Path):
        self.path, self.unfinished = path, unfinished

    def names(self) -> Iterator[str]:
        """See `Folder`."""
        with os.scandir(self.path) as entries:
            yield from (entry.name for entry in entries if not entry.is_dir())

    def exists(self, name: str) -> bool:
        """See `Folder`; of a pipe or a dangling link too, which nothing may take the place of."""
        return os.path.lexists(self.path / name) and not (self.path / name).is_dir()

    def is_empty(self, name: str) -> bool:
        """See `Folder`."""
        path = self.path / name
        return path.is_file() and not path.is_symlink() and path.stat().st_size == 0

    def read(self, name: str) -> bytes:
        """See `Folder`."""
        with inputs.open_regular(self.path / name) as file:
            return file.read()

    def write(self, name: str, data: bytes) -> None:
        """See `Folder`. The contents are on the disk before the name appears."""
        partial = self.unfinished / name
        try:
            with open(partial, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, self.path / name)
        except OSError as error:
            error.filename = str(self.path / name)
            raise

    def remove(self, name: str) -> None:
        """See `Folder`."""
        (self.path / name).unlink(missing_ok=True)


class RemoteFolder:
    """A `Folder` behind fsspec. Object stores show an object once its upload is complete."""

    def __init__(self, url: str):
        _check_writable(url)
        self.url = url
        self._system, self._root = file_system(url)
        self._known: set[str] | None = None

    def names(self) -> Iterator[str]:
        """See `Folder`."""
        with reaching(self.url):
            found = self._system.ls(self._root, detail=False) if self._system.exists(self._root) else []
        yield from (PurePosixPath(path).name for path in found)

    def exists(self, name: str) -> bool:
        """See `Folder`; as it was when this was first asked, since a question for each file would take hours."""
        if self._known is None:
            self._known = set(self.names())
        return name in self._known

    def is_empty(self, name: str) -> bool:
        """See `Folder`; an upload is whole."""
        return False

    def read(self, name: str) -> bytes:
        """See `Folder`."""
        with reaching(self.url):
            return self._system.cat_file(f"{self._root}/{name}")

    def write(self, name: str, data: bytes) -> None:
        """See `Folder`."""
        with reaching(self.url):
            self._system.pipe_file(f"{self._root}/{name}", data)

    def remove(self, name: str) -> None:
        """See `Folder`."""
        self._known = None
        with reaching(self.url):
            self._system.rm_file(f"{self._root}/{name}")


def exists(path: str | Path) -> bool:
    """Whether there is a file or folder at a path or URL."""
    if not is_remote(path):
        return Path(path).exists()
    system, key = file_system(str(path))
    with reaching(str(path)):
        return system.exists(key)


def read(path: str | Path) -> bytes:
    """The contents of a file at a path or URL."""
    if not is_remote(path):
        with inputs.open_regular(path) as file:
            return file.read()
    system, key = file_system(str(path))
    with reaching(str(path)):
        return system.cat_file(key)


def siblings(path: str | Path) -> list[str]:
    """The names of all that lies in the same folder; nothing where there is none."""
    if not is_remote(path):
        return os.listdir(Path(path).parent) if Path(path).parent.is_dir() else []
    return list(RemoteFolder(str(path).rpartition("/")[0]).names())


def remove(path: str | Path) -> None:
    """Deletes a file, if it is there."""
    if not is_remote(path):
        Path(path).unlink(missing_ok=True)
        return
    system, key = file_system(str(path))
    with reaching(str(path)):
        if system.exists(key):
            system.rm_file(key)


def publish(file: Path, path: str | Path) -> None:
    """Moves a complete local file to its path or URL, replacing what is there."""
    if not is_remote(path):
        atomic.sync(file)
        os.replace(file, path)
        atomic.sync(Path(path).parent)
        return
    system, key = file_system(str(path))
    with reaching(str(path)):
        system.put_file(str(file), key)
    file.unlink()


@contextlib.contextmanager
def new_file(path: str | Path) -> Iterator[BinaryIO]:
    """Opens a file that appears at its path or URL, replacing what is there, when the block ends without an error."""
    if not is_remote(path):
        with atomic.new_file(path, overwrite=True) as file:
            yield file
        return
    _check_writable(str(path))
    with tempfile.TemporaryDirectory(prefix="stylegan-jax-") as folder:
        with open(Path(folder) / "new", "wb") as file:
            yield file
        publish(Path(folder) / "new", path)


def _unfinished(path: str | Path) -> Path:
    return Path(path).with_name(f".{Path(path).name}.unfinished")


def clear_unfinished(path: str | Path) -> None:
    """Clears what a kill has left beside a local output that is whole; InputError if another process works there."""
    if not is_remote(path) and _unfinished(path).exists():
        with unfinished(path, keep=False):
            pass


@contextlib.contextmanager
def unfinished(path: str | Path, *, keep: bool) -> Iterator[Path]:
    """A folder for what is not whole yet: hidden beside a local output, and temporary for a remote one.

    No other process has it at the same time. It goes when the block ends; if `keep`, only without an error, so that the
    next run finds its contents. After a kill they are found, or cleared.

    Raises InputError if another process works there.
    """
    if is_remote(path):
        with tempfile.TemporaryDirectory(prefix="stylegan-jax-") as folder:
            yield Path(folder)
        return
    path, folder = Path(path), _unfinished(path)
    with atomic.turn(path.with_name(f".{path.name}.lock"), wait=False) as free:
        if not free:
            raise InputError("another process makes this part", "wait for it, or give each its own --part", file=path)
        folder.mkdir(exist_ok=True)
        for leftover in () if keep else folder.iterdir():
            leftover.unlink()
        try:
            yield folder
        except BaseException:
            if not keep:
                shutil.rmtree(folder, ignore_errors=True)
            raise
        shutil.rmtree(folder)
