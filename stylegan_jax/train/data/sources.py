"""Where training images lie: a folder or a zip, listed without trusting any name in it."""

import contextlib
import io
import itertools
import os
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from stylegan_jax.errors import InputError, shown
from stylegan_jax.pictures import images, pool
from stylegan_jax.storage import inputs, shipped

SUFFIXES = (".png", ".jpg", ".jpeg", ".jfif", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm")
LABELS = "dataset.json"
_OLD_FORMS = {
    ".tfrecords": "a TFRecord data set of the TensorFlow programs",
    ".tfrecord": "a TFRecord data set of the TensorFlow programs",
    ".mdb": "an LMDB data set of the rosinality programs",
    ".lmdb": "an LMDB data set of the rosinality programs",
    ".h5": "an HDF5 file",
    ".hdf5": "an HDF5 file",
}
_LARGEST_FILE = 1 << 28  # bytes; no image of a size that would be read is larger
_PACKED, _SMALL_FILE = 100, 1 << 25  # how far images are ever packed; bytes that any may have
_UNPACKED = pool.Share(1 << 27)  # bytes of files from a zip, for all threads
_LEAST_ENTRIES, _SMALLEST_IMAGE = 10_000, 256  # files that any zip may hold, and bytes that each further one takes


@dataclass
class Images:
    """The images of a folder or zip.

    Attributes:
      path: of the folder or zip.
      names: of the images, sorted, with slashes.
      stamps: size and time of each, to notice changes.
      refused: name → why it will not even be opened.
      archive: the open zip.
    """

    path: Path
    names: list[str] = field(default_factory=list)
    stamps: list[tuple[int, int]] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    archive: zipfile.ZipFile | None = None

    def open(self, name: str) -> images.Source:
        """What `images.read` takes."""
        if self.archive is None:
            return self.path / name
        entry = self.archive.getinfo(name)
        inputs.require_plain(entry)
        return io.BytesIO(self.archive.read(entry))

    @contextlib.contextmanager
    def opened(self, name: str) -> Iterator[images.Source]:
        """As `open`; what threads unpack at once has its bound."""
        with _UNPACKED.held(self.archive.getinfo(name).file_size if self.archive else 0):
            yield self.open(name)

    def close(self) -> None:
        """Closes the zip."""
        if self.archive is not None:
            self.archive.close()

    def label_files(self) -> list[str]:
        """Where `dataset.json` lies: at the top, or else in the folders below."""
        if self.archive is not None:
            every = self.archive.namelist()
        else:
            found = (file for file in self.path.rglob(LABELS) if file.is_file())
            every = [file.relative_to(self.path).as_posix() for file in found]
        files = sorted(name for name in every if PurePosixPath(name).name == LABELS and not _is_hidden(name))
        return [LABELS] if LABELS in files else files

    def json(self, name: str) -> Any:
        """The contents of a JSON file; ValueError if it is none, InputError for one that unfolds to too much."""
        place = f"{self.path}/{shown(name)}"
        try:
            if self.archive is None:
                data = inputs.contents(self.path / name, most=_LARGEST_FILE)
                return inputs.parsed(data, inputs.Budget(len(data)))
            budget = inputs.Budget(self.path.stat().st_size)
            return inputs.parsed(inputs.member(self.archive, self.archive.getinfo(name), budget), budget)
        except InputError as error:
            raise InputError(error.what, "repair or remove it", file=place) from error
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as error:
            raise InputError("is damaged", "repair or remove it", file=place) from error


def find(path: str | Path) -> Images:
    """Lists the images of a folder (with subfolders) or zip. Raises InputError for all else, and if none is there."""
    place = Path(path).expanduser()
    try:
        if not place.exists():
            raise InputError("no such folder or zip", "check the path", file=path)
        found = _in_folder(place) if place.is_dir() else _in_zip(place)
    except InputError as error:
        error.file = path
        raise
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or shown(str(error))
        raise InputError(f"cannot be read ({reason})", "give a folder or a zip of images", file=path) from error
    if not found.names and not found.refused:
        found.close()
        _refuse_old_forms(place, path)
        raise InputError("holds no images", f"give a folder or a zip of {', '.join(SUFFIXES[:4])} … files", file=path)
    return found


def require_data(path: str | Path) -> None:
    """Raises InputError, without a look at every image, where there is no folder and no zip."""
    place = Path(path).expanduser()
    if not place.exists():
        raise InputError("no such folder or zip", shipped.remedy(path), file=path)
    if not place.is_dir():
        _require_zip(place, path)


def _require_zip(place: Path, path: str | Path) -> None:
    size = inputs.require_regular_file(place, empty=True).st_size
    if size == 0 or not zipfile.is_zipfile(place):
        _refuse_old_forms(place, path)
        raise InputError("is no folder and no zip", "give a folder or a zip of images", file=path)


def _in_folder(folder: Path) -> Images:
    found = Images(folder)
    paths = [Path(at) / name for at, _, names in os.walk(folder, onerror=_raise) for name in names]
    named = sorted((path.relative_to(folder).as_posix(), path) for path in paths)
    for name, path in named:
        if _is_image(name):
            found.names.append(name)
            found.stamps.append(_stamp(path))
    return found


def _raise(error: OSError) -> None:
    raise error


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:  # a dangling link, or gone since it was listed: reading it will say so
        return (-1, -1)
    return (status.st_size, status.st_mtime_ns)


def _in_zip(path: Path) -> Images:
    _require_zip(path, path)
    file, size = inputs.open_regular(path), path.stat().st_size
    try:
        archive = inputs.open_zip(file, inputs.Budget(size), most=_LEAST_ENTRIES + size // _SMALLEST_IMAGE, own=True)
    except BaseException:
        file.close()
        raise
    found = Images(path, archive=archive)
    entries = {entry.filename: entry for entry in archive.infolist() if _is_image(entry.filename)}
    for name, entry in sorted(entries.items()):
        if ".." in PurePosixPath(name).parts or name.startswith("/") or ":" in name:
            found.refused[name] = "its name points outside the zip"
        elif entry.file_size > min(_LARGEST_FILE, _PACKED * entry.compress_size + _SMALL_FILE):
            found.refused[name] = f"it unpacks to {entry.file_size >> 20} MiB"
        elif entry.flag_bits & 1:
            found.refused[name] = "it is encrypted"
        else:
            found.names.append(name)
            found.stamps.append((entry.file_size, entry.CRC))
    return found


def _refuse_old_forms(place: Path, path: str | Path) -> None:
    """Says what data sets of older programs are, in a file or a folder of files."""
    names = [place.name] if place.is_file() else [file.name for file in itertools.islice(place.iterdir(), 10_000)]
    for (suffix, what), name in itertools.product(_OLD_FORMS.items(), names):
        if name.lower().endswith(suffix):
            remedy = "unpack it to images first, with dataset_tool.py of stylegan2-ada-pytorch: it writes a zip"
            raise InputError(f"is {what}, not a folder or zip of images", remedy, file=path)


def _is_image(name: str) -> bool:
    """By its suffix; what systems put beside images (.DS_Store, __MACOSX/._a.png) is none."""
    return not _is_hidden(name) and name.lower().endswith(SUFFIXES)


def _is_hidden(name: str) -> bool:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return any((part.startswith(".") and part != "..") or part == "__MACOSX" for part in parts)
