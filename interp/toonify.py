"""The command `python -m interp.toonify`: photographs in, what a blend makes of them out."""

import dataclasses
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

import stylegan_jax
from interp.argument_errors import flags_named
from interp.maskoptions import MaskOptions
from interp.options import ScheduleOptions, base_and_transfer
from stylegan_jax import values
from stylegan_jax.commands import cli, encoders
from stylegan_jax.commands.descents import Descents
from stylegan_jax.commands.edits import Edits
from stylegan_jax.commands.flags import Flat, typed
from stylegan_jax.commands.photographs import Faces, cropped, listed, names_of, outputs_of
from stylegan_jax.commands.tunings import Tunings
from stylegan_jax.errors import InputError

if TYPE_CHECKING:
    from interp.recipes import Recipe
    from interp.toons import Sweep, Toons
    from stylegan_jax.editing.edits import Step
    from stylegan_jax.projection.project import Projection
    from stylegan_jax.storage.checkpoint import Model

Photos = Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="PHOTO …", help_behavior_hint="")]


@flags_named()
def toonify(
    photos: Photos,
    /,
    *,
    base: Annotated[str | None, typed("MODEL")] = None,
    transfer: Annotated[str | None, typed("MODEL")] = None,
    schedule: Annotated[ScheduleOptions, Flat],
    which: Annotated[Faces, Flat],
    how: Annotated[Descents, Flat],
    tuned: Annotated[Tunings, Flat],
    fast: bool = False,
    encoder: Annotated[str | None, typed("FILE")] = None,
    psi: Annotated[str | None, typed("NUMBER")] = None,
    mask: Annotated[MaskOptions, Flat],
    sweep: Literal["swap", "width"] | None = None,
    edits: Annotated[Edits, Flat],
    paste: bool = False,
    paired: bool = False,
    out: Annotated[str, typed("FOLDER")] = "toons",
    overwrite: bool = False,
) -> int:
    """Turns faces into cartoons: each is projected into the base, and its w is shown by the blend.

    python -m interp.toonify me.jpg

    python -m interp.toonify photos/ --paired --out set

    python -m interp.toonify photos/ --base ffhq.pkl --transfer toon.pkl --swap 16 --out toons

    Of me.jpg come me.png, the picture, and me-sheet.png: photograph, projection, other hand-overs, transfer.
    Photographs that cannot be used are named, and the others go on; 2 is the exit code if none was left.

    Args:
      photos: pictures, folders or zips of them.
      base: the model of photographs (default: the portraits that ship with the package).
      transfer: the model of drawings (default: the toons that ship with the package).
      schedule: what α is in each layer (default: --swap 16).
      which: of the faces.
      how: the descent goes.
      tuned: the base afterwards; the blend is then of base-NAME.safetensors, in the folder (all: base.safetensors).
      fast: ask the base's encoder instead, which takes a moment: a face less like the person's.
      encoder: as --fast, by one that train-encoder wrote for the base, or by a .pt of e4e or pSp (default: the one that
        ships with it).
      psi: truncation of the projected w towards the base's w_avg; 1 is none (default: 0.8, for cleaner cartoons; 1 for
        an encoder's w, which lie near it, for a base that was tuned to them, and where there is no w_avg).
      mask: of every picture, and of what --paste puts into the photograph.
      edits: of the projected w.
      sweep: what the sheets show: every hand-over resolution, or one hand-over from hard to ever softer.
      paste: put each picture back into its photograph: me-pasted.png.
      paired: write photos/me.png, the aligned photograph, and toons/me.png instead: a set for training students.
      out: a folder for the pictures.
      overwrite: replace what is there.
    """
    from interp.recipes import Ingredient, Recipe
    from interp.replay import read_models
    from interp.toons import PAIRED, PSI, Toons

    shipped = stylegan_jax.shipped_models()
    paths = base_and_transfer(base, transfer, shipped)
    text = schedule.text() if schedule.given else "swap=16"
    recipe = Recipe(
        models=(Ingredient(path=paths[0]), Ingredient(path=paths[1], schedule=text)),
        psi=1.0 if psi is None else values.number(psi, "--psi"),
        **edits.fields,
    )
    if paired and (paste or sweep):
        raise InputError("--paired writes no sheets and pastes nothing", "leave --paste and --sweep out")
    edits.check()
    recipe = mask.added_to(recipe)
    settings, tuning, found = how.settings(), tuned.settings(), listed(photos)
    if fast or encoder:
        how.check_unused(tuning=tuning is not None)
    ends = [f"{side}/{{}}.png" for side in PAIRED] if paired else ["{}.png", "{}-sheet.png"]
    ends += ["{}-pasted.png"] if paste else []
    how.check_video(overwrite=overwrite)
    inputs = [*(photo.name for photo in found), *([recipe.mask] if recipe.mask else [])]
    folder = _folder(out, outputs_of(found, [photo.stem for photo in found], ends), inputs, overwrite=overwrite)
    unfinished = how.unfinished(folder / "unfinished.npz", overwrite=overwrite)
    models = read_models(recipe, None, shipped)
    if psi is None and not (fast or encoder or tuned.tune) and models[0].model.config.generator.w_avg_beta is not None:
        recipe = dataclasses.replace(recipe, psi=PSI)
    step = edits.step(models[0].model, seeds=False)
    toons = Toons(recipe, models, sweep, step)  # which refuses models, schedules and masks before any work
    if toons.mask is not None:
        print(toons.mask.said)
    quick = encoders.of_model(models[0].model, encoder, named=paths[0]) if fast or encoder else None
    crops = cropped(found, which, models[0].model)
    if not crops:
        return cli.BAD_INPUT
    names, pixels = names_of(crops), [crop.pixels for _, crop in crops]
    _folder(out, outputs_of([photo for photo, _ in crops], names, ends), inputs, overwrite=overwrite)  # numbered
    folder.mkdir(parents=True, exist_ok=True)  # before long work: where it cannot be, it is said now
    bases = tuned.places(folder / "base", names, overwrite=overwrite) if tuning else []
    if quick is None:
        made, notes = how.run(models[0].model, pixels, settings, unfinished, overwrite=overwrite), how.notes(settings)
    else:
        made, notes = encoders.encoded(models[0].model, pixels, quick)
    shown = toons.moved(made)
    blends: Iterable[tuple[slice, Toons]] = [(slice(None), toons)]
    if tuning:
        better = tuned.models(models[0].model, pixels, made.ws, tuning, how)
        blends = _with_bases(recipe, sweep, step, bases, better, overwrite=overwrite)
    written = _write(blends, folder, crops, names, shown, notes, paired=paired, paste=paste, overwrite=overwrite)
    unfinished.done()
    print(f"{len(crops)} of {len(found)} photographs: wrote {written}" if len(found) > 1 else f"wrote {written}")
    return cli.DONE


def _with_bases(
    recipe: "Recipe",
    sweep: "Sweep | None",
    step: "Step",
    places: Sequence[Path],
    tuned: "Iterable[tuple[slice, Model]]",
    *,
    overwrite: bool,
) -> "Iterator[tuple[slice, Toons]]":
    """(which photographs, the blends of a base that was tuned to them); each base is saved first."""
    from interp.recipes import Ingredient
    from interp.replay import read_models
    from interp.toons import Toons
    from stylegan_jax.storage import checkpoint

    for place, (part, model) in zip(places, tuned, strict=True):
        checkpoint.save(model, place, overwrite=overwrite)
        own = dataclasses.replace(recipe, models=(Ingredient(path=str(place)), *recipe.models[1:]))
        yield part, Toons(own, read_models(own, None, stylegan_jax.shipped_models()), sweep, step)


def _write(
    blends: "Iterable[tuple[slice, Toons]]",
    folder: Path,
    crops: Sequence[Any],
    names: Sequence[str],
    made: "Projection",
    notes: dict[str, Any],
    *,
    paired: bool,
    paste: bool,
    overwrite: bool,
) -> str:
    """Writes the photographs of each blend, and says where."""
    where = ""
    for part, blend in blends:
        given = folder, crops[part], names[part], dataclasses.replace(made, ws=made.ws[part]), notes
        if paired:
            where = blend.write_pairs(*given, overwrite=overwrite)
        else:
            where = blend.write(*given, paste=paste, overwrite=overwrite)
    return where if paired or len(names) == 1 else str(folder)


def _folder(out: str, names: Sequence[str], inputs: Sequence[str], *, overwrite: bool) -> Path:
    """The folder, if none of the files of these names in it would be replaced unasked, and no input ever."""
    from stylegan_jax.storage import atomic

    folder = Path(out).expanduser()
    if folder.exists() and not folder.is_dir():
        raise InputError("is a file", "name a folder", file=f"--out {out}")
    atomic.check_no_input([folder / name for name in names], inputs)
    taken = [name for name in names if (folder / name).exists()]
    if taken and not overwrite:
        raise InputError("exists", "pass --overwrite, or give another --out", file=folder / taken[0])
    return folder


if __name__ == "__main__":
    sys.exit(cli.run(toonify, "python -m interp.toonify"))
