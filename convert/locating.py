"""Where a model that somebody named lies on this machine, fetching it first if it has an address."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from convert import kinds
from stylegan_jax.errors import InputError
from stylegan_jax.storage.downloads import addresses

_AGAIN = "run the same command again; if that does not help, get the file in another way"
_END_OF_ZIP = b"PK\5\6"


def locate(model: str | Path) -> Path:
    """The file or folder of a model given by path, by address (https://, hf://, gs://, …) or by a public name.

    Raises InputError for an address that serves no model; of a path nothing is checked.
    """
    address = addresses.find(model)
    if address is None:
        return Path(addresses.path_of(model))
    if address.scheme in ("http", "https"):
        from stylegan_jax.storage.downloads import modelcache

        return modelcache.fetch(address, check_whole)
    from stylegan_jax.storage.downloads import remotefolders

    return remotefolders.fetch(address, check_whole)


@contextlib.contextmanager
def naming(local: Path, given: str | Path) -> Iterator[None]:
    """Errors about a local copy, or about no file in particular, name what was given."""
    try:
        yield
    except InputError as error:
        if error.file is None or str(error.file) == str(local):
            error.file = given
        raise


def check_whole(file: Path) -> None:
    """Refuses what is no model, and what ends before its own format says so: servers err about lengths."""
    kind, end = kinds.sniff(file), _end(file)  # which looks at the sizes in a .safetensors
    if not {kinds.TORCH_ZIP: _END_OF_ZIP in end, kinds.PICKLE: end.endswith(b".")}.get(kind, True):
        raise InputError("what the server sent is not the whole file", _AGAIN)


def _end(file: Path) -> bytes:
    """The last bytes, in which a zip has its directory's end, even behind a comment."""
    with open(file, "rb") as stream:
        stream.seek(max(0, os.fstat(stream.fileno()).st_size - 66_000))
        return stream.read()
