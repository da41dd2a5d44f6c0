"""Where training images lie: a folder or a zip, listed without trusting any name in it."""

import io
import json
import os
import zipfile
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from stylegan_jax import images
from stylegan_jax.errors import InputError

SUFFIXES = (".png", ".jpg", ".jpeg", ".jfif", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm")
LABELS = "dataset.json"
_LARGEST_FILE = 1 << 28  # bytes; no image of a size that would be read is larger


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
        return io.BytesIO(self.archive.read(name))

    def close(self) -> None:
        """Closes the zip."""
        if self.archive is not None:
            self.archive.close()

    def labels(self) -> dict[str, Any] | None:
        """Name → label as `dataset.json` has it; None where there is none. InputError if it is no such file."""
        try:
            data = self.archive.read(LABELS) if self.archive else (self.path / LABELS).read_bytes()
        except (KeyError, FileNotFoundError):
            return None
        try:
            found = json.loads(data)["labels"]
            return None if found is None else {name.replace("\\", "/"): label for name, label in found}
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            what = '{"labels": [["name.png", label], …]}'
            raise InputError(f"{LABELS} does not read {what}", "repair or remove it", file=self.path) from error


def find(path: str | Path) -> Images:
    """Lists the images of a folder (with subfolders) or zip. Raises InputError for all else, and if none is there."""
    place = Path(path).expanduser()
    try:
        if not place.exists():
            raise InputError("no such folder or zip", "check the path", file=path)
        found = _in_folder(place) if place.is_dir() else _in_zip(place)
    except (OSError, zipfile.BadZipFile) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"cannot be read ({reason})", "give a folder or a zip of images", file=path) from error
    if not found.names and not found.refused:
        raise InputError("holds no images", f"give a folder or a zip of {', '.join(SUFFIXES[:4])} … files", file=path)
    return found


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
    if not zipfile.is_zipfile(path):
        raise InputError("is no folder and no zip", "give a folder or a zip of images", file=path)
    found = Images(path, archive=zipfile.ZipFile(path))
    assert found.archive is not None
    entries = {entry.filename: entry for entry in found.archive.infolist() if _is_image(entry.filename)}
    for name, entry in sorted(entries.items()):
        if ".." in PurePosixPath(name).parts or name.startswith("/") or ":" in name:
            found.refused[name] = "its name points outside the zip"
        elif entry.file_size > _LARGEST_FILE:
            found.refused[name] = f"it unpacks to {entry.file_size >> 20} MiB"
        else:
            found.names.append(name)
            found.stamps.append((entry.file_size, entry.CRC))
    return found


def _is_image(name: str) -> bool:
    """By its suffix; what systems put beside images (.DS_Store, __MACOSX/._a.png) is none."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    hidden = any((part.startswith(".") and part != "..") or part == "__MACOSX" for part in parts)
    return not hidden and name.lower().endswith(SUFFIXES)
