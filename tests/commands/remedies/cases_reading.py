"""Cases of reading model files and files of ws."""

import pickle
import shutil
import zipfile
from pathlib import Path

import numpy as np

from convert import kinds, reading
from convert.pickles import unpickle
from tests.commands.remedies.case import HANDS, Case
from tests.commands.remedies.steps import array, both, file, unpacked, zipped
from tests.convert import pickle_assembler
from tests.convert.test_finding import official_table, rosinality_table
from tests.convert.test_tensorflow import as_tensorflow, model_of
from tests.tiny_models import tiny_model


def recognised(tree):
    """The model in the tree of a file."""
    return reading.assemble(reading.recognise(tree), None, file_size=10**9)


def changed(change):
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


A, B = tiny_model(0, img_resolution=8), tiny_model(1, img_resolution=8)
WIDE = tiny_model(0, img_resolution=8, w_dim=24)
TWO = {"a": rosinality_table(A), "b": rosinality_table(B)}
AGAIN = "download or export it again"

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
    Case(
        "stylegan_jax/storage/inputs.py",
        "{}",
        "sample",
        f"{SHOWN} no.npy",
        follow=lambda: shutil.copy("w.npy", "no.npy"),
    ),
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
    Case(
        "stylegan_jax/storage/inputs.py",
        "download it again",
        "sample",
        f"{SHOWN} x.npy",
        file("x.npy", b""),
        array("x.npy", ROWS),
    ),
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
]

CASES = [*_READING, *_WS]
