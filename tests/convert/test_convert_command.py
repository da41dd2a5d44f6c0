import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

import convert
from convert.__main__ import main
from stylegan_jax.commands import cli
from stylegan_jax.pictures import images
from stylegan_jax.storage import checkpoint
from tests.golden_data import ROOT, golden


@pytest.fixture
def source(tmp_path):
    return shutil.copy(golden("gen/s03_cond32.pkl"), tmp_path / "faces.pkl")


def run(*arguments):
    return cli.run(main, "python -m convert", [str(argument) for argument in arguments])


def test_a_pickle_becomes_a_checkpoint_beside_it_and_again_is_up_to_date(source, tmp_path, capsys):
    assert run(source) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"wrote {tmp_path / 'faces'}"
    assert sorted(os.listdir(tmp_path)) == ["faces", "faces.pkl"]
    model, original = checkpoint.load(tmp_path / "faces"), convert.read(source)
    assert model.config == original.config and list(model.networks) == ["G", "D", "G_ema"]
    for network, leaves in original.networks.items():
        for name, leaf in leaves.items():
            np.testing.assert_array_equal(model.networks[network][name], leaf)
    assert model.lineage["source"] == "faces.pkl" and len(model.lineage["sha256"]) == 64
    assert run(source) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'faces'}: up to date\n"


def test_one_file_with_chosen_networks_and_from_there_to_a_folder(source, tmp_path):
    assert run(source, tmp_path / "a.safetensors", "--networks", "G_ema,D") == 0
    assert list(checkpoint.load(tmp_path / "a.safetensors").networks) == ["D", "G_ema"]
    assert run(tmp_path / "a.safetensors", "--networks", "G_ema") == 0
    assert list(checkpoint.load(tmp_path / "a").networks) == ["G_ema"]
    assert run(tmp_path / "a", "--to", "safetensors") == 2, "it exists, and holds other networks"


def test_an_output_of_another_source_is_kept_unless_overwritten(source, tmp_path, capsys):
    other = shutil.copy(golden("gen/s05_resnet64.pkl"), tmp_path / "other.pkl")
    place = tmp_path / "faces.safetensors"
    assert run(source, place) == 0
    before = place.read_bytes()
    assert run(other, place) == 2 and place.read_bytes() == before
    assert capsys.readouterr().err.endswith("exists — pass --overwrite, or give the output another name\n")
    assert run(other, place, "--overwrite") == 0
    assert checkpoint.load(place, networks=["G_ema"]).lineage["source"] == "other.pkl"


def test_describe_says_what_a_file_is_and_writes_nothing(source, tmp_path, capsys):
    assert run(source, "--describe") == 0
    shown = capsys.readouterr().out
    for words in ("stylegan2-ada-pytorch", "32×32 RGB", "skip", "resnet", "classes", "G_ema", "parameters", "sha256"):
        assert words in shown
    assert os.listdir(tmp_path) == ["faces.pkl"]


def test_what_only_writing_takes_is_refused_beside_describe(source, tmp_path, capsys):
    for options in (["--report", "r.json"], ["--half"], ["--verify"], ["--to", "pkl"], [tmp_path / "x", "--half"]):
        assert run(source, "--describe", *options) == 2
        named = " and ".join(str(each) for each in options if str(each).startswith("--"))
        named = f"OUT and {named}" if len(options) == 2 and options[1] == "--half" else named
        assert capsys.readouterr().err == f"error: --describe only prints — leave out {named}, or --describe\n"
    assert os.listdir(tmp_path) == ["faces.pkl"]


def test_verify_makes_the_picture_of_a_seed(source, tmp_path, capsys):
    assert run(source, "--verify") == 0
    picture = tmp_path / "faces.seed0.png"
    assert capsys.readouterr().out.splitlines()[-1].endswith(f"{picture}")
    assert images.read(picture).shape == (32, 32, 3) and images.made_by(picture)["seed"] == 0


def test_verify_replaces_no_picture_of_the_users(source, tmp_path, capsys):
    (tmp_path / "faces.seed0.png").write_bytes(b"mine")
    assert run(source, "--verify") == 2
    assert "faces.seed0.png: exists — pass --overwrite" in capsys.readouterr().err
    assert (tmp_path / "faces.seed0.png").read_bytes() == b"mine" and not (tmp_path / "faces").exists()
    assert run(source, "--verify", "--overwrite") == 0
    assert images.made_by(tmp_path / "faces.seed0.png")["seed"] == 0


def test_verifying_again_leaves_the_picture_as_it_is(source, tmp_path, capsys):
    assert run(source, "--verify") == 0
    before = (tmp_path / "faces.seed0.png").stat().st_mtime_ns
    assert run(source, "--verify") == 0
    assert "up to date" in capsys.readouterr().out
    assert (tmp_path / "faces.seed0.png").stat().st_mtime_ns == before


BAD_FILES = {
    "empty": b"",
    "one byte": b"\x80",
    "a page": b"<!DOCTYPE html><html>Quota exceeded</html>",
    "a pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
    "JSON": b'{"a": 1}',
    "a zip": b"PK\x05\x06" + bytes(18),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_what_is_no_model_ends_with_2_and_one_line_and_leaves_nothing(case, tmp_path, capsys):
    source = tmp_path / "a model.pkl"
    source.write_bytes(BAD_FILES[case])
    assert run(source) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith(f"error: {source}: ") and " — " in shown.err and shown.err.count("\n") == 1
    assert os.listdir(tmp_path) == ["a model.pkl"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["absent.pkl"], "no such file"),
        (["{source}", "{folder}/none/out"], "its folder does not exist"),
        (["{source}", "--networks", "E"], "'E' is no network — choose among G, D, G_ema"),
        (["{source}", "--to", "tar"], "no such format — choose among orbax"),
        (["{source}", "{source}"], "is the model that is converted — give the output another name"),
        (["{folder}"], "{folder}"),
    ],
)
def test_wrong_values_end_with_2_and_say_what_to_do(arguments, message, source, tmp_path, capsys):
    places = {"source": source, "folder": tmp_path}
    assert run(*(argument.format(**places) for argument in arguments)) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("error: ") and message.format(**places) in shown
    assert os.listdir(tmp_path) == ["faces.pkl"]


def test_an_unwritable_place_ends_with_74(source, tmp_path, monkeypatch, capsys):
    def refuse(*_):
        raise PermissionError(13, "Permission denied", str(tmp_path / "faces"))

    monkeypatch.setattr(checkpoint, "_write_orbax", refuse)
    assert run(source) == 74
    assert capsys.readouterr().err.startswith(f"error: {tmp_path / 'faces'}: Permission denied — ")
    assert os.listdir(tmp_path) == ["faces.pkl"]


def test_the_command_runs_without_warnings_and_with_odd_names(source, tmp_path):
    odd = os.rename(source, tmp_path / "-a b\n.pkl") or "./-a b\n.pkl"
    command = [sys.executable, "-W", "error", "-m", "convert", odd]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert checkpoint.is_checkpoint(tmp_path / "-a b\n")


def convert_door(*arguments):
    return cli.run(main, "python -m convert", [str(argument) for argument in arguments])


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("x.h5", b"\x89HDF\r\n\x1a\n" + bytes(100), "is an HDF5 file"),
        ("picture.png", b"\x89PNG\r\n\x1a\n" + bytes(100), "is a PNG image"),
        ("x.ckpt", b"\x80\x02}.", "holds a table of 0 entries"),
        ("x.pickle", b"\x80\x02}.    ", "holds a table of 0 entries"),
    ],
)
def test_what_a_file_is_comes_before_what_is_wrong_with_the_output(tmp_path, capsys, name, content, what):
    (tmp_path / name).write_bytes(content.ljust(8, b" "))
    (tmp_path / "there").mkdir()
    for out in ((), (tmp_path / "there",), (tmp_path / "y.onnx",)):
        assert convert_door(tmp_path / name, *out) == 2
        error = capsys.readouterr().err
        assert error.startswith(f"error: {tmp_path / name}: {what}") and error.count("\n") == 1


def test_a_shipped_name_is_converted_into_the_working_directory(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert convert_door("portraits", "p.pkl") == 0
    assert convert_door("portraits", "--to", "safetensors") == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.pkl", "portraits.safetensors"]
    assert convert_door("portraits", "--describe") == 0


def test_a_missing_file_is_named_with_the_nearest_name(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ffhq.pkl").write_bytes(b"")
    for typed, near in (("portrait", "portraits"), ("fhq.pkl", "ffhq.pkl"), ("./fhq.pkl", "ffhq.pkl")):
        assert convert_door(typed, "--describe") == 2
        assert capsys.readouterr().err.endswith(
            f"{typed.removeprefix('./')}: no such file or folder — did you mean {near}?\n"
        )
    assert convert_door("nosuch.pt", "--describe") == 2
    assert capsys.readouterr().err == "error: nosuch.pt: no such file or folder — check the path\n"


def test_another_programs_suffix_is_no_output(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert convert_door("portraits", "x.h5") == 2
    assert capsys.readouterr().err.startswith("error: x.h5: .h5 is no form that can be written here — use .safetensors")
    assert convert_door("portraits", "toon.v2", "--networks", "G_ema") == 0


def test_a_model_is_not_replaced_by_what_is_made_of_it(source, tmp_path, capsys):
    there = source.read_bytes()
    for typed in ((source, "--resize", 16), (tmp_path / "x.safetensors", "--report", source)):
        assert run(source, *typed, "--overwrite") == 2
        assert "is the model that is converted — give the output another name" in capsys.readouterr().err
    assert source.read_bytes() == there and os.listdir(tmp_path) == ["faces.pkl"]
