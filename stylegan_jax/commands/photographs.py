"""What people type to name photographs and the faces on them."""

import contextlib
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Literal

from stylegan_jax.commands import cli
from stylegan_jax.commands.flags import typed
from stylegan_jax.config import check_square
from stylegan_jax.errors import InputError, shown
from stylegan_jax.storage import shipped

if TYPE_CHECKING:
    import numpy as np

    from stylegan_jax.pictures.images import Source
    from stylegan_jax.projection.align import Crop
    from stylegan_jax.projection.framing import Framing
    from stylegan_jax.projection.landmarks import Face
    from stylegan_jax.storage.checkpoint import Model


@dataclass(frozen=True)
class Photograph:
    """A picture that the user named, not yet opened.

    Attributes:
      name: as errors show it.
      key: its path below the folder it was found in.
      stem: of its outputs, without a suffix.
      open: gives what `images.read` takes; raises InputError for what lies outside its zip.
    """

    name: str
    key: str
    stem: str
    open: "Callable[[], Source]"


def listed(paths: Sequence[str]) -> list[Photograph]:
    """The pictures of files, folders (with those below) and zips; outputs of no two have one name.

    Raises InputError for a folder or zip without pictures, and for two pictures that cannot be told apart.
    """
    if not all(paths) or len(paths) == 0:
        what = "an empty name" if paths else "no photograph"  # Path("") would be the folder one is in
        raise InputError(what, "name one, or a folder of them")
    found: list[Photograph] = []
    for path in paths:
        place = Path(path).expanduser()
        if place.is_dir() or place.suffix.lower() == ".zip":
            found += _inside(path)
        else:
            found.append(Photograph(path, place.name, place.stem, _file(place, path)))
    stems = Counter(photo.stem for photo in found)
    chosen = [
        Photograph(each.name, each.key, each.key if stems[each.stem] > 1 else each.stem, each.open) for each in found
    ]
    for stem, count in Counter(photo.stem.lower() for photo in chosen).items():
        if count > 1:
            twice = next(photo.name for photo in chosen if photo.stem.lower() == stem)
            raise InputError("another photograph has the same name", "rename one of them", file=twice)
    return chosen


def _file(place: Path, typed: str) -> "Callable[[], Source]":
    def opened() -> "Source":
        if not place.exists():
            raise InputError("no such file", shipped.remedy(typed))
        return place

    return opened


def _inside(path: str) -> Iterator[Photograph]:
    from stylegan_jax.train.data import sources

    found = sources.find(path)

    def opener(name: str) -> "Callable[[], Source]":
        def opened() -> "Source":
            if name in found.refused:
                raise InputError(found.refused[name], "repair the zip")
            return found.open(name)

        return opened

    for name in [*found.names, *found.refused]:
        stem = PurePosixPath(name).with_suffix("").as_posix() if name in found.names else PurePosixPath(name).stem
        yield Photograph(f"{path.rstrip('/')}/{name}", name, stem, opener(name))


@dataclass(frozen=True, kw_only=True)
class Faces:
    """Which faces of a photograph, and where they are."""

    landmarks: Annotated[str | None, typed("FILE|X,Y …")] = None
    """where the eyes and the corners of the mouth are: a .json or .csv file, or for one photograph "x,y x,y x,y x,y"
    (image-left eye, right eye, left and right corner of the mouth, in pixels); by default dlib finds them"""
    no_align: bool = False
    """take the middle of each photograph as it is"""
    faces: Literal["largest", "all"] = "largest"
    """of several faces"""

    def cropper(self, count: int, framing: "Framing", **options: int) -> "Callable[[Photograph], list[Crop]]":
        """Photograph → its crops, which raises InputError for one that cannot be used; values are read at once.

        Args:
          count: how many photographs there are.
          framing: of the model.
          **options: of `align.align`.
        """
        from stylegan_jax.pictures import images
        from stylegan_jax.projection import align

        if self.no_align:
            if self.landmarks is not None or self.faces != "largest":
                raise InputError("--no-align looks for no face", "leave --landmarks and --faces out")
            return lambda photo: [align.centred(images.read(photo.open()), size=options["size"])]
        faces_of = self._finder(count)

        def crops(photo: Photograph) -> "list[Crop]":
            pixels = images.read(photo.open())
            faces = sorted(faces_of(photo, pixels), key=lambda face: -face.size)
            chosen = faces[:1] if self.faces == "largest" else faces
            return [align.align(pixels, face, framing, **options) for face in chosen]

        return crops

    def _finder(self, count: int) -> "Callable[[Photograph, np.ndarray], list[Face]]":
        from stylegan_jax.projection import detection, landmarks

        given = self.landmarks
        if given is None:
            find = detection.dlib_finder(1 / 32 if self.faces == "all" else 1 / 16)
            return lambda photo, pixels: _some(find(pixels))
        if "," in given and not Path(given).expanduser().exists():
            if count > 1:
                raise InputError("four points are those of one photograph", "name a file", file=f"--landmarks {given}")
            face = landmarks.in_text(given)
            return lambda photo, pixels: [face]
        table = landmarks.in_file(given)
        return lambda photo, pixels: landmarks.of_picture(table, photo.key, given)


def _some(faces: "list[Face]") -> "list[Face]":
    if not faces:
        remedy = "give its four points: --landmarks, or take the picture as it is: --no-align"
        raise InputError("no face found", remedy)
    return faces


def cropped(photos: Sequence[Photograph], which: Faces, model: "Model") -> "list[tuple[Photograph, Crop]]":
    """The crops of photographs as a model takes them, each with its photograph; those that fail are told of."""
    from stylegan_jax.projection import framing

    check_square(model.config.generator, "a projection")
    crops_of = which.cropper(len(photos), framing.of_model(model.lineage), size=model.config.generator.img_resolution)
    found = []
    for photo in photos:
        with failures_told(photo):
            found += [(photo, crop) for crop in crops_of(photo)]
    return found


def names_of(crops: "Sequence[tuple[Photograph, Crop]]") -> list[str]:
    """Of outputs: the photographs' own, numbered where one has several faces."""
    stems = [photo.stem for photo, _ in crops]
    counts, names = Counter(stems), []
    for i, stem in enumerate(stems):
        names.append(f"{stem}-{stems[: i + 1].count(stem)}" if counts[stem] > 1 else stem)
    return names


def outputs_of(photos: Sequence[Photograph], names: Sequence[str], ends: Sequence[str]) -> list[str]:
    """All files that photographs of such names become; InputError where two of them would be one.

    Args:
      photos: each with its name.
      names: of their outputs.
      ends: what becomes of a name: "{}-sheet.png", …
    """
    found: dict[str, Photograph] = {}
    files = []
    for photo, name in zip(photos, names, strict=True):
        for file in (end.format(name) for end in ends):
            if (other := found.setdefault(file.casefold(), photo)) is not photo:
                what = f"one of its pictures would be {shown(file)}, as one of {shown(other.name)}"
                raise InputError(what, "rename one of them", file=photo.name)
            files.append(file)
    return files


@contextlib.contextmanager
def failures_told(photo: Photograph) -> Iterator[None]:
    """An InputError of the block ends the block, not the command: it is told in a line that names the photograph."""
    try:
        yield
    except InputError as error:
        print(cli.in_a_line(InputError(error.what, error.remedy, file=photo.name)), file=sys.stderr)
