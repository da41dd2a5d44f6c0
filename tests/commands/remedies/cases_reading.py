"""Cases of reading model files and files of ws."""

import shutil
import zipfile
from pathlib import Path

import numpy as np

from convert import kinds, reading
from convert.pickles import unpickle
from tests.commands.remedies.case import HANDS, Case
from tests.commands.remedies.steps import both, unpacked, zipped
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


CASES = _READING
