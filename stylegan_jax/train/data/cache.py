"""Training images cropped and resized once, kept as raw bytes that are mapped into memory."""

import atexit
import contextlib
import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8
from PIL import Image
from tqdm import tqdm

from stylegan_jax.errors import InputError, say, shown, system_fault
from stylegan_jax.pictures import images
from stylegan_jax.storage import atomic, usercache
from stylegan_jax.train.data.sources import Images

_FORMAT = 1
_INDEX, _PIXELS = "index.json", "pixels.u8"
_OF_THE_IMAGE = {errno.EACCES, errno.EPERM, errno.EINVAL}  # EINVAL: a zip that points before its own beginning
_AT_ONCE = 64  # images that are decoded, but not yet written


class Square(NamedTuple):
    """An image made to fit, or why it could not be."""

    pixels: UInt8[np.ndarray, "r r c"] | None
    reason: str = ""
    enlarged: bool = False


@dataclass(frozen=True)
class Cropped:
    """Square images of one size.

    Attributes:
      pixels: mapped from a file.
      names: of the images, in the order of `pixels`.
      left_out: name → why the image could not be used.
      enlarged: names of images smaller than the resolution, but not under half of it.
      sha256: of `pixels`.
    """

    pixels: UInt8[np.ndarray, "n r r c"]
    names: list[str]
    left_out: dict[str, str]
    enlarged: list[str]
    sha256: str


def cropped(source: Images, resolution: int, channels: int, *, folder: Path | None = None) -> Cropped:
    """The centre squares of the images at one size, from the cache if they have not changed since.

    Raises InputError if no image is usable, OSError if the disk is full.

    Args:
      folder: of the cache; the user's by default.
    """
    place = (folder or cache_folder()) / _key(source, resolution, channels)
    if (found := _open(place, resolution, channels)) is not None:
        return found
    with _turn(place):
        if (found := _open(place, resolution, channels)) is not None:  # another process has made it meanwhile
            return found
        with atomic.new_folder(place, marker=_INDEX, beside=[_PIXELS], overwrite=True) as partial:
            _build(source, resolution, channels, partial)
        found = _open(place, resolution, channels)
    assert found is not None
    return found


@contextlib.contextmanager
def _turn(place: Path) -> Iterator[None]:
    """One process at a time crops a set; the others say that they wait, and then find it done."""
    lock = place.with_name(f".{place.name}.lock")
    with atomic.turn(lock, wait=False) as free:
        if free:
            yield
            return
    say("waiting for another process, which reads the same images …")
    with atomic.turn(lock, wait=True):
        yield


def _open(place: Path, resolution: int, channels: int) -> Cropped | None:
    try:
        index = json.loads((place / _INDEX).read_text())
        shape = (len(index["names"]), resolution, resolution, channels)
        index["pixels"] = np.memmap(place / _PIXELS, np.uint8, "r", shape=shape)
        return Cropped(**index)
    except (OSError, ValueError):  # not there, or a part of it deleted
        return None


def cache_folder() -> Path:
    """A folder of the user's that may be deleted at any time; where there is none, one that goes with the process."""
    if (kept := usercache.folder("images")) is not None:
        return kept
    folder = Path(tempfile.mkdtemp(prefix="stylegan-jax-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _key(source: Images, resolution: int, channels: int) -> str:
    """A name that changes with whatever changes the result."""
    files = [source.names, source.stamps, source.refused]
    facts = [_FORMAT, str(source.path.resolve()), resolution, channels, *files]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]


def _build(source: Images, resolution: int, channels: int, folder: Path) -> None:
    names, left_out, enlarged, digest = [], dict(source.refused), [], hashlib.sha256()
    with open(folder / _PIXELS, "wb") as file:
        for name, square in _squares(source, resolution, channels):
            if square.pixels is None:
                left_out[name] = square.reason
                continue
            names.append(name)
            enlarged += [name] if square.enlarged else []
            data = square.pixels.tobytes()
            digest.update(data)
            file.write(data)
    if not names:
        name, reason = next(iter(left_out.items()))
        what = f"none of its {len(left_out)} images can be used; {shown(name)}: {reason}"
        raise InputError(what, "give other images, or a lower --resolution", file=source.path)
    index = {"names": names, "left_out": left_out, "enlarged": enlarged, "sha256": digest.hexdigest()}
    (folder / _INDEX).write_text(json.dumps(index))


def _squares(source: Images, resolution: int, channels: int) -> Iterator[tuple[str, Square]]:
    """Decodes in a few threads, some images ahead, in order."""
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool, _progress(len(source.names)) as bar:
        for start in range(0, len(source.names), _AT_ONCE):
            names = source.names[start : start + _AT_ONCE]
            squares = pool.map(lambda name: _square(source, name, resolution, channels), names)
            for name, square in zip(names, squares, strict=True):
                yield name, square
                bar.update()


def _progress(total: int) -> tqdm:
    return tqdm(total=total, desc="reading images", unit="img", disable=None, delay=2, leave=False)


def _square(source: Images, name: str, resolution: int, channels: int) -> Square:
    """An image made to fit, or why it cannot be."""
    try:
        with source.opened(name) as file, images.reading(file, channels) as pixels:
            return _fitted(pixels, resolution)
    except Exception as error:  # zips raise as many kinds as decoders
        fault = system_fault(error)
        if fault is not None and fault.errno not in _OF_THE_IMAGE:
            raise OSError(fault.errno, fault.strerror, name) from error  # or the cache would keep that
        if isinstance(error, InputError):
            return Square(None, error.what)
        return Square(None, shown(" ".join(str(error)[:1000].split()), 150) or type(error).__name__)


def _fitted(pixels: UInt8[np.ndarray, "h w c"], resolution: int) -> Square:
    """The largest centre square, resized by Lanczos as the official tool does."""
    height, width, channels = pixels.shape
    side = min(height, width)
    if 2 * side < resolution:
        return Square(None, f"{width}×{height} pixels are too few")
    top, left = (height - side) // 2, (width - side) // 2
    pixels = pixels[top : top + side, left : left + side]
    if side != resolution:
        picture = Image.fromarray(np.ascontiguousarray(pixels[..., 0] if channels == 1 else pixels))
        pixels = np.asarray(picture.resize((resolution, resolution), Image.Resampling.LANCZOS))
    return Square(np.ascontiguousarray(pixels).reshape(resolution, resolution, channels), enlarged=side < resolution)
