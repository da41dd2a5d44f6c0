"""`python -m convert`: any StyleGAN2 file in, another format of it out."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Positional, arg

import convert
from convert import outputs, rosinality
from convert.description import describe as description
from convert.precision import halved
from convert.reading import read_with_origins
from convert.report import as_json, as_table, left_aside
from convert.report import rows as tensor_rows
from convert.surgery import Surgery
from convert.writing import made_up
from stylegan_jax.commands import cli
from stylegan_jax.errors import InputError
from stylegan_jax.names import NETWORKS
from stylegan_jax.storage import atomic
from stylegan_jax.storage.shipped import shipped_models

FOREIGN = (".pkl", ".pt", ".pth")


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
    resize: int | None = None,
    channels: str = "",
    size: str = "",
    size_by: str = "",
    overwrite: bool = False,
) -> None:
    """Converts a StyleGAN2 model file, known by its contents and not by its name; nothing in it is executed.

    Examples:
      python -m convert ffhq.pkl                    writes the folder ffhq beside it (an Orbax checkpoint)
      python -m convert ffhq.pkl ffhq.safetensors   writes one file
      python -m convert toon ../stylegan2-ada-pytorch/toon.pkl   writes a pickle for the official programs
      python -m convert ffhq.pkl --describe         says what it is
      python -m convert ffhq.pkl small.pkl --resize 256   without the upper blocks; --channels grey: in grey
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
      resize: another resolution: upper blocks are cut off, or fresh ones set on top that begin with the enlarged image.
      channels: other colours: grey, rgb or rgba.
      size: images that are not square: width and height, such as 640x512.
      size_by: how the learned 4×4 input is extended for them: reflect (the default), tile, pad or resize.
      verify: make the image of seed 0 with what was written, and check that it is one.
      overwrite: replace an output that exists.
    """
    wanted = {"networks": _networks(networks), "key": key or None}
    surgery = Surgery(resize, channels, size, size_by)
    if describe:
        unused = {"OUT": out, "--to": to != "orbax", "--report": report, "--half": half, "--verify": verify}
        _check_unused(unused)
    source = shipped_models().get(model) or convert.locate(model)
    with convert.naming(source, model):
        kind = convert.sniff(source)
        if describe:
            print(f"{model}: {kind}\n{description(surgery(convert.read(source, **wanted)))}")
            return
        place = Path(out) if out else outputs.beside(model, to)
        if verify:
            from convert import verifying

            verifying.check_picture(place, overwrite=overwrite)
        asked = {"half": half, "surgery": surgery}
        if not (overwrite or report or key) and outputs.is_up_to_date(source, place, wanted["networks"], **asked):
            print(f"{place}: up to date")
        else:
            outputs.check_outputs(source, place, wanted, report=report, overwrite=overwrite)
            _convert(model, source, place, wanted, **asked, report=report, sg3=to == "sg3", overwrite=overwrite)
    if verify:
        from convert import verifying

        verifying.verify(place, overwrite=overwrite)


def _check_unused(options: dict[str, Any]) -> None:
    if given := [name for name, value in options.items() if value]:
        raise InputError("--describe only prints", f"leave out {' and '.join(given)}, or --describe")


def _networks(text: str) -> list[str] | None:
    if text == "all":
        return None
    chosen = [name.strip() for name in text.split(",")]
    unknown = [name for name in chosen if name not in NETWORKS]
    if unknown:
        raise InputError(f"{unknown[0]!r} is no network", f"choose among {', '.join(NETWORKS)}", file="--networks")
    return chosen


def _convert(
    named: str,
    source: Path,
    place: Path,
    wanted: dict[str, Any],
    *,
    half: bool,
    surgery: Surgery,
    report: str,
    sg3: bool,
    overwrite: bool,
) -> None:
    if half and place.suffix in FOREIGN:
        raise InputError("other programs expect float32", "use --half with .safetensors or a folder", file=place)
    model, raw = read_with_origins(source, **wanted)
    rows = [*tensor_rows(model, raw), *left_aside(model)] if report else []
    del raw  # lets go of the file
    model = surgery(model)
    model = halved(model) if half else model
    convert.write(model, place, overwrite=overwrite, sg3=sg3)
    height, width = model.config.generator.image_size
    print(f"{named}: {model.lineage.get('format', 'model')}, {', '.join(model.networks)}, {width}×{height}")
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


if __name__ == "__main__":
    sys.exit(cli.run(main, "python -m convert"))
