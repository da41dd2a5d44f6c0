"""The command `sample`: images of a model from seeds, from ws, or mixed."""

import dataclasses
import sys
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import tyro

from stylegan_jax import values
from stylegan_jax.commands.options import Flat, Look, Machine, Output, What
from stylegan_jax.errors import InputError
from stylegan_jax.storage.parts import Part

if TYPE_CHECKING:
    from convert.ws import Ws
    from stylegan_jax.pictures.archives import Archive
    from stylegan_jax.pictures.imagefolder import ImageFolder
    from stylegan_jax.sampler.batching import Batching
    from stylegan_jax.sampler.jobs import Job
    from stylegan_jax.storage.checkpoint import Model
    from stylegan_jax.storage.parts import Array

    Made = tuple[Job, Model, Batching]

ALIASES = {"--network": ""}
_SHEET = "grid.png"
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def sample(
    model: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="MODEL")],
    /,
    *,
    what: Annotated[What, Flat],
    look: Annotated[Look, Flat],
    output: Annotated[Output, Flat],
    machine: Annotated[Machine, Flat],
) -> None:
    """Samples images of a model on all local devices: the official seeds, the official pixels.

    python -m stylegan_jax sample ffhq.pkl --seeds 0-35 --psi 0.7 --out faces

    python -m stylegan_jax sample toon.pkl --w projected_w.npz --out toonified

    python -m stylegan_jax sample ffhq.pkl --styles 85,100x55,821 --layers 0-6 --out mixed

    python -m stylegan_jax sample ffhq.pkl --seeds 0-49999 --part 3/8 --out faces.zip

    python -m stylegan_jax sample ffhq.pkl --paired toonify --seeds 0-9999 --out set

    The same command run again goes on where it stopped.

    Args:
      model: a model file of any kind, a training run, or the name of a shipped or public model; may be https://… or gs://….
    """
    what.check()
    make, options = _maker(what, look), {**machine.options, "noise": look.noise}
    part, sheet = machine.find_part(lambda: _submitted(output.out)), output.grid or what.styles is not None
    _check_output(output, what, part)
    made = make([_load(path) for path in (model, *what.paired)], options)
    if _is_picture(output.out):
        _write_picture(*made[0], output)
    elif len(made) == 1:
        _fill(*made[0], output, output.out, part, sheet=sheet)
    else:
        for one, letter in zip(made, _LETTERS, strict=False):
            _fill(*one, output, f"{output.out.rstrip('/')}/train{letter}", part, sheet=sheet)
    if output.save_w:
        _save_w(*made[0], output, part)
    share = part.share(made[0][0].pictures.count)
    print(_shown(output.out, part if share else Part(), sheet=sheet and len(made) == 1))


def _maker(what: What, look: Look) -> "Callable[[list[Model], dict[str, Any]], list[Made]]":
    """Reads the values before any model is loaded; makes one job for each model."""
    truncation = look.truncation
    look.edits.check()
    seeds = np.array(values.seeds(what.seeds) if what.seeds is not None else [], np.uint32)
    rows, columns = what.rows_and_columns if what.styles is not None else ([], [])
    layers = None if what.layers is None else values.seeds(what.layers, "--layers")

    def make(models: "list[Model]", options: dict[str, Any]) -> "list[Made]":
        from stylegan_jax.sampler import batching, jobs

        first, pulled = models[0], jobs.Truncation(**truncation)
        step = look.edits.step(first, seeds=not what.w)
        hows = [batching.choose(each.config.generator, **options) for each in models]
        if what.w:
            ws = _read_ws(what, first)
            made = [
                jobs.of_ws(each, ws.values, ws.names, pulled, source=", ".join(ws.files), **step.of_ws)
                for each in models
            ]
        elif what.styles is not None:
            usual = range(min(7, first.config.generator.num_ws))
            chosen = usual if layers is None else layers
            made = [jobs.of_styles(first, rows, columns, chosen, pulled, how=hows[0], **step.of_seeds)]
        else:
            mappings = [None, *[first] * (len(models) - 1)]
            pairs = zip(models, mappings, strict=True)
            made = [jobs.of_seeds(each, seeds, pulled, mapping=mapping, **step.of_seeds) for each, mapping in pairs]
        return list(zip(made, models, hows, strict=True))

    return make


def _read_ws(what: What, model: "Model") -> "Ws":
    """The ws of --w, and a line for each array that says how it was read."""
    from convert import ws

    config = model.config.generator
    found = ws.read(what.w, num_ws=config.num_ws, w_dim=config.w_dim, space=what.w_space)
    print("\n".join(found.said))
    return found


def _load(path: str) -> "Model":
    import stylegan_jax

    return stylegan_jax.load(path, networks=["G_ema"])


def _shown(out: str, part: Part, *, sheet: bool) -> str:
    """Where to look: the sheet of a folder, the archive of this part."""
    from stylegan_jax.pictures import archives

    if archives.is_archive(out):
        return archives.part_path(out, part)
    return f"{out}/{_SHEET}" if sheet and not _is_picture(out) else out


def _submitted(out: str) -> "Array | None":
    """The job array that began what lies at the output."""
    from stylegan_jax.pictures import archives, imagefolder
    from stylegan_jax.pictures.naming import ARRAY
    from stylegan_jax.storage import parts, remote

    if archives.is_archive(out):
        found = list(archives.manifests(out))
    else:
        files = [f"{out}/{imagefolder.MANIFEST}", f"{out}/trainA/{imagefolder.MANIFEST}"]
        found = [imagefolder.parsed(remote.read(file)) for file in files if remote.exists(file)]
    return next((array for each in found if (array := parts.array_from_json(each.get(ARRAY)))), None)


def _check_output(output: Output, what: What, part: Part) -> None:
    """What does not go together."""
    from stylegan_jax.pictures.archives import CONTAINERS, is_archive
    from stylegan_jax.storage import atomic, remote

    whole = "--grid" if output.grid else "--styles" if what.styles is not None else None
    if whole and part.count > 1:
        raise InputError(f"{whole} needs all images", "leave --part out")
    if whole and is_archive(output.out):
        raise InputError(f"{whole} goes into a folder", "name a folder", file=f"--out {output.out}")
    if what.paired and (is_archive(output.out) or _is_picture(output.out)):
        raise InputError("--paired fills folders", "name a folder", file=f"--out {output.out}")
    if _is_picture(output.out):
        if part.count > 1:
            raise InputError("one picture needs all images", "leave --part out, or name a folder")
        if not remote.is_remote(output.out):
            atomic.output_path(output.out, overwrite=output.overwrite)
    elif not is_archive(output.out):
        atomic.check_suffix(output.out, (*CONTAINERS, *atomic.PICTURES))


def _is_picture(out: str) -> bool:
    """Whether an output is one picture: of one image, or of all in a grid."""
    from stylegan_jax.storage import atomic

    return PurePosixPath(out).suffix.lower() in atomic.PICTURES


def _write_picture(job: "Job", model: "Model", how: "Batching", output: Output) -> None:
    """Makes all images and shows them as one."""
    from stylegan_jax.pictures import encoding

    config = model.config.generator
    encoding.check_form(encoding.form_of(output.out), config.img_channels)
    job.check_sheet(config)
    made = np.concatenate(list(job.render(range(job.pictures.count), how)))
    notes = {**job.made_by(model, how), **_recipe(model)}
    encoding.write_picture(output.out, job.sheet(made.__getitem__), notes, overwrite=output.overwrite)


def _recipe(model: "Model") -> dict[str, Any]:
    """What every image of a blend says beside."""
    return {"recipe": model.lineage["recipe"]} if "recipe" in model.lineage else {}


def _fill(job: "Job", model: "Model", how: "Batching", output: Output, place: str, part: Part, *, sheet: bool) -> None:
    """Makes what is missing of this part, then the sheet."""
    from stylegan_jax.pictures import encoding, images
    from stylegan_jax.pictures.archives import Archive, is_archive
    from stylegan_jax.pictures.imagefolder import ImageFolder
    from stylegan_jax.storage import remote

    config, share = model.config.generator, part.share(job.pictures.count)
    encoding.check_form(output.format, config.img_channels)
    if sheet:
        job.check_sheet(config)
    if share:
        made_by, options = job.made_by(model, how), {"part": part, "overwrite": output.overwrite}
        pictures = dataclasses.replace(job.pictures, form=output.format, note=_recipe(model))
        others = [*([_SHEET] if sheet else []), *([_ws_name(part)] if output.save_w else [])]
        target = (
            Archive(place, pictures, made_by, **options)
            if is_archive(place)
            else ImageFolder(place, pictures, made_by, **options, others=others)
        )
        with target.opened() as target:
            _save_images(target, share, job, how)
            if sheet and isinstance(target, ImageFolder):
                folder = target
                picture = job.sheet(lambda index: folder.read(index, config.img_channels))
                with remote.new_file(f"{place}/{_SHEET}") as file:
                    file.write(images.encode_png(picture, made_by))
    whose = f" (part {part} of {job.pictures.count})" if part.count > 1 else ""
    height, width = config.image_size
    print(f"{model.lineage.get('source')}: {len(share)} images of {width}×{height}{whose}")


def _save_images(target: "Archive | ImageFolder", share: range, job: "Job", how: "Batching") -> None:
    """Fills the target; images that were there before count as done, but not for the rate."""
    from tqdm import tqdm

    def advance(position: int) -> None:
        skipped = position - 1 - progress.n
        progress.initial += skipped
        progress.n += skipped

    pause = 0.1 if sys.stderr.isatty() else 60  # seconds; a log wants a line a minute
    with tqdm(total=len(share), unit="img", delay=pause, mininterval=pause) as progress:
        for index in target.save(job.images(target.missing(share), how)):
            advance(index + 1 - share.start)
            progress.update()
        advance(len(share) + 1)


def _ws_name(part: Part) -> str:
    return f"w{part.suffix}.npz"


def _save_w(job: "Job", model: "Model", how: "Batching", output: Output, part: Part) -> None:
    """The mapping network alone runs again: a thousandth of the work, and no ws wait for the images' end."""
    from stylegan_jax.pictures import archives, latentfiles

    share, config = part.share(job.pictures.count), model.config.generator
    if archives.is_archive(output.out) or _is_picture(output.out):
        place = f"{archives.part_path(output.out, part)}.w.npz"
    else:
        place = f"{output.out}/{_ws_name(part)}"
    made_by = {**job.made_by(model, how), "images_sha256": job.pictures.sha256, "part": str(part)}
    if share and not latentfiles.is_written(place, made_by, overwrite=output.overwrite):
        shape = (len(share), config.num_ws, config.w_dim)
        latentfiles.write_ws(place, job.pieces_of_ws(share, how), shape, made_by)
