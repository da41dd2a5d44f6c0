"""Cases of `convert`, and of what is no model."""

import dataclasses
import shutil
import tarfile

import numpy as np

import stylegan_jax as sj
from tests.commands.remedies.case import HANDS, Case
from tests.commands.remedies.steps import file, model, unpacked, zipped
from tests.tiny_models import tiny_model

GOOD = "ffhq.safetensors y.safetensors"


def tarred():
    with tarfile.open("m.tar.x", "w") as archive:
        archive.add("ffhq.safetensors")


def wild():
    """Weights that make no picture."""
    one = tiny_model(0)
    networks = {
        "G_ema": {name: leaf * 1e4 if "torgb.weight" in name else leaf for name, leaf in one.networks["G_ema"].items()}
    }
    sj.save(dataclasses.replace(one, networks=networks), "wild.safetensors")


def huge():
    """Weights beyond float16."""
    one = tiny_model(0)
    networks = {
        "G_ema": {name: leaf * 1e6 if "const" in name else leaf for name, leaf in one.networks["G_ema"].items()}
    }
    sj.save(dataclasses.replace(one, networks=networks), "huge.safetensors")


MAIN, KINDS, OUTPUTS = "convert/__main__.py", "convert/kinds.py", "convert/outputs.py"
AGAIN, ONLY = (
    "download or export it again",
    "only StyleGAN2 models can be read: .pkl, .pt, .safetensors or a checkpoint folder",
)
_MAIN = [
    Case(
        MAIN,
        "leave out {}, or --describe",
        "convert",
        "ffhq.safetensors --describe --report r.json",
        follow=["ffhq.safetensors --describe", "ffhq.safetensors x.safetensors --report r.json"],
    ),
    Case(MAIN, "choose among {}", "convert", "whole.safetensors x.safetensors --networks E"),
    Case(OUTPUTS, "choose among {}", "convert", "m.bin --to tiff", lambda: shutil.copy("official.pkl", "m.bin")),
    Case(OUTPUTS, "name one: python -m convert {} OUT", "convert", "whole.safetensors --to safetensors"),
    Case(
        MAIN,
        "use --half with .safetensors or a folder",
        "convert",
        "ffhq.safetensors x.pkl --half",
        follow=[f"ffhq.safetensors {out} --half" for out in ("x.safetensors", "x")],
    ),
    Case(
        "convert/verifying.py",
        "the weights are no trained model",
        "convert",
        "wild.safetensors x.safetensors --verify",
        wild,
        HANDS,
    ),
    Case(
        "convert/precision.py",
        "write the model in full precision",
        "convert",
        "huge.safetensors x.safetensors --half",
        huge,
        "huge.safetensors x.safetensors",
    ),
    Case(
        "convert/rosinality.py",
        "{}",
        "convert",
        "resnet.safetensors x.pt",
        model("resnet.safetensors", architecture="resnet"),
        [f"resnet.safetensors x{suffix}" for suffix in (".pkl", ".safetensors")],
    ),
    Case("convert/rosinality.py", "{}", "convert", "odd.safetensors x.pt", lambda: _odd_discriminator()),
]

_ALONE = "fine-tune it at that size: python -m stylegan_jax train IMAGES --from MODEL --resolution {}"
_SURGERY = [
    Case("convert/resizing.py", "use {}", "convert", "whole.safetensors x.safetensors --resize 12"),
    Case(
        "convert/resizing.py",
        _ALONE,
        "convert",
        "resnet.safetensors x.safetensors --resize 8",
        model("resnet.safetensors", architecture="resnet"),
        "train photos --from resnet.safetensors --resolution 8 --out run",
    ),
    Case("convert/recolouring.py", "choose among {}", "convert", "whole.safetensors x.pkl --channels cmyk"),
    Case(
        "convert/recolouring.py",
        "leave --channels out",
        "convert",
        "two.safetensors x.safetensors --channels grey",
        model("two.safetensors", img_channels=2),
    ),
    *[
        Case("convert/reshaping.py", remedy, "convert", f"whole.safetensors x.safetensors --size {typed}")
        for remedy, typed in (
            ("choose among {}", "20x16 --size-by mirror"),
            ("write width and height, such as {}x{}", "wide"),
            ("use {}", "21x16"),
            ("use {}x{}, or no more pixels than that", "99999x16"),
        )
    ],
    Case(
        "stylegan_jax/storage/atomic.py",
        "give the output another name",
        "convert",
        "ffhq.safetensors ffhq.safetensors --resize 8 --overwrite",
        follow="ffhq.safetensors x.safetensors --resize 8 --overwrite",
    ),
    Case(
        "convert/reshaping.py",
        "pass --size too, such as --size {}x{}",
        "convert",
        "ffhq.safetensors x.safetensors --size-by tile",
        follow="ffhq.safetensors x.safetensors --size-by tile --size 20x16",
    ),
    Case("convert/official.py", "write a .safetensors or a folder", "convert", "ffhq.safetensors x.pkl --size 20x16"),
    Case(
        "stylegan_jax/config.py",
        "use the square model that it was made of",
        "train",
        "photos --from wide.safetensors --out run",
        model("wide.safetensors", const_size=(4, 5)),
        "photos --from ffhq.safetensors --out run",
    ),
]


def _odd_discriminator():
    """A model whose discriminator alone is not of rosinality's kind."""
    one = tiny_model(0, discriminator=True)
    changed = dataclasses.replace(one.config.of("D"), mbstd_group_size=2)
    sj.save(dataclasses.replace(one, config=dataclasses.replace(one.config, discriminator=changed)), "odd.safetensors")


_KINDS = [
    Case(KINDS, "check the path|{}", "convert", "ffhq.safetensor x.safetensors"),
    Case(
        KINDS,
        "check the path|{}",
        "convert",
        "other.xyz x.safetensors",
        follow=lambda: shutil.copy("official.pkl", "other.xyz"),
    ),
    Case(KINDS, "pass a model file", "convert", "/dev/null x.safetensors", follow=GOOD),
    Case(
        KINDS,
        "pass a model file or a checkpoint folder",
        "convert",
        "photos x.safetensors",
        follow=[GOOD, "ours y.safetensors"],
    ),
    Case(KINDS, "pass its folder: {}", "convert", "parts/archive/data.pkl x.safetensors", unpacked()),
    *[
        Case(
            KINDS,
            "download it again",
            "convert",
            "m.pkl x.safetensors",
            file("m.pkl", start),
            lambda: shutil.copy("official.pkl", "m.pkl"),
        )
        for start in (b"", b"abc", b"<html>" + b" " * 99)
    ],
    Case(
        KINDS,
        "unpack it and pass the model inside",
        "convert",
        "m.tar.x x.safetensors",
        tarred,
        (
            lambda: shutil.unpack_archive("m.tar.x", "inside", "tar", filter="data"),
            "inside/ffhq.safetensors x.safetensors",
        ),
    ),
    *[
        Case(
            KINDS,
            ONLY,
            "convert",
            "m.bin x.safetensors",
            file("m.bin", start),
            [f"{name} y.safetensors" for name in ("official.pkl", "rosinality.pt", "ffhq.safetensors", "ours")],
        )
        for start in (
            b"\x08\x07pytorch onnx" + bytes(99),
            b'{"a": 1}' + b" " * 99,
            b"some words and no model",
            bytes(range(256)),
        )
    ],
    Case(KINDS, ONLY, "convert", "m.pt x.safetensors", zipped({"a": np.zeros(3, np.float32)}), GOOD),
    Case(
        KINDS,
        "{}",
        "convert",
        "m.pkl x.safetensors",
        file("m.pkl", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n"),
        HANDS,
    ),
]

CASES = [*_MAIN, *_SURGERY, *_KINDS]
