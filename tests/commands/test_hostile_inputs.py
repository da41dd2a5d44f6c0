"""Every input of every command that would hang, fill the memory or lead elsewhere ends in one line, quickly."""

import json
import os
import shutil
import struct
import zlib

import numpy as np
import pytest

from convert.__main__ import main as convert
from interp.blend import blend
from stylegan_jax.commands import cli
from stylegan_jax.commands.sample import sample
from stylegan_jax.commands.train import train
from stylegan_jax.storage import checkpoint, manifest
from tests.commands.endings import ends_in_one_line
from tests.pictures_and_zips import picture, zipped
from tests.tiny_models import tiny_model


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return checkpoint.save(tiny_model(), tmp_path_factory.mktemp("model") / "tiny.safetensors")


@pytest.fixture(scope="module")
def folder_model(tmp_path_factory):
    return checkpoint.save(tiny_model(), tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(params=["pipe", "device", "made up", "empty", "absent"])
def odd(request, tmp_path):
    place = tmp_path / "odd"
    if request.param == "pipe":
        os.mkfifo(place)
    elif request.param == "empty":
        place.touch()
    elif request.param in ("device", "made up"):
        place.symlink_to("/dev/zero" if request.param == "device" else "/proc/self/mem")
    return place


def test_what_is_no_file_is_refused_wherever_a_file_is_asked_for(odd, model, tmp_path, capsys):
    out = tmp_path / "out.png"
    for door, arguments in (
        (convert, (odd, tmp_path / "y")),
        (blend, (odd, model, "--swap", "8", "--out", out)),
        (blend, ("--recipe", odd, "--out", out)),
        (sample, (odd, "--seeds", "0", "--out", tmp_path / "s")),
        (sample, (model, "--w", odd, "--out", tmp_path / "s")),
        (train, (odd, "--resolution", "16", "--out", tmp_path / "run")),
    ):
        ends_in_one_line(capsys, door, *arguments)
    assert sorted(path.name for path in tmp_path.iterdir()) in (["odd"], [])


# ---- our own folders ----


def changed(folder_model, tmp_path, change):
    """A copy of a checkpoint folder whose manifest agrees with what was changed in it."""
    place = tmp_path / "model"
    shutil.copytree(folder_model, place)
    own = json.loads((place / manifest.NAME).read_text())
    change(place, own)
    own.pop("crc32", None)
    own["crc32"] = zlib.crc32(json.dumps(own, sort_keys=True).encode())
    (place / manifest.NAME).write_text(json.dumps(own))
    return place


def weights_of(leaves, **options):
    """Changes a folder's arrays, and what its manifest says of the files."""

    def change(place, own):
        import orbax.checkpoint.experimental.v1 as ocp

        shutil.rmtree(place / manifest.WEIGHTS)
        context = ocp.Context()
        context.array.saving.use_compression = True
        with context:
            ocp.save(place / manifest.WEIGHTS, leaves)
        own |= {"files": manifest.file_sums(place), **options}

    return change


def test_arrays_of_another_shape_are_not_loaded(folder_model, tmp_path, capsys):
    leaves: dict[str, np.ndarray] = {
        key: np.zeros(3, np.float32) for key in json.loads((folder_model / manifest.NAME).read_text())["tensors"]
    }
    leaves["G_ema.mapping.w_avg"] = np.zeros((30_000, 10_000), np.float32)
    place = changed(folder_model, tmp_path, weights_of(leaves))
    assert "arrays of other shapes" in ends_in_one_line(capsys, convert, place, tmp_path / "y.safetensors")


@pytest.mark.slow
def test_packed_arrays_that_unfold_are_not_loaded(folder_model, tmp_path, capsys):
    wide = tiny_model(z_dim=16_000, w_dim=14_000)
    leaves = {f"G_ema.{name}": np.zeros(leaf.shape, np.float32) for name, leaf in wide.networks["G_ema"].items()}
    options = {"config": wide.config.to_json(), "tensors": dict.fromkeys(leaves, 1)}
    place = changed(folder_model, tmp_path, weights_of(leaves, **options))
    assert "MiB of memory" in ends_in_one_line(capsys, convert, place, tmp_path / "y.safetensors")


def _link(place, own):
    (place / manifest.WEIGHTS / "passwd").symlink_to("/etc/passwd")


def _listed_link(place, own):
    name = next(iter(own["files"]))
    (place / name).unlink()
    (place / name).symlink_to("/dev/zero")


def _folder_link(place, own):
    (place / manifest.WEIGHTS / "etc").symlink_to("/etc")


def _pipe(place, own):
    os.mkfifo(place / manifest.WEIGHTS / "pipe")


def _stranger(place, own):
    (place / manifest.WEIGHTS / "stranger").write_bytes(b"1")


def _outside(place, own):
    own["files"]["../secret"] = 1


@pytest.mark.parametrize("change", [_link, _listed_link, _folder_link, _pipe, _stranger, _outside])
def test_nothing_is_opened_that_the_manifest_does_not_list(folder_model, tmp_path, capsys, change):
    place = changed(folder_model, tmp_path, change)
    ends_in_one_line(capsys, convert, place, tmp_path / "y.safetensors")


def test_what_systems_leave_in_folders_does_no_harm(folder_model, tmp_path):
    place = changed(folder_model, tmp_path, lambda place, own: (place / manifest.WEIGHTS / ".DS_Store").touch())
    (place / "README.md").touch()
    assert checkpoint.load(place).config == checkpoint.load(folder_model).config


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"lineage": {"notes": 5}}, "lineage.notes is 5"),
        ({"lineage": {"labels": [[1]]}}, "lineage.labels[0] has 1 entries"),
        ({"lineage": {"recipe": 3}}, "lineage.recipe is 3"),
        ({"lineage": {"nimg": 10**400}}, "lineage.nimg holds a huge number"),
        ({"tensors": {"G_ema.a": -1}}, "tensors.G_ema.a is -1"),
        ({"tensors": {"\x1b": {}}}, r"tensors.\x1b is a dict"),
        ({"format_version": "\x1b[2J"}, r"format_version is '\x1b[2J'"),
        ({"format_version": 10**400}, "format_version is a huge number"),
    ],
)
def test_a_manifest_is_checked_field_by_field(folder_model, tmp_path, capsys, changes, what):
    place = changed(folder_model, tmp_path, lambda place, own: own.update(changes))
    assert what in ends_in_one_line(capsys, convert, place, tmp_path / "y.safetensors")


@pytest.mark.parametrize("field", ["notes", "left_aside", "surgery", "labels", "source", "format", "recipe", "data"])
def test_a_field_of_the_lineage_that_is_null_is_none(folder_model, tmp_path, capsys, field):
    place = changed(folder_model, tmp_path, lambda place, own: own["lineage"].update({field: None, "mine": None}))
    lineage = checkpoint.load(place).lineage
    assert field not in lineage and lineage["mine"] is None
    assert cli.run(convert, "convert", [str(place), "--describe"]) == 0
    assert "None" not in capsys.readouterr().out


def test_a_manifest_as_large_as_a_model_is_not_read(folder_model, tmp_path, capsys):
    place = changed(folder_model, tmp_path, lambda place, own: None)
    with open(place / manifest.NAME, "wb") as file:
        file.truncate(1 << 30)
    assert "far longer" in ends_in_one_line(capsys, convert, place, tmp_path / "y.safetensors")


def test_lineage_is_printed_without_its_escape_sequences(folder_model, tmp_path, capsys):
    place = changed(folder_model, tmp_path, lambda place, own: own["lineage"].update(notes=["\x1b[2J\nerror: x"]))
    assert cli.run(convert, "convert", [str(place), str(tmp_path / "y.safetensors")]) == 0
    assert r"note: \x1b[2J\nerror: x" in capsys.readouterr().out


def test_a_snapshot_that_is_a_run_itself_is_refused(tmp_path, capsys):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text("{}")
    (tmp_path / "run" / "network-snapshot-000001.safetensors").symlink_to(".")
    ends_in_one_line(capsys, convert, tmp_path / "run", tmp_path / "y")


# ---- .safetensors ----

EMPTY = '"{}":{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}'


@pytest.mark.parametrize(
    "header",
    [
        b'{"a":[' + b"[]," * 4_000_000 + b"0]}",
        b"{" + b",".join(EMPTY.format(i).encode() for i in range(100_000)) + b"}",
        b'{"' + b"x" * 5_000_000 + b'":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}',
        b'{"x":{"dtype":"F32","shape":[' + b"1," * 2_000_000 + b'1],"data_offsets":[0,4]}}',
        b'{"x":{"dtype":{},"shape":[1],"data_offsets":[0,4]}}',
        b'{"x":{"dtype":"F32","shape":{},"data_offsets":[0,4]}}',
        b'{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,1' + b"0" * 4000 + b"]}}",
        b'{"__metadata__":{"stylegan_jax":"[' + b"[]," * 2_000_000 + b'0]"}}',
        b'{"x":' * 1_000_000,
    ],
    ids=["lists", "tensors", "a name", "a shape", "no dtype", "no shape", "an offset", "a manifest", "depth"],
)
def test_hostile_headers_are_refused(tmp_path, capsys, header):
    (tmp_path / "x.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    ends_in_one_line(capsys, convert, tmp_path / "x.safetensors", tmp_path / "y")


def test_a_header_of_ninety_megabytes_is_not_read(tmp_path, capsys):
    with open(tmp_path / "x.safetensors", "wb") as file:
        file.write((90_000_000).to_bytes(8, "little") + b'{"')
        file.truncate(90_000_008)
    assert "header of 85 MiB" in ends_in_one_line(capsys, convert, tmp_path / "x.safetensors", tmp_path / "y")


# ---- recipes ----

MODELS = "models:\n- path: portraits\n- path: toons\n  schedule: swap=8\n"
MERGED = "a0: &a0 {x: 1}\n" + "".join(f"a{i + 1}: &a{i + 1}\n  <<: [{', '.join([f'*a{i}'] * 10)}]\n" for i in range(9))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("models: [" + "a," * 300_000 + "a]", "more than 10000 entries"),
        ("models:\n" + "- path: a\n" * 5000, "more than 10000 entries"),
        ("models:\n" + "- path: a\n" * 99, "models has 99 entries"),
        ("[" * 400_000, "is no recipe"),
        (MERGED, "merges tables"),
        ("models: &a [*a, *a]", "it is a list"),
        (MODELS + "psi: " + ":".join(["59"] * 200_000), "characters"),
        (MODELS + "psi: 0x" + "f" * 900_000, "characters"),
        (MODELS + "psi: 1.0e+300", "psi is 1e+300, not from"),
        (MODELS + "mapping: 1.0e+300", "mapping is 1e+300"),
        (MODELS + "seeds: 0-9999999", "seeds are more than"),
        (MODELS + "class_idx: [" + "1," * 5000 + "1]", "class_idx has 5001 entries"),
        (MODELS + 'networks: "\\e[2J"', r"\x1b[2J"),
        (MODELS.replace("portraits", '"\\e[2J\\nerror: x"'), r"\x1b[2J\nerror: x"),
        (MODELS.replace("portraits", "a" * 5000), "path is 5000 characters long"),
        ("".join(f"k{i}: 1\n" for i in range(3000)) + MODELS, "k11 is unknown"),
    ],
)
def test_hostile_recipes_are_refused(tmp_path, capsys, text, what):
    (tmp_path / "r.yaml").write_text(text)
    assert what in ends_in_one_line(capsys, blend, "--recipe", tmp_path / "r.yaml", "--out", tmp_path / "y.png")


def noted(text, packed=False):
    """A PNG of one pixel that carries a note of ours."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    note = b"stylegan_jax\0" + bytes([packed]) + bytes(3) + (zlib.compress(text) if packed else text)
    head = struct.pack(">2I5B", 1, 1, 8, 0, 0, 0, 0)
    pieces = [(b"IHDR", head), (b"iTXt", note), (b"IDAT", zlib.compress(bytes(2))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*piece) for piece in pieces)


@pytest.mark.parametrize(
    ("text", "packed"),
    [
        (b"[" * 900_000, False),
        (b"[1]", False),
        (b'{"recipe": 5}', False),
        (b'{"recipe":"' + b"a" * 10**8 + b'"}', True),
    ],
)
def test_hostile_notes_in_pictures_are_refused(tmp_path, capsys, text, packed):
    (tmp_path / "r.png").write_bytes(noted(text, packed))
    ends_in_one_line(capsys, blend, "--recipe", tmp_path / "r.png", "--out", tmp_path / "y.png")


# ---- what lies where outputs go ----


@pytest.mark.parametrize("text", ["[" * 200_000, "[1]", '{"a":[' + "[]," * 9_000_000 + "0]}", '{"files": null}'])
def test_manifests_of_others_in_an_output_folder_are_refused(model, tmp_path, capsys, text):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "manifest.json").write_text(text)
    ends_in_one_line(capsys, sample, model, "--seeds", "0", "--out", tmp_path / "s")
    (tmp_path / "x.zip").write_bytes(zipped({"a": b"b"}))
    (tmp_path / "x.zip.json").write_text(text)
    ends_in_one_line(capsys, sample, model, "--seeds", "0", "--out", tmp_path / "x.zip")


@pytest.mark.parametrize("name", ["manifest.json", "seed0000.png"])
def test_a_pipe_where_an_output_goes_stays(model, tmp_path, capsys, name):
    (tmp_path / "s").mkdir()
    os.mkfifo(tmp_path / "s" / name)
    ends_in_one_line(capsys, sample, model, "--seeds", "0", "--out", tmp_path / "s")
    assert not (tmp_path / "s" / name).is_file()


@pytest.mark.parametrize("text", ["[]", '{"a":', "[" * 100_000, '{"config": {"a": "\\u001b[2J\\n"}}'])
def test_descriptions_of_others_in_a_run_are_refused(tmp_path, capsys, text):
    for folder in ("set", "run"):
        (tmp_path / folder).mkdir()
    (tmp_path / "set" / "a.png").write_bytes(picture())
    (tmp_path / "run" / "run.json").write_text(text)
    arguments = (tmp_path / "set", "--resolution", "16", "--out", tmp_path / "run")
    ends_in_one_line(capsys, train, *arguments)
