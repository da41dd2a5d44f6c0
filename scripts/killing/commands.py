"""What is killed: for each command that writes, the models it needs, what is typed, and what it writes."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import convert
from stylegan_jax.pictures import images
from stylegan_jax.projection import encoderfile
from tests.projection.encoders import untrained
from tests.tiny_models import tiny_model

_BLEND = ("blend", "a.safetensors", "b.safetensors", "--seeds", "0-3")
_TRAIN = ("--batch", "4", "--mbstd-chunks", "1", "--devices", "1", "--score-images", "0", "--kimg", "0.032")
_TRAIN += ("--tick", "0.004", "--checkpoint-ticks", "1", "--snapshot-ticks", "1", "--augment", "none")
_TRAIN += ("--r1-gamma", "0", "--pl-weight", "0", "--style-mixing", "0")  # fewer programs


@dataclass(frozen=True)
class Killed:
    """A command.

    Attributes:
      typed: after `python -m stylegan_jax`.
      outputs: what it writes, in the folder where it runs; of a folder all that lies in it.
      former: what is typed to make the outputs that it replaces; empty where it replaces none.
      derived: those of the outputs that go first when others are replaced, so that they never lie beside what they do
        not describe; the next run makes them.
      goes_on: whether it continues where it stopped, so that it is killed again before it may end.
    """

    typed: tuple[str, ...]
    outputs: tuple[str, ...]
    former: tuple[str, ...] = ()
    goes_on: bool = False
    derived: tuple[str, ...] = ()


def _replacing(
    typed: tuple[str, ...], outputs: tuple[str, ...], change: Callable[[str], str], derived: tuple[str, ...] = ()
) -> Killed:
    """A command that overwrites what it has made of other words."""
    typed = (*typed, "--overwrite")
    return Killed(typed, outputs, former=tuple(change(word) for word in typed), derived=derived)


def _others(word: str) -> str:
    """The other model, other seeds, another picture."""
    other = {"a.pkl": "b.pkl", "0-3": "4-7", "8": "4", "4..16": "8..16", "pictures/0.png": "pictures/1.png"}
    return other.get(word, word)


COMMANDS = {
    "convert": _replacing(("convert", "a.pkl", "out"), ("out",), _others),
    "convert-file": _replacing(("convert", "a.pkl", "out.safetensors"), ("out.safetensors",), _others),
    "convert-back": _replacing(("convert", "a.pkl", "out.pkl"), ("out.pkl",), _others),
    "blend": _replacing((*_BLEND, "--swap", "8", "--out", "out"), ("out", "out.png"), _others),
    "blend-sheet": _replacing((*_BLEND, "--swap", "8", "--out", "out.png"), ("out.png",), _others),
    "sample": Killed(("sample", "a.safetensors", "--seeds", "0-63", "--grid", "--out", "out"), ("out",), goes_on=True),
    "sample-ws": _replacing(
        ("sample", "a.safetensors", "--seeds", "0-3", "--save-w", "--out", "out.png"),
        ("out.png", "out.png.w.npz"),
        _others,
    ),
    "sample-zip": Killed(
        ("sample", "a.safetensors", "--seeds", "0-63", "--out", "out.zip"), ("out.zip", "out.zip.json"), goes_on=True
    ),
    "sample-zip-anew": _replacing(
        ("sample", "a.safetensors", "--seeds", "0-3", "--out", "out.zip"),
        ("out.zip", "out.zip.json"),
        _others,
        derived=("out.zip.json",),
    ),
    "train": Killed(("train", "pictures", "--from", "a.pkl", "--out", "out", *_TRAIN), ("out",), goes_on=True),
    "project": _replacing(
        ("project", "pictures/0.png", "--model", "a.safetensors", "--steps", "2", "--no-align", "--out", "out.npz"),
        ("out.npz", "out.png"),
        _others,
    ),
    "encode": _replacing(
        (
            *("encode", "pictures/0.png", "--model", "a.safetensors", "--encoder", "encoder.safetensors"),
            *("--no-align", "--out", "out.npz"),
        ),
        ("out.npz", "out.png"),
        _others,
    ),
    "train-encoder": _replacing(
        ("train-encoder", "a.safetensors", "--kimg", "0.008", "--batch", "4", "--out", "out.safetensors"),
        ("out.safetensors",),
        lambda word: {"0.008": "0.004"}.get(word, word),
    ),
    "toonify": _replacing(
        (
            *("toonify", "pictures/2.png", "pictures/3.png", "--base", "a.safetensors", "--transfer", "b.safetensors"),
            *("--swap", "8", "--steps", "2", "--no-align", "--out", "out"),
        ),
        ("out",),
        _others,
    ),
    "align": _replacing(
        ("align", "pictures/0.png", "--landmarks", "5,6 11,6 6,11 10,11", "--size", "64", "--out", "out.png"),
        ("out.png",),
        _others,
    ),
    "film": _replacing(
        (
            *("film", "a.safetensors", "b.safetensors", "--swap", "4..16", "--seeds", "0", "--seconds", "0.5"),
            *("--size", "64", "--out", "out.webp"),
        ),
        ("out.webp",),
        _others,
    ),
    "film-frames": Killed(
        (
            *("film", "a.safetensors", "b.safetensors", "--schedule", "swap=8", "--seeds", "0..1", "--seconds", "4"),
            *("--size", "64", "--out", "out"),
        ),
        ("out",),
        goes_on=True,
    ),
    "figures": _replacing(
        ("figures", "strip", "a.safetensors", "b.safetensors", "--seeds", "0-3", "--out", "out.png"),
        ("out.png",),
        _others,
    ),
    "diagnose": _replacing(("diagnose", "a.pkl", "b.safetensors", "--out", "out.png"), ("out.png",), _others),
}


def make_inputs(folder: Path) -> None:
    """Two models, in two forms, an encoder of the first, and pictures."""
    for seed, name in enumerate("ab"):
        convert.write(tiny_model(seed, discriminator=True), folder / f"{name}.pkl")
        convert.write(tiny_model(seed), folder / f"{name}.safetensors")
    encoderfile.save(untrained(tiny_model(0)), folder / "encoder.safetensors")
    (folder / "pictures").mkdir()
    for i, pixels in enumerate(np.random.default_rng(0).integers(0, 256, (12, 16, 16, 3), np.uint8)):
        images.write_png(folder / "pictures" / f"{i}.png", pixels)
