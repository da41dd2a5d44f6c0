"""Where a converted model goes, and whether it is there already."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import convert
from convert.precision import is_half
from convert.surgery import Surgery
from stylegan_jax.errors import InputError
from stylegan_jax.storage import atomic, checkpoint
from stylegan_jax.storage.downloads import addresses

FORMATS = {"orbax": "", "safetensors": ".safetensors", "pkl": ".pkl", "sg3": ".pkl", "pt": ".pt"}
SUFFIXES = (".pkl", ".pt", ".pth", ".safetensors", ".pickle", ".ckpt", ".bin", ".tar")


def beside(named: str, to: str) -> Path:
    """Where the output goes if no place is given: beside the source, or here if the source has an address."""
    if to not in FORMATS:
        raise InputError("no such format", f"choose among {', '.join(FORMATS)}", file=f"--to {to}")
    model = addresses.as_path(named)
    place = Path(str(model).removesuffix(model.suffix) if model.suffix.lower() in SUFFIXES else model)
    place = place.with_name(place.name + FORMATS[to])
    if place == model and addresses.find(named) is None:
        raise InputError("the output would take its place", f"name one: python -m convert {model} OUT", file=model)
    return place


def is_up_to_date(source: Path, place: Path, chosen: Sequence[str] | None, *, half: bool, surgery: Surgery) -> bool:
    """Whether `place` was made from the very same source, with the networks, precision and changes asked for."""
    if not place.exists() or not source.is_file() or not checkpoint.is_checkpoint(place):
        return False
    _, held, lineage = checkpoint.contents(place)
    if is_half(lineage) != half or not surgery.made(lineage) or (chosen is not None and set(chosen) != set(held)):
        return False
    with open(source, "rb") as file:
        return lineage.get("sha256") == hashlib.file_digest(file, "sha256").hexdigest()


def check_outputs(source: Path, place: Path, wanted: dict[str, Any], *, report: str, overwrite: bool) -> None:
    """Refuses outputs that cannot be made, after what is wrong with the source."""
    try:
        atomic.check_suffix(place, atomic.MODELS)
        outputs = [place, *([Path(report)] if report else [])]
        atomic.check_no_input(outputs, [source], "is the model that is converted")
        for output in outputs:
            atomic.output_path(output, overwrite=overwrite)
    except InputError:
        convert.read_config(source, **wanted)
        raise
