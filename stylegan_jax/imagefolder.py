"""A folder of images with a manifest, which several processes may fill and a killed one continues."""

import contextlib
import json
import re
from collections.abc import Generator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np
from jaxtyping import UInt8

from stylegan_jax import encoding, outputs, places, pool
from stylegan_jax.errors import InputError
from stylegan_jax.parts import Part
from stylegan_jax.pictures import Pictures, difference

MANIFEST = "manifest.json"
_FORMS = "|".join(get_args(encoding.Form))
_OURS = re.compile(rf"(seed\d{{4,}}|proj\d{{2,}}|\d+-\d+)\.({_FORMS})")


class ImageFolder:
    """One file for each image, each whole or not there; the manifest says what made them, whichever part did.

    Args:
      path: made if it is missing; a URL or a local path.
      pictures: names and form of the images.
      manifest: JSON data that says how the images are made. The folder is continued if its own is identical.
      part: the images of this process.
      overwrite: over another manifest, delete its images and start anew.

    Raises InputError if the folder holds images of another manifest, naming the first difference.
    """

    def __init__(
        self,
        path: str | Path,
        pictures: Pictures,
        manifest: Mapping[str, Any],
        *,
        part: Part = Part(),  # noqa: B008
        overwrite: bool = False,
    ):
        self.path, self._pictures, self._part, self._overwrite = path, pictures, part, overwrite
        self._manifest = json.loads(json.dumps(manifest))
        self._files: places.Folder
        self._saving: list[Generator[int, None, None]] = []

    @contextlib.contextmanager
    def opened(self) -> Iterator["ImageFolder"]:
        """Checks the folder, or makes it, and keeps this part to one process while the block runs."""
        if places.is_remote(self.path):
            self._files = places.RemoteFolder(str(self.path))
            self._claim()
            yield self
            return
        path = Path(self.path)
        if path.exists() and not path.is_dir():
            raise InputError("is a file", "name a folder", file=path)
        path.mkdir(parents=True, exist_ok=True)
        with places.unfinished(path / f"part{self._part.suffix}", keep=False) as folder:
            self._files = places.LocalFolder(path, folder)
            with outputs.turn(path / ".manifest.lock", wait=True):
                self._claim()
            try:
                yield self
            finally:
                for saving in self._saving:  # nothing may be written there once the folder is gone
                    saving.close()

    def _claim(self) -> None:
        if self._files.exists(MANIFEST):
            found = difference(_parsed(self._files.read(MANIFEST), self.path), self._manifest)
            if not found:
                return
            if not self._overwrite:
                what = f"holds images {found}"
                raise InputError(what, "choose another folder, or pass --overwrite", file=self.path)
        elif not self._overwrite and any(name.endswith(tuple(get_args(encoding.Form))) for name in self._files.names()):
            raise InputError(
                "holds images of unknown origin", "choose another folder, or pass --overwrite", file=self.path
            )
        for name in [name for name in self._files.names() if _OURS.fullmatch(name)]:
            self._files.remove(name)
        self._files.write(MANIFEST, json.dumps(self._manifest, indent=1).encode())

    def missing(self, share: range) -> Iterator[int]:
        """Those of the images that are not there yet."""
        return (index for index in share if not self._files.exists(self._pictures.name(index)))

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


def _parsed(text: bytes, path: object) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise InputError("is damaged", "remove the folder, or pass --overwrite", file=f"{path}/{MANIFEST}") from error
    return found if isinstance(found, dict) else {}
