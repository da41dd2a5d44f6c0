import json
import subprocess
import sys

import numpy as np
import pytest

from interp.mix import blend
from interp.schedules import swap
from stylegan_jax import checkpoint, images, sampler
from stylegan_jax.doors import run
from stylegan_jax.sample import main
from tests.tiny_models import tiny_model


@pytest.fixture(scope="module")
def model():
    return tiny_model()


@pytest.fixture(scope="module")
def file(model, tmp_path_factory):
    return checkpoint.save(model, tmp_path_factory.mktemp("model") / "tiny.safetensors")


def sample(*arguments):
    return run(main, "python -m stylegan_jax.sample", [str(argument) for argument in arguments])


def pixels(path):
    return images.read(path).astype(int)


def test_seeds_become_numbered_images_and_a_grid(file, model, tmp_path, capsys):
    out = tmp_path / "faces"
    assert sample(file, "--seeds", "0-2,7", "--psi", "0.5", "--grid", "--out", out) == 0
    assert sorted(path.name for path in out.glob("seed*")) == [f"seed{i:04d}.png" for i in (0, 1, 2, 7)]
    expected = np.concatenate(list(sampler.sample(model, [0, 1, 2, 7], truncation_psi=0.5)))
    np.testing.assert_array_equal(pixels(out / "seed0007.png"), expected[3])
    assert pixels(out / "grid.png").shape == (32, 32, 3)
    assert capsys.readouterr().out.splitlines()[-1] == str(out / "grid.png")


def test_every_image_says_what_made_it(file, model, tmp_path):
    assert sample(file, "--seeds", "3", "--psi", "0.5", "--out", tmp_path / "x") == 0
    note = images.made_by(tmp_path / "x" / "seed0003.png")
    assert note["model_sha256"] == checkpoint.fingerprint(model)
    assert (note["image"], note["truncation_psi"], note["noise"]) == ("seed0003.png", 0.5, "const")


def test_images_of_a_blend_carry_its_recipe(model, tmp_path):
    mixed = blend(model, tiny_model(1), swap(8))
    path = checkpoint.save(mixed, tmp_path / "mixed.safetensors")
    assert sample(path, "--seeds", "0", "--out", tmp_path / "x") == 0
    assert images.made_by(tmp_path / "x" / "seed0000.png")["recipe"] == mixed.lineage["recipe"]


def test_the_same_command_continues_where_it_stopped(file, tmp_path):
    command = (file, "--seeds", "0-4", "--batch", "2", "--out", tmp_path / "x")
    assert sample(*command) == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "x").iterdir()}
    kept = (tmp_path / "x" / "seed0000.png").stat().st_mtime_ns
    (tmp_path / "x" / "seed0003.png").unlink()
    assert sample(*command) == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "x").iterdir()} == before
    assert (tmp_path / "x" / "seed0000.png").stat().st_mtime_ns == kept


def test_another_setting_does_not_touch_the_folder(file, tmp_path, capsys):
    assert sample(file, "--seeds", "0", "--out", tmp_path / "x") == 0
    assert sample(file, "--seeds", "0", "--psi", "0.5", "--out", tmp_path / "x") == 2
    assert "made with truncation_psi 1.0, not 0.5" in capsys.readouterr().err
    assert sample(file, "--seeds", "0", "--psi", "0.5", "--overwrite", "--out", tmp_path / "x") == 0
    assert json.loads((tmp_path / "x" / "manifest.json").read_text())["truncation_psi"] == 0.5


@pytest.mark.parametrize("suffix", ["npz", "npy"])
@pytest.mark.parametrize("layers", [True, False])
def test_projected_ws_are_rendered_untruncated(file, model, tmp_path, suffix, layers):
    ws = sampler.map_seeds(model, [4, 5])
    stored = ws if layers else ws[:, 0]
    path = tmp_path / f"projected_w.{suffix}"
    np.savez(path, w=stored) if suffix == "npz" else np.save(path, stored)
    assert sample(file, "--w", path, "--out", tmp_path / "x") == 0
    expected = np.concatenate(list(sampler.sample_ws(model, ws)))
    np.testing.assert_array_equal(pixels(tmp_path / "x" / "proj01.png"), expected[1])


def test_projected_ws_are_truncated_where_psi_is_given(file, model, tmp_path):
    np.save(tmp_path / "w.npy", sampler.map_seeds(model, [4]))
    assert sample(file, "--w", tmp_path / "w.npy", "--psi", "0.5", "--out", tmp_path / "x") == 0
    expected = next(sampler.sample(model, [4], truncation_psi=0.5))
    assert np.abs(pixels(tmp_path / "x" / "proj00.png") - expected[0]).max() <= 1


def test_the_style_mixing_grid_has_the_official_form(file, model, tmp_path):
    assert sample(file, "--styles", "1,2x3,4,5", "--layers", "0-1", "--out", tmp_path / "x") == 0
    own = np.concatenate(list(sampler.sample_ws(model, sampler.map_seeds(model, range(1, 6)))))
    grid = pixels(tmp_path / "x" / "grid.png").reshape(3, 16, 4, 16, 3).swapaxes(1, 2)
    assert not grid[0, 0].any()
    assert np.abs(grid[0, 1:] - own[2:]).max() <= 1
    assert np.abs(grid[1:, 0] - own[:2]).max() <= 1
    np.testing.assert_array_equal(grid[2, 3], pixels(tmp_path / "x" / "2-5.png"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing to sample — pass one of --seeds, --w, --styles"),
        (["--seeds", "0", "--w", "x.npy"], "--seeds and --w"),
        (["--seeds", "0-"], "--seeds 0-"),
        (["--seeds", "5-1"], "--seeds 5-1"),
        (["--seeds", "4294967296"], "--seeds 4294967296"),
        (["--seeds=-1"], "--seeds -1"),
        (["--seeds", ""], "--seeds ''"),
        (["--seeds", "0", "--psi", "nan"], "--psi nan"),
        (["--seeds", "0", "--class", "1"], "not conditional"),
        (["--seeds", "0", "--devices", "99"], "99 devices asked for"),
        (["--seeds", "0", "--batch", "0"], "--batch 0"),
        (["--styles", "1,2"], "--styles 1,2"),
        (["--styles", "1x2", "--layers", "0-9"], "no layer 6"),
        (["--w", "missing.npy"], "missing.npy: no such file"),
    ],
)
def test_bad_values_end_in_one_line(file, tmp_path, capsys, arguments, message):
    assert sample(file, *arguments, "--out", tmp_path / "x") == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and message in error and error.count("\n") == 1
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 9), np.float32), "this model takes"),
        (np.zeros(16, np.float32), "shape [16]"),
        (np.full((1, 16), np.nan, np.float32), "NaN"),
        (np.zeros((1, 16), np.int64), "int64"),
        (np.zeros((0, 16), np.float32), "shape [0, 16]"),
    ],
)
def test_ws_that_do_not_fit_are_refused(file, tmp_path, capsys, array, message):
    np.save(tmp_path / "w.npy", array)
    assert sample(file, "--w", tmp_path / "w.npy", "--out", tmp_path / "x") == 2
    assert message in capsys.readouterr().err


def test_a_file_that_is_no_array_is_refused(file, tmp_path, capsys):
    (tmp_path / "w.npz").write_text("<html>")
    assert sample(file, "--w", tmp_path / "w.npz", "--out", tmp_path / "x") == 2
    assert "is no file of ws" in capsys.readouterr().err


def test_a_folder_of_unknown_images_is_left_alone(file, tmp_path, capsys):
    (tmp_path / "seed0000.png").write_bytes(b"mine")
    assert sample(file, "--seeds", "0", "--out", tmp_path) == 2
    assert "unknown origin" in capsys.readouterr().err
    assert (tmp_path / "seed0000.png").read_bytes() == b"mine"


def test_the_command_runs_without_a_warning(file, tmp_path):
    command = [
        sys.executable,
        "-W",
        "error",
        "-m",
        "stylegan_jax.sample",
        file,
        "--seeds",
        "0",
        "--out",
        tmp_path / "x",
    ]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, [str(tmp_path / "x")]), done.stderr
