"""Cases of `convert`: model files and files of ws."""

import dataclasses
import pickle
import shutil
import tarfile
import zipfile
from pathlib import Path

import numpy as np

import stylegan_jax as sj
from convert import kinds, reading
from convert.pickles import torch_file, unpickle
from tests.commands.remedies.case import HANDS, Case
from tests.commands.remedies.cases_commands import both, file, model
from tests.convert import pickle_assembler
from tests.convert.test_finding import official_table, rosinality_table
from tests.convert.test_tensorflow import as_tensorflow, model_of
from tests.tiny_models import tiny_model

GOOD = "ffhq.safetensors y.safetensors"


def zipped(tree, name="m.pt"):
    """A step that writes a torch file."""

    def build():
        with open(name, "wb") as out:
            torch_file.save_zip(out, tree)

    return build


def recognised(tree):
    """The model in the tree of a file."""
    return reading.assemble(reading.recognise(tree), None, file_size=10**9)


def changed(change, tensors=None):
    """The model in an official file after a change to its G_ema."""

    def read():
        tree = unpickle.load(memoryview(Path("official.pkl").read_bytes()))
        change(tree["G_ema"])
        return recognised(tree)

    return read


def same(instance):
    """No change."""


def lost_tables(instance):
    instance.state["_modules"]["mapping"].state["_buffers"] = 3


def no_tensor(instance):
    instance.state["_modules"]["mapping"].state["_buffers"]["w_avg"] = "average"


def no_module(instance):
    instance.state["_modules"]["mapping"] = 3


def unpacked(name="rosinality.pt", folder="parts"):
    """A step that unpacks a torch file."""
    return lambda: shutil.unpack_archive(name, folder, "zip")


def tarred():
    with tarfile.open("m.tar.x", "w") as archive:
        archive.add("ffhq.safetensors")


def squeezed():
    """A torch file that somebody packed again."""
    with zipfile.ZipFile("rosinality.pt") as old, zipfile.ZipFile("m.pt", "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))


def swapped():
    """A torch file of a big-endian machine."""
    with zipfile.ZipFile("rosinality.pt") as old, zipfile.ZipFile("m.pt", "w") as new:
        for name in old.namelist():
            new.writestr(name, b"big" if name.endswith("byteorder") else old.read(name))
        if not any(name.endswith("byteorder") for name in old.namelist()):
            new.writestr(f"{old.namelist()[0].partition('/')[0]}/byteorder", b"big")


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


A, B = tiny_model(0, img_resolution=8), tiny_model(1, img_resolution=8)
WIDE = tiny_model(0, img_resolution=8, w_dim=24)
TWO = {"a": rosinality_table(A), "b": rosinality_table(B)}
MAIN, KINDS = "convert/__main__.py", "convert/kinds.py"
AGAIN, ONLY = (
    "download or export it again",
    "only StyleGAN2 models can be read: .pkl, .pt, .safetensors or a checkpoint folder",
)
_MAIN = [
    Case(MAIN, "choose among {}", "convert", "whole.safetensors x.safetensors --networks E"),
    Case(MAIN, "choose among {}", "convert", "m.bin --to tiff", lambda: shutil.copy("official.pkl", "m.bin")),
    Case(MAIN, "name one: python -m convert {} OUT", "convert", "whole.safetensors --to safetensors"),
    Case(
        MAIN,
        "use --half with .safetensors or a folder",
        "convert",
        "ffhq.safetensors x.pkl --half",
        follow=[f"ffhq.safetensors {out} --half" for out in ("x.safetensors", "x")],
    ),
    Case(MAIN, "the weights are no trained model", "convert", "wild.safetensors x.safetensors --verify", wild, HANDS),
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

CHECK = "choose among its networks|take a model with G_ema"
ASSEMBLY, FINDING = "convert/assembly.py", "convert/finding.py"
_READING = [
    Case(
        "stylegan_jax/storage/checkpoint.py",
        CHECK,
        "convert",
        "ffhq.safetensors x.safetensors --networks D",
        follow="ffhq.safetensors x.safetensors --networks G_ema",
    ),
    Case(
        "stylegan_jax/storage/checkpoint.py",
        CHECK,
        "convert",
        "rosinality.pt x.safetensors --networks D",
        follow="rosinality.pt x.safetensors --networks G_ema",
    ),
    Case(
        "stylegan_jax/storage/checkpoint.py",
        CHECK,
        "sample",
        "g.safetensors --seeds 0 --out faces",
        follow="whole.safetensors --seeds 0 --out faces",
    ),
    Case(
        "stylegan_jax/storage/checkpoint.py",
        CHECK,
        "blend",
        "ffhq.safetensors toon.safetensors --swap 8 --no-sheet --out x.safetensors --networks all",
        follow="ffhq.safetensors toon.safetensors --swap 8 --no-sheet --out x.safetensors --networks G_ema",
    ),
    Case(
        ASSEMBLY,
        "read one of them: --networks {}",
        "convert",
        "m.pt x.safetensors",
        zipped({"G": official_table(A), "G_ema": official_table(WIDE)}),
    ),
    Case(FINDING, "choose one: python -m convert FILE OUT --key {}", "convert", "m.pt x.safetensors", zipped(TWO)),
    Case(
        FINDING,
        "choose one of these",
        "convert",
        "m.pt x.safetensors --key c",
        zipped(TWO),
        [f"m.pt x.safetensors --key {key}" for key in TWO],
    ),
    Case(
        FINDING,
        AGAIN,
        lambda: recognised({"net": rosinality_table(A), "latent_avg": np.zeros(0, np.float32)}),
        follow=lambda: recognised({"net": rosinality_table(A), "latent_avg": A.networks["G_ema"]["mapping.w_avg"]}),
    ),
    Case("convert/official.py", AGAIN, changed(lost_tables), follow=changed(same)),
    Case("convert/official.py", AGAIN, changed(no_tensor), follow=changed(same)),
    Case("convert/official.py", "pass a StyleGAN2 file", changed(no_module), follow=changed(same)),
    Case(
        "convert/pickles/interpreter.py",
        "pass the folder that it lies in, or the .pt it came from",
        "convert",
        "data.pkl x.safetensors",
        both(unpacked(), lambda: shutil.copy("parts/archive/data.pkl", "data.pkl")),
        ["parts/archive x.safetensors", "rosinality.pt x.safetensors"],
    ),
    Case(
        "convert/pickles/interpreter.py",
        AGAIN,
        "convert",
        "m.pkl x.safetensors",
        lambda: _cut("official.pkl", "m.pkl"),
        lambda: shutil.copy("official.pkl", "m.pkl"),
    ),
    Case(
        "convert/pickles/torch_file.py",
        AGAIN,
        "convert",
        "m.pt x.safetensors",
        lambda: _cut("rosinality.pt", "m.pt"),
        lambda: shutil.copy("rosinality.pt", "m.pt"),
    ),
    Case(
        "convert/pickles/torch_file.py",
        "unpack it and pass the model inside",
        "convert",
        "m.pt x.safetensors",
        squeezed,
        (unpacked("m.pt"), "parts/archive x.safetensors"),
    ),
    Case(
        "convert/pickles/torch_file.py", "export it on an ordinary one", "convert", "m.pt x.safetensors", swapped, HANDS
    ),
    Case(
        "convert/pickles/torch_file.py",
        "pass the model file itself",
        "convert",
        "m.zip x.safetensors",
        lambda: _packed(),
        (unpacked("m.zip", "inside"), "inside/ffhq.safetensors x.safetensors"),
    ),
    Case(
        "convert/rosinality.py",
        AGAIN,
        lambda: recognised({"g_ema": {**rosinality_table(A), "note": 3}}),
        follow=lambda: recognised({"g_ema": rosinality_table(A)}),
    ),
    Case("convert/rosinality.py", "it comes from a fork", lambda: recognised({"g_ema": _blurred()}), follow=HANDS),
    Case(
        "convert/facts.py",
        "only StyleGAN2 models up to 1024 pixels can be represented",
        lambda: recognised(_large()),
        follow=HANDS,
    ),
    Case(
        "convert/kinds.py",
        "pass a StyleGAN2 file, or its state dict",
        lambda: _refused(kinds.unknown_tree({}, ["diffusers.X"])),
        follow=lambda: recognised(official_table(A)),
    ),
    Case("convert/pickles/allowed.py", AGAIN, lambda: _unpickled(b"(K\x07t"), follow=lambda: _unpickled(b"(K\x02t")),
    *[
        Case(
            "convert/tensorflow.py",
            "download it again",
            lambda state=state: model_of(_broken(state)),
            follow=lambda: model_of(as_tensorflow(tiny_model())),
        )
        for state in ({"components": 3}, {"variables": 3}, {"variables": [("a", "b")]})
    ],
]


def _large():
    """The names of a network of 2048 pixels."""
    return {**official_table(A), "synthesis.b2048.torgb.weight": np.zeros((3, 8, 1, 1), np.float32)}


def _refused(error):
    raise error


def _unpickled(shape):
    """An array of two numbers that says it has another shape, or that."""
    data = pickle_assembler.array(pickle_assembler.dtype("f4"), shape, pickle_assembler.payload(bytes(8)))
    return unpickle.load(memoryview(pickle_assembler.pickled(data)))


def _blurred():
    kernels = {name: leaf for name, leaf in rosinality_table(A).items() if name.endswith("kernel")}
    name = next(iter(kernels), "convs.0.conv.blur.kernel")
    return {**rosinality_table(A), name: np.arange(16, dtype=np.float32).reshape(4, 4)}


def _broken(state):
    whole = as_tensorflow(tiny_model())
    whole.state |= state
    return whole


def _cut(name, place):
    Path(place).write_bytes(Path(name).read_bytes()[:-3000])


def _packed():
    with zipfile.ZipFile("m.zip", "w") as archive:
        archive.write("ffhq.safetensors")


WS, ARRAYS = "convert/ws.py", "convert/warrays.py"
SHOWN = "ffhq.safetensors --out faces --w"
FORM = "pass floats of shape [n, w_dim] or [n, num_ws, w_dim], in .npy, .npz or .pt"
FINITE = "pass finite floats of shape [n, w_dim] or [n, num_ws, w_dim], in .npy, .npz, .pt or a folder of those"
FIT = "use the model they were projected with, or a blend of it"
ROWS = np.zeros((6, 16), np.float32)


def array(name, values):
    """A step that saves an array."""
    return lambda: np.save(name, values)


_WS = [
    Case(WS, "use w or w+", "sample", f"{SHOWN} both.npy --w-space z", array("both.npy", ROWS)),
    Case(
        WS,
        "put {} files there",
        "sample",
        f"{SHOWN} empty",
        file("empty/read.me"),
        lambda: shutil.copy("w.npy", "empty/w.npy"),
    ),
    Case(WS, "check the path", "sample", f"{SHOWN} no.npy", follow=lambda: shutil.copy("w.npy", "no.npy")),
    Case(WS, FIT, "sample", f"{SHOWN} wide.npy", follow=f"{SHOWN} w.npy"),
    Case(WS, FINITE, "sample", f"{SHOWN} x.npy", array("x.npy", np.zeros((6, 16), np.int32)), array("x.npy", ROWS)),
    Case(WS, FINITE, "sample", f"{SHOWN} x.npy", array("x.npy", np.zeros((0, 16), np.float32)), array("x.npy", ROWS)),
    Case(
        WS,
        FINITE,
        "sample",
        f"{SHOWN} x.npy",
        array("x.npy", np.full((2, 16), np.nan, np.float32)),
        array("x.npy", ROWS),
    ),
    Case(ARRAYS, "choose one: --w {}:{}", "sample", f"{SHOWN} several.npz"),
    Case(ARRAYS, "choose one: --w {}:{}", "sample", f"{SHOWN} several.npz:c"),
    Case(ARRAYS, "choose one: --w FILE:{}", "sample", f"{SHOWN} t.pt", zipped({"a": ROWS, "b": ROWS}, "t.pt")),
    Case(
        ARRAYS,
        "choose one of these",
        "sample",
        f"{SHOWN} t.pt:c",
        zipped({"a": ROWS, "b": ROWS}, "t.pt"),
        [f"{SHOWN} t.pt:{name}" for name in "ab"],
    ),
    Case(ARRAYS, "export it again", "sample", f"{SHOWN} x.npy", file("x.npy", b""), array("x.npy", ROWS)),
    Case(
        ARRAYS,
        "export it again",
        "sample",
        f"{SHOWN} x.npz",
        file("x.npz", b"PK\3\4broken"),
        lambda: np.savez("x.npz", w=ROWS),
    ),
    Case(ARRAYS, FORM, "sample", f"{SHOWN} x.npy", file("x.npy", b"<html>"), array("x.npy", ROWS)),
    Case(ARRAYS, FORM, "sample", f"{SHOWN} x.npy", file("x.npy", b"\x93NUMPY\1\0"), array("x.npy", ROWS)),
    Case(ARRAYS, FORM, "sample", f"{SHOWN} x.pkl", file("x.pkl", pickle.dumps([1, 2])), f"{SHOWN} w.npy"),
    Case(
        ARRAYS,
        FIT,
        "sample",
        f"{SHOWN} x.npz",
        lambda: np.savez_compressed("x.npz", w=np.zeros((1 << 18, 30), np.float32)),
        f"{SHOWN} w.npy",
    ),
]

CASES = [*_MAIN, *_KINDS, *_READING, *_WS]
