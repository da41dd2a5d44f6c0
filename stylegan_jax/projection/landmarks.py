"""The four points of every face of a picture: from a file, from the command line, checked."""

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from jaxtyping import UInt8

from stylegan_jax.errors import InputError, remedy_of, shown, system_fault
from stylegan_jax.projection.framing import Points, face_unit
from stylegan_jax.storage import inputs

ORDER = "image-left eye, image-right eye, image-left and image-right corner of the mouth"
_LARGEST_FILE = 1 << 26  # bytes
_MOST_FACES, _LONGEST_ROW = 250_000, 10_000  # of a file; characters of a CSV's row: a path and eight numbers
_FLATTEST = 0.05  # of sine between the line of the eyes and that to the mouth; faces seen from the side have 0.5
_FORM = 'give each picture four points, as {"me.jpg": [[x, y], …]} or as a row me.jpg,x,y,x,y,x,y,x,y'
_TEXT = re.compile(r"[\s;]+")


@dataclass(frozen=True, eq=False)
class Face:
    """A face of a picture: its four points, and how sure the finder is (given ones: 1)."""

    points: Points
    score: float = 1.0

    @property
    def size(self) -> float:
        """In pixels."""
        return face_unit(self.points)


Finder = Callable[[UInt8[np.ndarray, "h w 3"]], list[Face]]
"""The seam: an upright picture → its faces, in any order; none is an empty list."""


def in_text(text: str) -> Face:
    """`x,y x,y x,y x,y` → a face; InputError for anything else."""
    words = [word.split(",") for word in _TEXT.split(text.strip())]
    return _face([_numbers(pair) for pair in words], f"--landmarks {text[:60]}")


def in_file(path: str | Path) -> dict[str, list[Face]]:
    """The faces of each picture that a file names.

    JSON: `{"me.jpg": [[x, y], [x, y], [x, y], [x, y]], "us.jpg": [[…], […]]}`, four points, or a list of such fours.
    CSV: rows `me.jpg,x,y,x,y,x,y,x,y`, one for each face; a first row of names is skipped. In place of four points JSON
    may hold the 68 of dlib's scheme. The order is: image-left eye, image-right eye, image-left and image-right corner
    of the mouth.

    Raises InputError, naming the picture, for what is none of this.
    """
    suffix = PurePosixPath(str(path)).suffix.lower()
    if suffix not in (".json", ".csv"):
        raise InputError("is neither .json nor .csv", _FORM, file=path)
    text = _read(Path(path).expanduser(), path)
    found = _of_json(text, path) if suffix == ".json" else _of_csv(text, path)
    if not found:
        raise InputError("names no picture", _FORM, file=path)
    return found


def of_picture(found: Mapping[str, list[Face]], name: str, path: str | Path) -> list[Face]:
    """The faces that the file at `path` gives for a picture: by its path in the folder, else by its bare name."""
    for key in (name, PurePosixPath(name).name):
        if key in found:
            return found[key]
    raise InputError(f"{path} has no points for it", "add them, or leave the picture out", file=name)


def check(face: Face, width: int, height: int) -> None:
    """Raises InputError unless the points can be those of a face in a picture of that size."""
    points, size = face.points, np.array([width, height])
    if not np.isfinite(points).all():
        raise InputError("its points are no finite numbers", "give numbers of pixels")
    middle = points.mean(0)
    if (points < -size).any() or (points > 2 * size).any() or (middle < 0).any() or (middle > size - 1).any():
        raise InputError(f"its points lie outside its {width}×{height} pixels", "give pixels of the upright picture")
    across, down = points[1] - points[0], points[2:].mean(0) - points[:2].mean(0)
    lengths = np.hypot(*across) * np.hypot(*down)
    if min(np.hypot(*across), np.hypot(*down)) < 1:
        raise InputError("its points lie within one pixel", f"give {ORDER}")
    sine = (across[0] * down[1] - across[1] * down[0]) / lengths
    if abs(sine) < _FLATTEST:
        raise InputError("its points lie on one line", f"give {ORDER}")
    if sine < 0 or np.dot(across, points[3] - points[2]) < 0:
        raise InputError("its points are in another order", f"give {ORDER}")


def of_68(points: np.ndarray) -> Points:
    """Four points of the 68 of dlib's scheme: means of each eye's six, corners of the mouth."""
    return np.stack([points[36:42].mean(0), points[42:48].mean(0), points[48], points[54]]).astype(np.float64)


def _face(points: Any, place: str | Path, picture: str = "") -> Face:
    """A face of four or 68 pairs of finite numbers."""
    whose = f"{picture!r}: " if picture else ""
    if not isinstance(points, list) or len(points) not in (4, 68):
        count = f"{len(points)} points" if isinstance(points, list) else "no list of points"
        raise InputError(f"{whose}{count}, not four", _FORM if picture else "write x,y x,y x,y x,y", file=place)
    for pair in points:
        if not isinstance(pair, list) or len(pair) != 2 or not all(_is_finite(value) for value in pair):
            raise InputError(f"{whose}{str(pair)[:40]} is no point", "write two finite numbers of pixels", file=place)
    array = np.array(points, np.float64)
    return Face(of_68(array) if len(points) == 68 else array)


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e9  # also no NaN


def _numbers(words: Sequence[str]) -> list[Any]:
    """The numbers of some words; what is none stays a word."""
    found: list[Any] = []
    for word in words:
        try:
            found.append(float(word))
        except ValueError:
            found.append(word)
    return found


def _read(path: Path, named: str | Path) -> str:
    try:
        if not path.is_dir():
            inputs.require_regular_file(path, empty=True)
        if path.stat().st_size > _LARGEST_FILE:
            raise InputError(f"has more than {_LARGEST_FILE >> 20} MiB", "split it", file=named)
        return path.read_text("utf-8-sig")
    except InputError as error:
        error.file = named
        raise
    except UnicodeDecodeError as error:
        raise InputError("is no text", _FORM, file=named) from error
    except OSError as error:
        if (fault := system_fault(error)) is not None:
            raise InputError(f"cannot be read ({fault.strerror})", remedy_of(fault), file=named) from error
        raise InputError("no such file", "check the path", file=named) from error


def _of_json(text: str, path: str | Path) -> dict[str, list[Face]]:
    try:
        table = inputs.parsed(text.encode(), inputs.Budget(len(text)))
    except ValueError as error:
        raise InputError(f"is no JSON ({shown(str(error), 80)})", _FORM, file=path) from error
    except InputError as error:
        error.file = path
        raise
    if not isinstance(table, dict):
        raise InputError("is no table of pictures", _FORM, file=path)
    faces = {name: _faces(value) for name, value in table.items()}
    if sum(map(len, faces.values())) > _MOST_FACES:
        raise _too_many(path)
    return {name: [_face(face, path, name) for face in each] for name, each in faces.items()}


def _too_many(path: str | Path) -> InputError:
    return InputError(f"has more than {_MOST_FACES} faces", "split it", file=path)


def _faces(value: Any) -> list[Any]:
    """The lists of points of one picture, which may be one alone."""
    deep = isinstance(value, list) and value and isinstance(value[0], list) and value[0]
    return value if deep and isinstance(value[0][0], list) else [value]


def _of_csv(text: str, path: str | Path) -> dict[str, list[Face]]:
    if text.count("\n") > _MOST_FACES:
        raise _too_many(path)
    found: dict[str, list[Face]] = {}
    try:
        for number, (name, *cells) in enumerate(_rows(text, path)):
            values = _numbers(cells)
            if number == 0 and cells and all(isinstance(value, str) for value in values):
                continue  # the names of the columns
            if len(values) != 8:
                raise InputError(f"row {number + 1} has {len(values)} numbers, not eight", _FORM, file=path)
            found.setdefault(name, []).append(_face([values[i : i + 2] for i in range(0, 8, 2)], path, name))
    except csv.Error as error:
        raise InputError(f"is no CSV ({error})", _FORM, file=path) from error
    return found


def _rows(text: str, path: str | Path) -> Iterator[list[str]]:
    """The cells of each row that has some; InputError for a row that is too long, before it is taken apart."""
    length = 0

    def lines() -> Iterator[str]:
        nonlocal length
        for line in io.StringIO(text):
            length += len(line)  # a name in quotation marks may hold the ends of lines
            if length > _LONGEST_ROW:
                raise InputError(f"has a row of more than {_LONGEST_ROW} characters", _FORM, file=path)
            yield line

    for row in csv.reader(lines()):
        length = 0
        if any(row):
            yield [cell.strip() for cell in row]
