import io
import json
import subprocess
import sys
import tarfile
import zipfile

import numpy as np
import pytest

from interp.mix import blend
from interp.schedules import swap
from stylegan_jax.pictures import images
from stylegan_jax.sampler import batching, latents, programs, run
from stylegan_jax.storage import checkpoint
from tests.sampling import pixels, sample
from tests.tiny_models import tiny_model


@pytest.fixture(scope="module")
def model():
    return tiny_model()


@pytest.fixture(scope="module")
def file(model, tmp_path_factory):
    return checkpoint.save(model, tmp_path_factory.mktemp("model") / "tiny.safetensors")


def test_seeds_become_numbered_images_and_a_grid(file, model, tmp_path, capsys):
    out = tmp_path / "faces"
    assert sample(file, "--seeds", "0-2,7", "--psi", "0.5", "--grid", "--out", out) == 0
    assert sorted(path.name for path in out.glob("seed*")) == [f"seed{i:04d}.png" for i in (0, 1, 2, 7)]
    expected = np.concatenate(list(run.sample(model, [0, 1, 2, 7], truncation_psi=0.5)))
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
    ws = run.map_seeds(model, [4, 5])
    stored = ws if layers else ws[:, 0]
    path = tmp_path / f"projected_w.{suffix}"
    np.savez(path, w=stored) if suffix == "npz" else np.save(path, stored)
    assert sample(file, "--w", path, "--out", tmp_path / "x") == 0
    expected = np.concatenate(list(run.sample_ws(model, ws)))
    np.testing.assert_array_equal(pixels(tmp_path / "x" / "proj01.png"), expected[1])


def test_projected_ws_are_truncated_where_psi_is_given(file, model, tmp_path):
    np.save(tmp_path / "w.npy", run.map_seeds(model, [4]))
    assert sample(file, "--w", tmp_path / "w.npy", "--psi", "0.5", "--out", tmp_path / "x") == 0
    expected = next(run.sample(model, [4], truncation_psi=0.5))
    assert np.abs(pixels(tmp_path / "x" / "proj00.png") - expected[0]).max() <= 1


def test_the_style_mixing_grid_has_the_official_form(file, model, tmp_path):
    assert sample(file, "--styles", "1,2x3,4,5", "--layers", "0-1", "--out", tmp_path / "x") == 0
    own = np.concatenate(list(run.sample_ws(model, run.map_seeds(model, range(1, 6)))))
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
        (["--seeds", "0", "--part", "2/2"], "--part 2/2: there is no part 2"),
        (["--seeds", "0", "--part", "0/2", "--distributed"], "leave --part out"),
        (["--seeds", "0", "--distributed"], "pass --part I/N"),
        (["--seeds", "0", "--part", "0/2", "--grid"], "--grid needs all images"),
        (["--seeds", "0", "--class", "random"], "not conditional"),
        (["--seeds", "0", "--class", "any"], "--class any"),
        (["--styles", "1x2", "--paired", "toons"], "--paired takes seeds or ws"),
        (["--seeds", "0", "--seeds", "1"], "--seeds: given twice"),
        (["--seeds", "0", "--w-space", "w"], "--w-space goes with --w"),
        (["--seeds", "0", "--paired", "toons"], "use models of one resolution"),
    ],
)
def test_bad_values_end_in_one_line(file, tmp_path, capsys, monkeypatch, arguments, message):
    monkeypatch.setattr("stylegan_jax.storage.parts._QUIET", 60)  # where a machine is busy it would say that it waits
    assert sample(file, *arguments, "--out", tmp_path / "x") == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and message in error and error.count("\n") == 1
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 9), np.float32), "this model takes"),
        (np.zeros(15, np.float32), "shape [15]"),
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


@pytest.mark.parametrize("name", ["seed0000.png", "proj07.jpg", "2024-05.png", "holiday.webp", "grid.png"])
@pytest.mark.parametrize("more", [[], ["--overwrite"]])
def test_a_folder_of_unknown_images_is_left_alone_whatever_they_are_called(file, tmp_path, capsys, name, more):
    (tmp_path / name).write_bytes(b"mine")
    assert sample(file, "--seeds", "0", "--out", tmp_path, *more) == 2
    error = capsys.readouterr().err
    assert "unknown origin — choose another folder" in error and "--overwrite" not in error
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {name: b"mine"}


def test_a_manifest_of_another_program_is_left_alone(file, tmp_path, capsys):
    (tmp_path / "manifest.json").write_text('{"name": "my app"}')
    for more in ([], ["--overwrite"]):
        assert sample(file, "--seeds", "0", "--out", tmp_path, *more) == 2
    assert "manifest.json: is none that sample wrote" in capsys.readouterr().err
    assert (tmp_path / "manifest.json").read_text() == '{"name": "my app"}' and len(list(tmp_path.iterdir())) == 1


def test_overwriting_deletes_only_what_the_manifest_lists(file, tmp_path):
    assert sample(file, "--seeds", "0-1", "--batch", "2", "--grid", "--save-w", "--out", tmp_path) == 0
    for name in ("seed0007.png", "proj01.png", "2024-05.png"):
        (tmp_path / name).write_bytes(b"mine")
    assert sample(file, "--seeds", "1", "--psi", "0.5", "--batch", "2", "--overwrite", "--out", tmp_path) == 0
    kept = {"seed0007.png", "proj01.png", "2024-05.png"}
    assert {path.name for path in tmp_path.iterdir()} == {"manifest.json", "seed0001.png", *kept}
    assert all((tmp_path / name).read_bytes() == b"mine" for name in kept)


@pytest.mark.parametrize("more", [[], ["--overwrite"]])
def test_an_image_that_is_not_on_the_list_is_neither_taken_for_ours_nor_replaced(file, tmp_path, capsys, more):
    assert sample(file, "--seeds", "0-1", "--batch", "2", "--out", tmp_path) == 0
    (tmp_path / "seed0002.png").write_bytes(b"mine")
    assert sample(file, "--seeds", "0-3", "--batch", "2", "--out", tmp_path, *more) == 2
    assert "holds seed0002.png, which was not made by this command — move it away" in capsys.readouterr().err
    assert (tmp_path / "seed0002.png").read_bytes() == b"mine"
    (tmp_path / "seed0002.png").rename(tmp_path / "mine.png")
    assert sample(file, "--seeds", "0-3", "--batch", "2", "--out", tmp_path, *more) == 0


def test_a_folder_that_several_commands_filled_is_replaced_whole(file, tmp_path):
    for seeds in ("0-1", "5"):
        assert sample(file, "--seeds", seeds, "--batch", "2", "--out", tmp_path) == 0
    listed = json.loads((tmp_path / "manifest.json").read_text())["files"]
    assert listed == [["seed0000.png", "seed0001.png"], ["seed0005.png", "seed0005.png"]]
    assert sample(file, "--seeds", "9", "--batch", "2", "--psi", "0", "--overwrite", "--out", tmp_path) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["manifest.json", "seed0009.png"]


def test_a_file_of_ws_that_is_not_ours_is_never_replaced(file, tmp_path, capsys):
    (tmp_path / "x.zip.w.npz").write_bytes(b"mine")
    assert sample(file, "--seeds", "0", "--save-w", "--overwrite", "--out", tmp_path / "x.zip") == 2
    assert "x.zip.w.npz: was not made by this command — move it away" in capsys.readouterr().err
    assert (tmp_path / "x.zip.w.npz").read_bytes() == b"mine"


def test_the_command_runs_without_a_warning(file, tmp_path):
    command = [
        sys.executable,
        "-W",
        "error",
        "-m",
        "stylegan_jax",
        "sample",
        file,
        "--seeds",
        "0",
        "--out",
        tmp_path / "x",
    ]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, [str(tmp_path / "x")]), done.stderr


def test_overwriting_leaves_no_image_of_the_former_setting(file, tmp_path):
    out = tmp_path / "x"
    assert sample(file, "--seeds", "0-3", "--batch", "2", "--out", out) == 0
    (out / "mine.png").write_bytes(b"mine")
    assert sample(file, "--seeds", "1", "--batch", "2", "--psi", "0.5", "--overwrite", "--out", out) == 0
    assert sorted(path.name for path in out.iterdir()) == ["manifest.json", "mine.png", "seed0001.png"]


@pytest.mark.parametrize("plan", ["plain", pytest.param("prepared", marks=pytest.mark.slow)])
def test_any_number_of_parts_in_any_order_fill_the_same_folder(file, tmp_path, plan):
    whole, out, command = tmp_path / "whole", tmp_path / "parts", (file, "--seeds", "0-6", "--plan", plan)
    assert sample(*command, "--devices", "1", "--out", whole) == 0
    for part in ("2/3", "0/3", "1/3"):
        assert sample(*command, "--part", part, "--devices", "4", "--out", out) == 0
    assert {path.name: path.read_bytes() for path in out.iterdir()} == {
        path.name: path.read_bytes() for path in whole.iterdir()
    }


def test_parts_of_a_data_set_are_a_zip_each(file, tmp_path, capsys):
    for part in range(4):
        assert sample(file, "--seeds", "0-2", "--part", f"{part}/4", "--out", tmp_path / "x.zip") == 0
    names = [name for i in (1, 2, 3) for name in zipfile.ZipFile(tmp_path / f"x-{i}-of-4.zip").namelist()]
    assert names[::2] == [f"00000/img{i:08d}.png" for i in range(3)]
    assert not (tmp_path / "x-0-of-4.zip").exists(), "it has no images"
    assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path / "x-3-of-4.zip")


def test_random_classes_are_noted_beside_the_images(tmp_path):
    conditional = tiny_model(c_dim=3)
    path = checkpoint.save(conditional, tmp_path / "c.safetensors")
    assert sample(path, "--seeds", "5-8", "--class", "random", "--out", tmp_path / "x.zip") == 0
    assert sample(path, "--seeds", "5-8", "--class", "random", "--format", "npy", "--out", tmp_path / "x.tar") == 0
    archive = zipfile.ZipFile(tmp_path / "x.zip")
    labels = [label for _, label in json.loads(archive.read("dataset.json"))["labels"]]
    assert labels == latents.random_classes(range(5, 9), 3)
    (tmp_path / "one.png").write_bytes(archive.read("00000/img00000002.png"))
    assert images.made_by(tmp_path / "one.png")["class_idx"] == labels[2]
    expected = np.concatenate(list(run.sample(conditional, [7], class_idx=labels[2])))
    found = images.read(io.BytesIO(archive.read("00000/img00000002.png")))
    assert np.abs(found.astype(int) - expected[0]).max() <= 1
    with tarfile.open(tmp_path / "x.tar") as tar:
        member = tar.extractfile("000000002.json")
        assert member and json.loads(member.read()) == {"name": "seed0007", "label": labels[2]}


@pytest.mark.parametrize("form", ["jpg", "webp", "npy"])
def test_other_forms_fill_a_folder_and_a_grid(file, tmp_path, form):
    assert sample(file, "--seeds", "0-3", "--format", form, "--grid", "--out", tmp_path / "x") == 0
    expected = {"manifest.json", "grid.png", *(f"seed000{i}.{form}" for i in range(4))}
    assert {path.name for path in (tmp_path / "x").iterdir()} == expected
    if form == "npy":
        grid, first = pixels(tmp_path / "x" / "grid.png"), np.load(tmp_path / "x" / "seed0000.npy")
        np.testing.assert_array_equal(grid[:16, :16], first)


def test_models_and_outputs_may_be_remote(file, tmp_path):
    memory = pytest.importorskip("fsspec").filesystem("memory")
    memory.pipe_file("/models/tiny.safetensors", file.read_bytes())
    assert sample(file, "--seeds", "0-2", "--save-w", "--out", tmp_path / "x") == 0
    command = ("memory://models/tiny.safetensors", "--seeds", "0-2", "--save-w", "--out", "memory://made/x")
    assert sample(*command) == sample(*command) == 0
    assert sorted(name.rpartition("/")[2] for name in memory.ls("/made/x", detail=False)) == sorted(
        path.name for path in (tmp_path / "x").iterdir()
    )
    assert memory.cat_file("/made/x/seed0002.png") == (tmp_path / "x" / "seed0002.png").read_bytes()
    assert sample(file, "--seeds", "0-2", "--part", "1/2", "--out", "memory://made/y.zip") == 0
    assert zipfile.ZipFile(io.BytesIO(memory.cat_file("/made/y-1-of-2.zip"))).testzip() is None


def test_a_run_compiles_each_program_once(tmp_path):
    wide = tiny_model(w_dim=24)  # a shape that no other test has compiled
    path = checkpoint.save(wide, tmp_path / "wide.safetensors")
    assert sample(path, "--seeds", "0-6", "--batch", "2", "--devices", "2", "--out", tmp_path / "x") == 0
    how = batching.choose(wide.config.generator, batch=2, devices=2)
    assert programs.synthesis_program(wide.config.generator, how)._cache_size() == 1
    assert programs.mapping_program(wide.config.generator, how, None)._cache_size() == 1


@pytest.mark.parametrize("out", ["x", "x.zip"])
def test_a_task_of_a_job_array_that_is_submitted_again_makes_its_own_part(file, tmp_path, monkeypatch, capsys, out):
    def submit(task, last, count, first=0):
        numbers = {"ID": task, "MIN": first, "MAX": last, "STEP": 1, "COUNT": count}
        for key, value in numbers.items():
            monkeypatch.setenv(f"SLURM_ARRAY_TASK_{key}", str(value))
        return sample(file, "--seeds", "0-5", "--batch", "2", "--distributed", "--out", tmp_path / out)

    assert submit(0, 2, 3) == submit(2, 2, 3) == 0
    capsys.readouterr()
    assert submit(1, 1, 1, first=1) == 0
    assert "2 images of 16×16 (part 1/3 of 6)" in capsys.readouterr().out
    made = {path.name for path in tmp_path.glob("x/*.png")} | {path.name for path in tmp_path.glob("x*.zip")}
    assert made == ({f"seed{i:04d}.png" for i in range(6)} if out == "x" else {f"x-{i}-of-3.zip" for i in range(3)})
