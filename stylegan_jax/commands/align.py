"""The command `align`: photographs → the squares that face models were trained on."""

import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from stylegan_jax import values
from stylegan_jax.commands import cli
from stylegan_jax.commands.flags import Flat, typed
from stylegan_jax.commands.photographs import Faces, Photograph, failures_told, listed
from stylegan_jax.config import check_square
from stylegan_jax.errors import InputError

if TYPE_CHECKING:
    from stylegan_jax.projection.align import Crop
    from stylegan_jax.projection.framing import Framing


def align(
    photos: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="PHOTO …", help_behavior_hint="")],
    /,
    *,
    out: Annotated[str, typed("PLACE")],
    which: Annotated[Faces, Flat],
    framing: Annotated[str, typed("ffhq|MODEL")] = "ffhq",
    size: Annotated[str | None, typed("N")] = None,
    supersampling: Annotated[str, typed("N")] = "4",
    overwrite: bool = False,
) -> int:
    """Cuts faces out of photographs, upright and in the frame that a face model was trained on.

    python -m stylegan_jax align photos/ --out crops

    python -m stylegan_jax align me.jpg --framing portraits --landmarks "310,402 415,398 322,517 409,514" --out me.png

    Photographs that cannot be used are named, and the others go on; 2 is the exit code if none was left.

    Args:
      photos: pictures, folders or zips of them.
      out: a folder for a PNG of each face; or for one photograph x.png (.jpg, .webp).
      which: of the faces.
      framing: where faces lie: as in FFHQ, or as in the images of a model.
      size: pixels of a side; 1024, or the model's resolution.
      supersampling: draw so many times larger, then shrink: 4 as FFHQ, 1 as e4e and PTI.
      overwrite: replace crops that are there.
    """
    from tqdm import tqdm

    place, side = _framing(framing)
    options = {
        "size": side if size is None else values.natural(size, "--size", low=16, high=2048),
        "supersampling": values.natural(supersampling, "--supersampling", low=1, high=8),
    }
    found = listed(photos)
    targets = _Targets(out, found, which, overwrite=overwrite)
    crops_of = which.cropper(len(found), place, **options)
    note, done, written = {"made_by": "stylegan_jax.align", "framing": place.name, **options}, 0, 0
    pause = 2 if sys.stderr.isatty() else 60  # seconds; a log wants a line a minute
    for photo in tqdm(found, unit="photo", delay=pause, mininterval=pause):
        with failures_told(photo):
            written += targets.write(photo, crops_of(photo), note)
            done += 1
    crops = f"{written} crop{'' if written == 1 else 's'} of {options['size']}×{options['size']}"
    print(f"{done} of {len(found)} photographs: {crops}")
    if not done:
        return cli.BAD_INPUT
    print(out)
    return cli.DONE


def _framing(text: str) -> "tuple[Framing, int]":
    """What --framing names, and the usual size of its crops."""
    from stylegan_jax.projection import framing

    if text == framing.FFHQ.name:
        return framing.FFHQ, 1024
    import stylegan_jax

    model = stylegan_jax.load(text, networks=["G_ema"])
    check_square(model.config.generator, "a crop", text)
    return framing.of_model(model.lineage), model.config.generator.img_resolution


class _Targets:
    """Where crops go. Raises InputError for a place that is taken, or that cannot hold them all."""

    def __init__(self, out: str, photos: list[Photograph], which: Faces, *, overwrite: bool):
        from stylegan_jax.storage import atomic, remote

        self._out, self._overwrite, self._file = Path(out).expanduser(), overwrite, None
        inputs = [photo.name for photo in photos]
        if self._out.suffix.lower() in atomic.PICTURES:
            if len(photos) > 1 or which.faces == "all":
                raise InputError("is one picture, and there may be more crops", "name a folder", file=f"--out {out}")
            atomic.check_no_input([out], inputs)
            self._file = atomic.output_path(out, overwrite=overwrite)
            return
        atomic.check_suffix(out, atomic.PICTURES)
        if remote.is_remote(out):
            atomic.output_path(out)  # says so
        if self._out.exists() and not self._out.is_dir():
            raise InputError("is a file", "name a folder", file=out)
        atomic.check_no_input([self._out / f"{photo.stem}.png" for photo in photos], inputs)
        for photo in photos:
            place = self._out / f"{photo.stem}.png"
            if place.exists() and not overwrite:
                raise InputError("exists", "pass --overwrite, or give another --out", file=place)

    def write(self, photo: Photograph, crops: "list[Crop]", note: dict[str, Any]) -> int:
        """Writes the crops of a photograph, numbered if there are several, and says how many."""
        from stylegan_jax.pictures import encoding

        told = {**note, "photo": photo.key, "photo_sha256": _sha256(photo)}
        for number, crop in enumerate(crops, 1):
            more = f"-{number}" if len(crops) > 1 else ""
            place = self._file or self._out / f"{photo.stem}{more}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            encoding.write_picture(place, crop.pixels, {**told, **crop.to_json()}, overwrite=self._overwrite)
        return len(crops)


def _sha256(photo: Photograph) -> str:
    """Of its file: the note knows a photograph again, and does not show it."""
    source = photo.open()
    if isinstance(source, str | Path):
        with open(source, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    return hashlib.sha256(source.getbuffer()).hexdigest()
