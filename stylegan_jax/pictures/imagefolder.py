"""A folder of images with a manifest, which several processes may fill and a killed one continues."""

import contextlib
import json
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
from jaxtyping import UInt8

from stylegan_jax.errors import InputError
from stylegan_jax.pictures import encoding, pool
from stylegan_jax.pictures.listing import Listing, from_json
from stylegan_jax.pictures.naming import ARRAY, Pictures, difference
from stylegan_jax.storage import atomic, inputs, remote
from stylegan_jax.storage.parts import Part, array_to_json

MANIFEST = "manifest.json"
_FILES = "files"
_SUFFIXES = tuple(f".{form}" for form in get_args(encoding.Form))


class ImageFolder:
    """One file for each image, each whole or not there; the manifest says what made them, whichever part did.

    The manifest lists the files that were made, or are to be: no other is ever read, replaced or deleted.

    Args:
      path: made if it is missing; a URL or a local path.
      pictures: names and form of the images.
      manifest: JSON data that says how the images are made. The folder is continued if its own is identical.
      part: the images of this process.
      overwrite: over another manifest, delete the files it lists and start anew.
      others: names of further files that the caller makes there.

    Raises InputError if the folder holds images of another manifest, naming the first difference, or images that no
    manifest of ours lists.
    """

    def __init__(
        self,
        path: str | Path,
        pictures: Pictures,
        manifest: Mapping[str, Any],
        *,
        part: Part = Part(),  # noqa: B008
        overwrite: bool = False,
        others: Sequence[str] = (),
    ):
        self.path, self._pictures, self._part, self._overwrite = path, pictures, part, overwrite
        self._wanted = pictures.listing | Listing.of(others)
        self._manifest = json.loads(json.dumps(manifest))
        self._files: remote.Folder
        self._saving: list[Generator[int, None, None]] = []

    @contextlib.contextmanager
    def opened(self) -> Iterator["ImageFolder"]:
        """Checks the folder, or makes it, and keeps this part to one process while the block runs."""
        if remote.is_remote(self.path):
            self._files = remote.RemoteFolder(str(self.path))
            self._claim()
            yield self
            return
        path = Path(self.path)
        if path.exists() and not path.is_dir():
            raise InputError("is a file", "name a folder", file=path)
        path.mkdir(parents=True, exist_ok=True)
        with remote.unfinished(path / f"part{self._part.suffix}", keep=False) as folder:
            self._files = remote.LocalFolder(path, folder)
            with atomic.turn(path / ".manifest.lock", wait=True):
                self._claim()
            try:
                yield self
            finally:
                for saving in self._saving:  # nothing may be written there once the folder is gone
                    saving.close()

    def _claim(self) -> None:
        found, listed = self._stored()
        changed = difference(found, self._manifest) if listed else ""
        if changed and not self._overwrite:
            raise InputError(f"holds images {changed}", "choose another folder, or pass --overwrite", file=self.path)
        names = list(self._files.names())
        self._refuse_strangers(names, listed)
        for name in names if changed else ():
            if name in listed:
                self._files.remove(name)
        array = array_to_json(self._part.array) or (None if changed else found.get(ARRAY))
        known = {ARRAY: array} if array is not None else {}
        manifest = {**self._manifest, **known, _FILES: (self._wanted if changed else self._wanted | listed).to_json()}
        if manifest != {**found, _FILES: listed.to_json()}:
            self._files.write(MANIFEST, json.dumps(manifest, indent=1).encode())

    def _stored(self) -> tuple[dict[str, Any], Listing]:
        """What the folder's manifest says, and which files it lists; nothing where there is none."""
        if not self._files.exists(MANIFEST):
            return {}, Listing()
        found = parsed(self._files.read(MANIFEST))
        listed = from_json(found.pop(_FILES, None))
        if listed is None:
            raise InputError("is none that sample wrote", "choose another folder", file=f"{self.path}/{MANIFEST}")
        return found, listed

    def _refuse_strangers(self, names: list[str], listed: Listing) -> None:
        """Whatever lies in the way, or beside, without being on our list is the user's."""
        strangers = [name for name in names if name not in listed]
        if not listed and any(name.endswith(_SUFFIXES) for name in strangers):
            raise InputError("holds images of unknown origin", "choose another folder", file=self.path)
        if in_the_way := sorted(name for name in strangers if name in self._wanted):
            what = f"holds {in_the_way[0]}, which was not made by this command"
            raise InputError(what, "move it away, or choose another folder", file=self.path)

    def missing(self, share: range) -> Iterator[int]:
        """Those of the images that are not there yet; one without contents is not."""
        return (index for index in share if not self._has(self._pictures.name(index)))

    def _has(self, name: str) -> bool:
        return self._files.exists(name) and not self._files.is_empty(name)

    def save(self, made: Iterable[tuple[int, UInt8[np.ndarray, "h w c"]]]) -> Iterator[int]:
        """Encodes and writes in threads; yields the number of every image that is there, in order."""
        self._saving.append(pool.in_order(self._write, made, waiting=self._pictures.waiting))
        return self._saving[-1]

    def _write(self, item: tuple[int, UInt8[np.ndarray, "h w c"]]) -> int:
        index, image = item
        self._files.write(self._pictures.name(index), self._pictures.encode(index, image, self._manifest))
        return index

    def read(self, index: int, channels: int) -> UInt8[np.ndarray, "h w c"]:
        """The pixels of an image that was saved."""
        return encoding.decode(self._files.read(self._pictures.name(index)), self._pictures.form, channels)


def parsed(text: bytes) -> dict[str, Any]:
    """A manifest; empty for what is none."""
    try:
        found = inputs.parsed(text, inputs.Budget(len(text)))
    except (ValueError, InputError):
        return {}
    return found if isinstance(found, dict) else {}
