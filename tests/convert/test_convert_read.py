"""`convert.read` knows files by their contents: models are read, and everything else is called what it is."""

import gzip
import io
import json
import os
import subprocess
import sys
import tarfile
import zipfile

import numpy as np
import pytest

import convert
from convert import assembly, official
from stylegan_jax import names
from stylegan_jax.errors import InputError
from stylegan_jax.storage import checkpoint, safetensors
from stylegan_jax.storage.checkpoint import Model
from tests.convert import pickle_assembler
from tests.golden_data import ROOT, golden
from tests.golden_networks import model
from tests.tiny_models import tiny_model


def archive(**files):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as writer:
        for name, content in files.items():
            writer.writestr(name, content)
    return file.getvalue()


def tar(name):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as writer:
        writer.addfile(tarfile.TarInfo(name), io.BytesIO())
    return file.getvalue()


def npz():
    file = io.BytesIO()
    np.savez(file, w=np.zeros(3))
    return file.getvalue()


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 381624121\n"
NO_MODELS = {
    "empty": (b"", "is empty (0 bytes) — download it again"),
    "one byte": (b"\x80", "is only 1 bytes long"),
    "Git LFS pointer": (LFS, "is a Git LFS pointer, not the file itself — run git lfs pull"),
    "HTML": (b"<!DOCTYPE html><html>Quota exceeded</html>", "is a web page"),
    "HTML after newlines": (b"\n\n  <html><head></head>", "is a web page"),
    "JSON": (json.dumps({"model": "x", "y": 1}).encode(), "is a JSON file"),
    "text": ("Weights are at α.example.com\n".encode(), "is a text file"),
    "protocol 0": (b"cos\nsystem\n(S'true'\ntR.", "is a text file"),
    "zip": (archive(readme="x"), "is a zip archive"),
    "empty zip": (archive(), "is an empty zip archive"),
    "npz": (npz(), "is a zip archive"),
    "7z": (b"7z\xbc\xaf\x27\x1c" + bytes(100), "is a 7z archive — unpack"),
    "gzip": (gzip.compress(b"x" * 100), "is a gzip archive — unpack"),
    "xz": (b"\xfd7zXZ\x00" + bytes(100), "is an xz archive"),
    "rar": (b"Rar!\x1a\x07\x01\x00" + bytes(100), "is a rar archive"),
    "tar": (tar("model.pkl"), "is a tar archive"),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + bytes(100), "is an HDF5 file"),
    "ONNX": (b"\x08\x07\x12\x07pytorch\x1a\x051.8.0" + bytes(100), "is an ONNX file"),
    "PNG": (b"\x89PNG\r\n\x1a\n" + bytes(100), "is a PNG image"),
    "npy": (b"\x93NUMPY\x01\x00" + bytes(100), "is a NumPy array"),
    "zeros": (bytes(4096), "is no model file of a known kind"),
    "noise": (np.random.RandomState(0).bytes(4096), "is no model file of a known kind"),
    "a number in a pickle": (b"\x80\x04\x95\x03\0\0\0\0\0\0\0K\x05.", "holds 5, not a model"),
    "a table in a pickle": (b"\x80\x04}(X\x01\0\0\0aK\x01X\x01\0\0\0bK\x02u.", "holds a table of 2 entries (a, b)"),
    "newer protocol": (b"\x80\x06}........", "protocol 6"),
}


@pytest.mark.parametrize("title", NO_MODELS)
def test_what_is_no_model_is_called_what_it_is(title, tmp_path):
    content, message = NO_MODELS[title]
    path = tmp_path / "a model.pkl"
    path.write_bytes(content)
    with pytest.raises(InputError) as refusal:
        convert.read(path)
    line = str(refusal.value)
    assert line.startswith(f"{path}: {message}") or (line.startswith(f"{path}: ") and message in line), line
    assert " — " in line and "\n" not in line


def test_an_absent_file_a_folder_and_a_pipe_are_said(tmp_path):
    for path, message in ((tmp_path / "absent.pkl", "no such file"), (tmp_path, "is a folder")):
        with pytest.raises(InputError, match=message):
            convert.read(path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="device or pipe"):
        convert.read(tmp_path / "pipe")


def test_an_unreadable_file_is_said(tmp_path):
    (tmp_path / "x.pkl").write_bytes(b"12345678")
    (tmp_path / "x.pkl").chmod(0)
    if os.access(tmp_path / "x.pkl", os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(InputError, match="cannot be read"):
        convert.read(tmp_path / "x.pkl")


def test_an_unpacked_torch_archive_without_its_numbers_is_refused(tmp_path):
    (tmp_path / "data.pkl").write_bytes(b"\x80\x02" + pickle_assembler.storage() + b".")
    with pytest.raises(InputError, match="its part data/0 of 4 numbers is missing"):
        convert.read(tmp_path)


@pytest.mark.parametrize("name", ["x.pkl", "x.pt", "no suffix", "new\nline", "-x.png", "ü.safetensors"])
def test_the_name_of_a_file_does_not_matter(name, tmp_path):
    official.write(tiny_model(), tmp_path / "source.pkl").rename(tmp_path / name)
    assert list(convert.read(tmp_path / name).networks) == ["D", "G_ema"]


def test_lineage_says_where_a_model_came_from(tmp_path):
    import hashlib

    path = official.write(tiny_model(), tmp_path / "faces.pkl")
    assert convert.read(path).lineage == {
        "source": "faces.pkl",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "format": "stylegan2-ada-pytorch",
    }


FOREIGN = ("gen/s03_cond32.pkl", "tf/s10_tf_ada64.pkl", "rosinality/s12_ros_conv32.pt", "others.safetensors", "ours")


@pytest.mark.parametrize("name", FOREIGN)
def test_the_configuration_alone_is_read_without_a_weight(name, tmp_path, monkeypatch):
    path = tmp_path / name
    if name == "others.safetensors":
        with open(path, "wb") as file:
            safetensors.write(file, tiny_model().networks["G_ema"], {"format": "pt"})
    elif name == "ours":
        checkpoint.save(tiny_model(), path)
    else:
        path = golden(name)
    expected = convert.read(path, networks=["G_ema"]).config
    monkeypatch.setattr(assembly, "_float32", lambda *_: pytest.fail("read the weights"))
    monkeypatch.setattr(safetensors, "read", lambda *_: pytest.fail("read the tensors"))
    assert convert.read_config(path, networks=["G_ema"]) == expected


@pytest.mark.parametrize("suffix", [".safetensors", "", ".pkl"])
def test_every_form_of_a_model_holds_the_same(suffix, tmp_path):
    original = model("s05_resnet64")
    path = convert.write(original, tmp_path / f"x{suffix}")
    found = convert.read(path)
    assert found.config == original.config
    for network, leaves in original.networks.items():
        for name, leaf in leaves.items():
            np.testing.assert_array_equal(found.networks[network][name], leaf, strict=True)
    assert list(convert.read(path, networks=["D"]).networks) == ["D"]


@pytest.mark.parametrize("prefix", [True, False])
def test_safetensors_of_others_are_read_from_their_shapes(prefix, tmp_path):
    original = tiny_model()
    leaves = names.join_networks(original.networks) if prefix else original.networks["G_ema"]
    with open(tmp_path / "x.safetensors", "wb") as file:
        safetensors.write(file, leaves, {"format": "pt"})
    found = convert.read(tmp_path / "x.safetensors")
    assert found.config.generator.mapping_layers == 2 and found.config.generator.w_dim == 16
    assert found.lineage["format"] == "state dict" and "assumed" in found.lineage["notes"][0]
    for name, leaf in original.networks["G_ema"].items():
        np.testing.assert_array_equal(found.networks["G_ema"][name], leaf)


@pytest.mark.parametrize("form", ["zip", "stream", "flat"])
def test_plain_state_dicts_are_read_from_their_shapes(form, tmp_path):
    torch = pytest.importorskip("torch")
    original = model("s03_cond32")
    tables = {name: {k: torch.from_numpy(v) for k, v in leaves.items()} for name, leaves in original.networks.items()}
    tree = tables["G_ema"] if form == "flat" else tables
    torch.save(tree, tmp_path / "x.pt", _use_new_zipfile_serialization=form != "stream")
    found = convert.read(tmp_path / "x.pt")
    assert found.config.generator.z_dim == 32 and found.config.generator.c_dim == 5
    for network, leaves in found.networks.items():
        for name, leaf in leaves.items():
            np.testing.assert_array_equal(leaf, original.networks[network][name])
    assert list(found.networks) == (["G_ema"] if form == "flat" else ["G", "D", "G_ema"])


def test_official_objects_inside_a_torch_archive_are_read(tmp_path):
    """`torch.save` of the whole dictionary, as some forks do."""
    original = golden("gen/s03_cond32.pkl")
    path = tmp_path / "x.pt"
    path.write_bytes(pickle_assembler.archive({"x/data.pkl": original.read_bytes(), "x/version": b"3\n"}))
    assert convert.read(path).config == model("s03_cond32").config


def test_lucidrains_checkpoints_are_named(tmp_path):
    torch = pytest.importorskip("torch")
    torch.save({"GAN": {"SE.net.0.weight": torch.zeros(2, 2)}, "version": "1.5.1"}, tmp_path / "model_1.pt")
    with pytest.raises(InputError, match="lucidrains"):
        convert.read(tmp_path / "model_1.pt")


def test_forks_that_are_not_square_are_named(tmp_path):
    leaves = dict(tiny_model().networks["G_ema"])
    leaves["synthesis.b4.const"] = np.zeros((8, 4, 6), np.float32)
    with open(tmp_path / "x.safetensors", "wb") as file:
        safetensors.write(file, leaves, {})
    with pytest.raises(InputError, match="4×6 pixels: a fork for images that are not square"):
        convert.read(tmp_path / "x.safetensors")


def test_a_checkpoint_of_ours_that_is_damaged_is_refused(tmp_path):
    path = checkpoint.save(tiny_model(), tmp_path / "x.safetensors")
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match="checksum"):
        convert.read(path)


MEASURE = """
import sys
import convert

def kilobytes(key):
    return int(next(line for line in open("/proc/self/status") if line.startswith(key)).split()[1])

before = kilobytes("VmRSS")
model = convert.read(sys.argv[1])
size = sum(leaf.nbytes for leaves in model.networks.values() for leaf in leaves.values())
print(1024 * (kilobytes("VmHWM") - before) / size)
print([name for name in ("jax", "flax", "torch", "orbax", "tensorstore") if name in sys.modules])
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="reads /proc")
def test_reading_takes_little_memory_and_no_jax(tmp_path):
    path = official.write(tiny_model(img_resolution=32, channel_max=512, w_dim=512, z_dim=512), tmp_path / "x.pkl")
    command = [sys.executable, "-c", MEASURE, str(path)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    ratio, imported = ended.stdout.splitlines()
    assert float(ratio) < 2.3
    assert imported == "[]"


def test_sharing_one_network_is_one_network(tmp_path):
    original = tiny_model(discriminator=True)
    alone = Model(original.config, {name: original.networks[name] for name in ("D", "G_ema")}, {})
    found = convert.read(convert.write(alone, tmp_path / "x.pkl"))
    assert set(found.networks) == {"D", "G_ema"}


@pytest.mark.parametrize("number", [np.inf, np.nan, 3e38, -1e38, 1e-45, 0])
def test_absurd_filters_are_refused_and_no_arithmetic_complains(number, tmp_path):
    leaves = {name: np.array(leaf) for name, leaf in tiny_model().networks["G_ema"].items()}
    for name in leaves:
        if name.endswith("resample_filter"):
            leaves[name][0, 0] = number
    with open(tmp_path / "x.safetensors", "wb") as file:
        safetensors.write(file, leaves, {})
    with pytest.raises(InputError, match="resample_filter: its values are not those of"):
        convert.read(tmp_path / "x.safetensors")
