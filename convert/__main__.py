"""`python -m convert`: any StyleGAN2 file in, another format of it out."""

import hashlib
import json
import sys
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Positional, arg

import convert
from convert import rosinality
from convert.description import describe as description
from convert.precision import halved, is_half
from convert.reading import read_with_origins
from convert.report import as_json, as_table, left_aside
from convert.report import rows as tensor_rows
from convert.writing import made_up
from stylegan_jax.commands import cli
from stylegan_jax.errors import InputError
from stylegan_jax.names import DEFAULT_NETWORKS, NETWORKS
from stylegan_jax.storage import atomic, checkpoint
from stylegan_jax.storage.checkpoint import Model
from stylegan_jax.storage.downloads import addresses
from stylegan_jax.storage.shipped import shipped_models

FORMATS = {"orbax": "", "safetensors": ".safetensors", "pkl": ".pkl", "sg3": ".pkl", "pt": ".pt"}
FOREIGN = (".pkl", ".pt", ".pth")
SUFFIXES = (".pkl", ".pt", ".pth", ".safetensors", ".pickle", ".ckpt", ".bin", ".tar")


def main(
    model: Positional[Annotated[str, arg(metavar="MODEL")]],
    out: Positional[Annotated[str, arg(metavar="[OUT]")]] = "",
    /,
    *,
    to: str = "orbax",
    networks: str = "all",
    key: str = "",
    describe: bool = False,
    verify: bool = False,
    report: str = "",
    half: bool = False,
    overwrite: bool = False,
) -> None:
    """Converts a StyleGAN2 model file, known by its contents and not by its name; nothing in it is executed.

    Examples:
      python -m convert ffhq.pkl                    writes the folder ffhq beside it (an Orbax checkpoint)
      python -m convert ffhq.pkl ffhq.safetensors   writes one file
      python -m convert toon ../stylegan2-ada-pytorch/toon.pkl   writes a pickle for the official programs
      python -m convert ffhq.pkl --describe         says what it is
      python -m convert https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/metfaces.pkl

    Args:
      model: the file or folder to read; its address (https://, hf://owner/repo/file, gs://, s3://), a public name, or
        that of a shipped model.
      out: where to write; its suffix decides the format: .safetensors, .pkl, .pt, otherwise an Orbax folder.
      to: the format where OUT is not given: orbax, safetensors, pkl (stylegan2-ada-pytorch), sg3 (a .pkl for the
        stylegan3 repository) or pt (rosinality); with OUT, sg3 says for whom a .pkl is.
      networks: which networks to take, such as G_ema or G_ema,D.
      key: which generator of a checkpoint that holds several; without it they are listed.
      describe: only print what the file is.
      report: a file for what became of every tensor: JSON if its name ends in .json, otherwise a table.
      half: store float16, in a folder or .safetensors.
      verify: make the image of seed 0 with what was written, and check that it is one.
      overwrite: replace an output that exists.
    """
    wanted = {"networks": _networks(networks), "key": key or None}
    source = shipped_models().get(model) or convert.locate(model)
    with convert.naming(source, model):
        kind = convert.sniff(source)
        if describe:
            print(f"{model}: {kind}\n{description(convert.read(source, **wanted))}")
            return
        place = Path(out) if out else _beside(model, to)
        if verify:
            _check_picture(_picture_of(place), place, overwrite=overwrite)
        if not (overwrite or report or key) and _is_up_to_date(source, place, wanted["networks"], half=half):
            print(f"{place}: up to date")
        else:
            _check_outputs(source, place, wanted, report=report, overwrite=overwrite)
            _convert(model, source, place, wanted, report=report, half=half, sg3=to == "sg3", overwrite=overwrite)
    if verify:
        _verify(place, overwrite=overwrite)


def _networks(text: str) -> list[str] | None:
    if text == "all":
        return None
    chosen = [name.strip() for name in text.split(",")]
    unknown = [name for name in chosen if name not in NETWORKS]
    if unknown:
        raise InputError(f"{unknown[0]!r} is no network", f"choose among {', '.join(NETWORKS)}", file="--networks")
    return chosen


def _beside(named: str, to: str) -> Path:
    """Where the output goes if no place is given: beside the source, or here if the source has an address."""
    if to not in FORMATS:
        raise InputError("no such format", f"choose among {', '.join(FORMATS)}", file=f"--to {to}")
    model = addresses.place_of(named)
    place = Path(str(model).removesuffix(model.suffix) if model.suffix.lower() in SUFFIXES else model)
    place = place.with_name(place.name + FORMATS[to])
    if place == model and addresses.find(named) is None:
        raise InputError("the output would take its place", f"name one: python -m convert {model} OUT", file=model)
    return place


def _is_up_to_date(source: Path, place: Path, chosen: list[str] | None, *, half: bool) -> bool:
    """Whether `place` was made from the very same source, with all the networks and the precision asked for."""
    if not place.exists() or not source.is_file() or not checkpoint.is_checkpoint(place):
        return False
    _, held, lineage = checkpoint.contents(place)
    if is_half(lineage) != half or (chosen is not None and set(chosen) != set(held)):
        return False
    with open(source, "rb") as file:
        return lineage.get("sha256") == hashlib.file_digest(file, "sha256").hexdigest()


def _check_outputs(source: Path, place: Path, wanted: dict[str, Any], *, report: str, overwrite: bool) -> None:
    """Refuses outputs that cannot be made, after what is wrong with the source."""
    try:
        atomic.check_suffix(place, atomic.MODELS)
        for output in (place, *([Path(report)] if report else [])):
            atomic.check_place(output, overwrite=overwrite)
    except InputError:
        convert.read_config(source, **wanted)
        raise


def _convert(
    named: str,
    source: Path,
    place: Path,
    wanted: dict[str, Any],
    *,
    report: str,
    half: bool,
    sg3: bool,
    overwrite: bool,
) -> None:
    if half and place.suffix in FOREIGN:
        raise InputError("other programs expect float32", "use --half with .safetensors or a folder", file=place)
    model, raw = read_with_origins(source, **wanted)
    rows = [*tensor_rows(model, raw), *left_aside(model)] if report else []
    del raw  # lets go of the file
    model = halved(model) if half else model
    convert.write(model, place, overwrite=overwrite, sg3=sg3)
    resolution = model.config.generator.img_resolution
    print(f"{named}: {model.lineage.get('format', 'model')}, {', '.join(model.networks)}, {resolution}×{resolution}")
    left_out = rosinality.left_out(model) if place.suffix in (".pt", ".pth") else []
    aside = [f"left aside, unread: {name}" for name in model.lineage.get("left_aside", ())]
    for note in [*model.lineage.get("notes", ()), *aside, *left_out, *made_up(model, place)]:
        print(f"note: {note}")
    if report:
        text = json.dumps(as_json(rows), indent=1) if report.endswith(".json") else as_table(rows)
        with atomic.new_file(report, overwrite=overwrite) as file:
            file.write(f"{text}\n".encode())
        print(f"wrote {report}: {len(rows) - len(left_aside(model))} tensors")
    print(f"wrote {place}")


def _picture_of(place: Path) -> Path:
    """Where --verify shows what it made."""
    return place.with_name(f"{place.name}.seed0.png")


def _picture_note(place: Path) -> dict[str, Any]:
    return {"model": place.name, "seed": 0, "psi": 1}


def _check_picture(picture: Path, place: Path, *, overwrite: bool) -> None:
    """Refuses to replace what is there, unless it is the picture that was made for this very output before."""
    from stylegan_jax.pictures import images

    if not picture.exists() or overwrite:
        return
    try:
        found = images.made_by(picture)
    except InputError:
        found = {}
    if {key: found.get(key) for key in _picture_note(place)} != _picture_note(place):
        atomic.check_place(picture)


def _verify(place: Path, *, overwrite: bool) -> None:
    """Makes the image of seed 0 (of class 0) from the file that was written, and looks at its values."""
    import numpy as np

    from stylegan_jax.pictures import images

    model = convert.read(place, networks=DEFAULT_NETWORKS)
    image = _image_of_seed_0(model)
    if not np.isfinite(image).all():
        raise InputError("its image of seed 0 holds NaN or infinity", "the weights are no trained model", file=place)
    if np.median(np.abs(image)) > 1 or image.std() < 1e-3:
        raise InputError("its image of seed 0 is out of range", "the weights are no trained model", file=place)
    picture, note = _picture_of(place), {**_picture_note(place), "model_sha256": checkpoint.fingerprint(model)}
    if overwrite or not picture.exists() or images.made_by(picture) != note:
        images.write_png(picture, images.to_uint8(image), note, overwrite=overwrite)
    print(f"verified: seed 0 is finite, from {image.min():.2f} to {image.max():.2f}: {picture}")


def _image_of_seed_0(model: Model):
    import jax

    from stylegan_jax.networks.generators import generator
    from stylegan_jax.sampler import run

    config, weights = model.config.generator, model.networks["G_ema"]
    ws = run.map_seeds(model, [0], class_idx=0 if config.c_dim else None)
    return jax.device_get(jax.jit(lambda leaves, ws: generator(config, leaves).synthesis(ws))(weights, ws))[0]


if __name__ == "__main__":
    sys.exit(cli.run(main, "python -m convert"))
