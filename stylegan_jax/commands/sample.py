"""The command `sample`: images of a model from seeds, from ws, or mixed."""

import dataclasses
import math
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import tyro

from stylegan_jax.commands import cli
from stylegan_jax.commands.options import Flat, Look, Machine, Output, What
from stylegan_jax.errors import InputError

if TYPE_CHECKING:
    from convert.ws import Ws
    from stylegan_jax.pictures.archives import Archive
    from stylegan_jax.pictures.imagefolder import ImageFolder
    from stylegan_jax.sampler.jobs import Job
    from stylegan_jax.storage.checkpoint import Model
    from stylegan_jax.storage.parts import Array, Part

ALIASES = {"--network": ""}
_SHEET = "grid.png"
_PIECE = 4096  # ws that are held at a time
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
    make, options = _maker(what, look, machine), {**machine.options, "noise": look.noise}
    part, sheet = machine.find_part(lambda: _submitted(output.out)), output.grid or what.styles is not None
    _check_output(output, what, part)
    models = [_load(path) for path in (model, *what.paired)]
    made = make(models)
    if _is_picture(output.out):
        _run_picture(made[0], models[0], options, output)
        if output.save_w:
            _save_w(made[0], models[0], options, output, part)
        return print(output.out)
    for each, job, place in zip(models, made, _places(output.out, len(made)), strict=True):
        _run(job, each, options, output, place, part, sheet=sheet)
    if output.save_w:
        _save_w(made[0], models[0], options, output, part)
    print(f"{output.out}/{_SHEET}" if sheet and len(made) == 1 else output.out)


def _maker(what: What, look: Look, machine: Machine) -> "Callable[[list[Model]], list[Job]]":
    """Reads the values before any model is loaded; makes one job for each model."""
    truncation, devices = look.truncation, machine.options["devices"]
    seeds = np.array(cli.seeds(what.seeds) if what.seeds is not None else [], np.uint32)
    rows, columns = what.rows_and_columns if what.styles is not None else ([], [])
    layers = cli.seeds(what.layers, "--layers")

    def make(models: "list[Model]") -> "list[Job]":
        from stylegan_jax.sampler import jobs

        first, how = models[0], jobs.Truncation(**truncation)
        if what.w:
            ws = _read_ws(what, first)
            return [jobs.of_ws(each, ws.values, ws.names, how, source=", ".join(ws.files)) for each in models]
        if what.styles is not None:
            return [jobs.of_styles(first, rows, columns, layers, how, devices=devices)]
        return [jobs.of_seeds(each, seeds, how, mapping=first if i else None) for i, each in enumerate(models)]

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


def _check_output(output: Output, what: What, part: "Part") -> None:
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
            atomic.check_place(output.out, overwrite=output.overwrite)
    elif not is_archive(output.out):
        atomic.check_suffix(output.out, (*CONTAINERS, *atomic.PICTURES))


def _is_picture(out: str) -> bool:
    """Whether an output is one picture: of one image, or of all in a grid."""
    from stylegan_jax.storage import atomic

    return PurePosixPath(out).suffix.lower() in atomic.PICTURES


def _run_picture(job: "Job", model: "Model", options: dict[str, Any], output: Output) -> None:
    """Makes all images and shows them as one."""
    from stylegan_jax.pictures import encoding

    config = model.config.generator
    encoding.check_form(encoding.form_of(output.out), config.img_channels)
    _check_sheet(job, config.img_resolution)
    options, made_by = _settled(job, model, options)
    recipe = {"recipe": model.lineage["recipe"]} if "recipe" in model.lineage else {}
    made = np.concatenate(list(job.render(range(job.pictures.count), options)))
    sheet = _sheet([made[index] for index in job.cells], job)
    encoding.write_picture(output.out, sheet, {**made_by, **recipe}, overwrite=output.overwrite)


def _places(out: str, count: int) -> list[str]:
    return [f"{out.rstrip('/')}/train{letter}" for letter in _LETTERS[:count]] if count > 1 else [out]


def _run(
    job: "Job", model: "Model", options: dict[str, Any], output: Output, place: str, part: "Part", *, sheet: bool
) -> None:
    """Makes what is missing of this part, then the sheet."""
    from stylegan_jax.pictures import encoding
    from stylegan_jax.pictures.archives import Archive, is_archive
    from stylegan_jax.pictures.imagefolder import ImageFolder

    config, source = model.config.generator, str(model.lineage.get("source"))
    encoding.check_form(output.format, config.img_channels)
    if sheet:
        _check_sheet(job, config.img_resolution)
    options, made_by = _settled(job, model, options)
    recipe = {"recipe": model.lineage["recipe"]} if "recipe" in model.lineage else {}  # of a blend
    pictures = dataclasses.replace(job.pictures, form=output.format, note=recipe)
    share, how = part.share(pictures.count), {"part": part, "overwrite": output.overwrite}
    others = [*([_SHEET] if sheet else []), *([_ws_name(part)] if output.save_w else [])]
    if share:
        archive = is_archive(place)
        target = (
            Archive(place, pictures, made_by, **how)
            if archive
            else ImageFolder(place, pictures, made_by, **how, others=others)
        )
        with target.opened() as target:
            _fill(target, share, job, options)
            if sheet and isinstance(target, ImageFolder):
                _write_sheet(job, target, config.img_channels, made_by)
    whose = f" (part {part} of {pictures.count})" if part.count > 1 else ""
    print(f"{source}: {len(share)} images of {config.img_resolution}×{config.img_resolution}{whose}")


def _settled(job: "Job", model: "Model", options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The options with the batch and the plan that the model leads to, and what the manifest says of them."""
    from stylegan_jax.sampler import batching
    from stylegan_jax.storage import checkpoint

    how = batching.choose(model.config.generator, **options)
    chosen = {"batch": how.batch, "plan": how.plan}
    settings = {**chosen, "noise": how.noise, "dtype": how.dtype}
    source = {"model": str(model.lineage.get("source")), "model_sha256": checkpoint.fingerprint(model)}
    return {**options, **chosen}, {**source, **job.notes, **settings}


def _fill(target: "Archive | ImageFolder", share: range, job: "Job", options: dict[str, Any]) -> None:
    from tqdm import tqdm

    pause = 0.1 if sys.stderr.isatty() else 60  # seconds; a log wants a line a minute
    with tqdm(total=len(share), unit="img", delay=pause, mininterval=pause) as progress:
        for index in target.save(_made(job, target.missing(share), options)):
            _advance(progress, index + 1 - share.start)
            progress.update()
        _advance(progress, len(share) + 1)


def _advance(progress: Any, position: int) -> None:
    """Images that were there before count as done, but not for the rate."""
    skipped = position - 1 - progress.n
    progress.initial += skipped
    progress.n += skipped


def _made(job: "Job", missing: Iterable[int], options: dict[str, Any]) -> Iterator[tuple[int, np.ndarray]]:
    """Images with their numbers, which are drawn a few steps ahead of them.

    An image's place in its batch decides its last bit, so it follows from its number alone, whichever part makes it and
    whatever was made before; what fills the places between is dropped.
    """
    drawn: deque[int | None] = deque()

    def numbers() -> Iterator[int]:
        place = 0
        for index in missing:
            gap = (index - place) % options["batch"]
            place += gap + 1
            drawn.extend([*[None] * gap, index])
            yield from [index] * (gap + 1)

    for batch in job.render(numbers(), options):
        for image in batch:
            if (index := drawn.popleft()) is not None:
                yield index, image


def _ws_name(part: "Part") -> str:
    return f"w{part.suffix}.npz"


def _save_w(job: "Job", model: "Model", options: dict[str, Any], output: Output, part: "Part") -> None:
    """The mapping network alone runs again: a thousandth of the work, and no ws wait for the images' end."""
    from stylegan_jax.pictures import archives, latentfiles

    share, config = part.share(job.pictures.count), model.config.generator
    archive = archives.is_archive(output.out)
    archive = archive or _is_picture(output.out)
    place = f"{archives.place_of(output.out, part)}.w.npz" if archive else f"{output.out}/{_ws_name(part)}"
    options, made_by = _settled(job, model, options)
    made_by |= {"images_sha256": job.pictures.sha256, "part": str(part)}
    if not share or latentfiles.is_written(place, made_by, overwrite=output.overwrite):
        return
    latentfiles.write_ws(place, _ws(job, share, options), (len(share), config.num_ws, config.w_dim), made_by)


def _ws(job: "Job", share: range, options: dict[str, Any]) -> Iterator[np.ndarray]:
    """In pieces that begin where a batch does: the last bit follows from the number alone, as that of the images."""
    assert job.ws is not None
    batch = options["batch"]
    step = -(-_PIECE // batch) * batch
    for start in range(share.start - share.start % batch, share.stop, step):
        piece = job.ws(range(start, min(start + step, share.stop)), options)
        yield piece[max(0, share.start - start) :]


def _shape(job: "Job") -> tuple[int, int]:
    cells = len(job.cells) + job.blanks
    columns = job.columns or math.ceil(math.sqrt(cells))
    return -(-cells // columns), columns


def _check_sheet(job: "Job", resolution: int) -> None:
    """Refuses a sheet that no PNG can hold before the images are made."""
    from stylegan_jax.pictures import images

    rows, columns = _shape(job)
    images.check_size(columns * resolution, rows * resolution)


def _write_sheet(job: "Job", folder: "ImageFolder", channels: int, made_by: dict[str, Any]) -> None:
    from stylegan_jax.pictures import images
    from stylegan_jax.storage import remote

    data = images.encode_png(_sheet([folder.read(index, channels) for index in job.cells], job), made_by)
    with remote.new_file(f"{folder.path}/{_SHEET}") as file:
        file.write(data)


def _sheet(cells: list[np.ndarray], job: "Job") -> np.ndarray:
    from stylegan_jax.pictures import images

    pictures = np.stack(cells)
    pictures = np.concatenate([np.zeros((job.blanks, *pictures.shape[1:]), np.uint8), pictures])
    return images.grid(pictures, _shape(job)[1])
