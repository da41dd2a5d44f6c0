"""Films as files: one that is written whole, a folder of frames that goes on after a kill, and such a folder joined."""

import hashlib
import json
import os
from collections.abc import Callable, Container, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

from interp.frames import LEAST, Frame
from stylegan_jax.errors import InputError
from stylegan_jax.pictures import imagefolder, images, video
from stylegan_jax.pictures.imagefolder import ImageFolder
from stylegan_jax.pictures.naming import Pictures
from stylegan_jax.storage import atomic, inputs, schema

Drawing = Callable[[Container[int]], Iterator[tuple[int, Frame]]]
"""Which frames are wanted → each with its number, in order."""
MOST = 120 * 3600
"""Frames."""
_FILM = schema.Table(
    {"frames": schema.Number(1, MOST, whole=True), "fps": schema.Number(1, 120, whole=True)},
    required=("frames", "fps"),
    others=schema.Anything(),
)
_LARGEST = 4 << 20  # bytes of a manifest


def write(
    path: Path,
    draw: Drawing,
    count: int,
    *,
    fps: int,
    note: Mapping[str, Any],
    sound: str | None = None,
    overwrite: bool = False,
) -> None:
    """Writes a film, whole or not at all, in the form of its suffix; `note` goes into its comment.

    Raises InputError if it exists (unless `overwrite`).
    """
    text = json.dumps(note, ensure_ascii=False)

    def frames() -> Iterator[Frame]:
        for _, frame in tqdm(draw(range(count)), "frames", count, disable=None, leave=False):
            yield frame

    with atomic.new_file(path, overwrite=overwrite) as file:
        video.write(file, frames(), suffix=path.suffix.lower(), fps=fps, note=text, sound=sound)


def fill(path: str, draw: Drawing, count: int, made_by: Mapping[str, Any], *, overwrite: bool = False) -> int:
    """Makes the frames of a folder that are not there yet: frame00000.png, …; returns how many were there.

    Args:
      path: of the folder, which may be remote.
      draw: makes frames.
      count: frames of the film.
      made_by: JSON data that decides what they show: another value, another film.
      overwrite: replace the frames of another film.

    Raises InputError if the folder holds something else.
    """
    digest = hashlib.sha256(json.dumps(made_by, sort_keys=True).encode()).hexdigest()
    pictures = Pictures(count, _stem, LEAST * LEAST * 3, digest, runs=[(_stem(0), _stem(count - 1))])
    with ImageFolder(path, pictures, made_by, overwrite=overwrite).opened() as folder:
        missing = set(folder.missing(range(count)))
        there = count - len(missing)
        for _ in tqdm(folder.save(draw(missing)), "frames", len(missing), disable=None, leave=False):
            pass
    return there


def _stem(frame: int) -> str:
    return f"frame{frame:05d}"


class Filmed(NamedTuple):
    """A folder of frames that is whole."""

    folder: Path
    count: int
    fps: int
    note: dict[str, Any]

    @property
    def area(self) -> int:
        """Pixels of the first frame."""
        first = self._read(0)
        return first.shape[0] * first.shape[1]

    def _read(self, frame: int) -> Frame:
        """InputError for a frame that is damaged, whose remedy is to make it again."""
        file = self._file(frame)
        try:
            return images.read(file)
        except InputError as error:
            raise InputError(error.what, "remove it, and make the frames again", file=file) from error

    def _file(self, frame: int) -> Path:
        return self.folder / f"{_stem(frame)}.png"

    def draw(self, wanted: Container[int]) -> Iterator[tuple[int, Frame]]:
        """Reads its frames; InputError for one that is damaged, or of another size than the first."""
        shape = None
        for frame in range(self.count):
            pixels = self._read(frame)
            shape = shape or pixels.shape
            if pixels.shape != shape:
                what = f"has {pixels.shape[1]}×{pixels.shape[0]} pixels, the first frame {shape[1]}×{shape[0]}"
                raise InputError(what, "remove it, and make the frames again", file=self._file(frame))
            yield frame, pixels


def filmed(path: str) -> Filmed:
    """A folder that `fill` has filled; InputError for any other, and for one that lacks frames."""
    folder = Path(path)
    if not folder.is_dir():
        raise InputError("is no folder", "name a folder of frames that interp.film made", file=path)
    manifest = folder / imagefolder.MANIFEST
    found = imagefolder.parsed(inputs.contents(manifest, most=_LARGEST)) if manifest.is_file() else {}
    if schema.faults(found, _FILM):
        raise InputError("holds no frames of a film", "name a folder of frames that interp.film made", file=path)
    count = found["frames"]
    there = {entry.name for entry in os.scandir(folder)}
    missing = sum(f"{_stem(frame)}.png" not in there for frame in range(count))
    if missing:
        what = f"lacks {missing} of {count} frames"
        raise InputError(what, "run the command that makes them again: it goes on where it stopped", file=path)
    return Filmed(folder, count, found["fps"], {key: value for key, value in found.items() if key != "files"})
