import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import stylegan_jax as sj
from convert import official
from interp.blend import blend as door
from interp.mix import blend, blend_all
from interp.schedules import constant, inverted, layers, linear, only, pinkney, points, smooth, swap
from interp.sheets import View
from stylegan_jax import names
from stylegan_jax.commands import cli
from stylegan_jax.pictures import images
from stylegan_jax.sampler.run import map_seeds, sample_ws
from stylegan_jax.storage import safetensors
from tests.golden_data import ROOT, golden
from tests.saved_models import BASE, PAIR, TRANSFER, written
from tests.tiny_models import tiny_model

TWO = (*PAIR, "--seeds", "0-1")


def run(*arguments):
    return cli.run(door, "python -m interp.blend", arguments)


def assert_same_tensors(found, expected):
    assert found.config == expected.config
    for name, leaf in expected.networks["G_ema"].items():
        assert found.networks["G_ema"][name].tobytes() == leaf.tobytes(), name


def test_the_command_runs_as_a_user_types_it_without_a_warning(tmp_path):
    pair = [str(golden(f"gen/s09_{name}64.pkl")) for name in ("base", "transfer")]
    arguments = [
        "--base",
        pair[0],
        "--transfer",
        pair[1],
        "--swap",
        "16",
        "--seeds",
        "0-2",
        "--out",
        "mixed.safetensors",
    ]
    command = [sys.executable, "-W", "error", "-m", "interp.blend", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert all(path in lines[0] for path in pair) and "sha256" in lines[0]
    assert lines[1] == "swap=16: mapping from transfer, w_avg from transfer, noise from transfer"
    assert lines[-1] == "wrote mixed.safetensors and mixed.png"
    base, transfer = (sj.load(path) for path in pair)
    assert_same_tensors(sj.load(tmp_path / "mixed.safetensors"), blend(base, transfer, swap(16)))


@pytest.mark.parametrize(
    ("options", "schedule"),
    [
        (["--swap", "8"], swap(8)),
        (["--swap", "4"], swap(4)),
        (["--swap", "16"], swap(16)),
        (["--swap", "8", "--invert"], inverted(swap(8))),
        (["--smooth", "8", "--width", "0.5"], smooth(8, 0.5)),
        (["--linear", "4-16"], linear(4, 16)),
        (["--only", "4,16"], only(4, 16)),
        (["--alpha", "4=1 16=0.25"], points({4: 1, 16: 0.25})),
        (["--alpha-layers", "1,1,0.5,0.5,0,0"], layers(1, 1, 0.5, 0.5, 0, 0)),
        (["--preset", "halfway"], constant(0.5)),
        (["--swap", "8", "--level", "1"], swap(8, level=1)),
        (["--compat", "pinkney", "--swap", "8", "--level", "1", "--width", "0.5"], pinkney(8, level=1, width=0.5)),
    ],
)
def test_the_written_model_is_the_librarys_blend(folder, options, schedule):
    assert run(*TWO, *options, "--no-sheet", "--out", "mixed.safetensors") == 0
    assert_same_tensors(sj.load("mixed.safetensors"), blend(sj.load(BASE), sj.load(TRANSFER), schedule))


def test_sources_are_taken_as_told(folder, capsys):
    assert run(*TWO, "--swap", "8", "--mapping", "base", "--noise", "transfer", "--out", "mixed.safetensors") == 0
    assert "swap=8: mapping from base, w_avg from base, noise from transfer" in capsys.readouterr().out
    expected = blend(sj.load(BASE), sj.load(TRANSFER), swap(8), mapping="base", noise="transfer")
    assert_same_tensors(sj.load("mixed.safetensors"), expected)


def test_without_out_model_and_sheet_lie_here_under_the_names_of_what_was_blended(folder, capsys):
    assert run(*TWO, "--swap", "8") == 0
    assert written(folder) == {"ffhq-x-toon-swap-8", "ffhq-x-toon-swap-8.png"}
    assert capsys.readouterr().out.splitlines()[-1] == "wrote ffhq-x-toon-swap-8 and ffhq-x-toon-swap-8.png"


def test_names_that_the_command_chooses_do_not_collide(folder, capsys):
    sj.save(tiny_model(5), "toon.pkl")
    assert run(*TWO, "--swap", "8") == 0
    assert run(BASE, "toon.pkl", "--seeds", "0-1", "--swap", "8") == 0, "another toon"
    assert len(written(folder)) == 5 and all(
        name.startswith(("ffhq-x-toon-swap-8", "toon")) for name in written(folder)
    )
    assert run(*TWO, "--swap", "8") == 2, "the same blend, which is there"
    assert "ffhq-x-toon-swap-8: exists" in capsys.readouterr().err


def test_an_out_that_ends_in_png_is_the_sheet_alone(folder):
    assert run(*TWO, "--swap", "8", "--out", "sheet.png") == 0
    assert written(folder) == {"sheet.png"}


def test_the_sheet_has_a_row_for_each_model_a_column_for_each_seed_and_says_what_made_it(folder):
    assert run("--base", BASE, "--transfer", TRANSFER, "--seeds", "0-2,7", "--swap", "8", "--out", "sheet.png") == 0
    with Image.open("sheet.png") as picture:
        width, height = picture.size
    assert width > 4 * 128 and height > 3 * 128  # 16-pixel cells are enlarged to 128
    made_by = images.made_by("sheet.png")
    assert made_by["recipe"]["models"][1]["schedule"] == "swap=8"
    assert (made_by["recipe"]["seeds"], made_by["recipe"]["psi"]) == ("0-2,7", 0.7)


def test_the_same_w_feeds_all_rows(folder):
    base, transfer = sj.load(BASE), sj.load(TRANSFER)
    view = View([0, 5], psi=0.5).with_ws_of(base)
    ws = map_seeds(base, [0, 5], truncation_psi=0.5)
    np.testing.assert_array_equal(view.row(transfer), next(sample_ws(transfer, ws)))
    assert run(*TWO, "--swap", "8", "--same-w", "--out", "sheet.png") == 0
    assert images.made_by("sheet.png")["recipe"]["same_w"] is True


def test_a_class_goes_to_the_conditional_models_only(folder):
    sj.save(tiny_model(3, c_dim=4), "cats.safetensors")
    pair = ("--base", "cats.safetensors", "--transfer", TRANSFER, "--seeds", "0", "--swap", "8", "--out", "s.png")
    assert run(*pair, "--class", "2") == 0


def test_what_was_resolved_is_said_in_one_line(folder, capsys):
    sj.save(tiny_model(3, mapping_layers=8), "deep.safetensors")
    assert (
        run("--base", "deep.safetensors", "--transfer", TRANSFER, "--seeds", "0", "--swap", "8", "--out", "s.png") == 0
    )
    line = "resolved: mapping_layers: 8 in deep.safetensors, 2 in toon.safetensors; the blend has 2"
    assert line in capsys.readouterr().out.splitlines()


def test_extrapolation_is_allowed_but_said(folder, capsys):
    assert run(*TWO, "--alpha", "1.5", "--out", "s.png") == 0
    assert "extrapolates" in capsys.readouterr().out


def test_further_models_are_added_with_their_own_schedules(folder):
    sj.save(tiny_model(3), "metfaces.safetensors")
    added = ("--add", "toon.safetensors:swap=8", "--add", "metfaces.safetensors:only=16")
    assert run("--base", BASE, *added, "--seeds", "0", "--out", "mixed.safetensors") == 0
    both = [(sj.load(TRANSFER), swap(8)), (sj.load("metfaces.safetensors"), only(16))]
    assert_same_tensors(sj.load("mixed.safetensors"), blend_all(sj.load(BASE), both))
    short = ("--transfer", TRANSFER, "--swap", "8", "--add", "metfaces.safetensors:only=16")
    assert run("--base", BASE, *short, "--seeds", "0", "--out", "again.safetensors") == 0
    assert (folder / "again.safetensors").read_bytes() == (folder / "mixed.safetensors").read_bytes()


def test_kinds_are_kept_fixed_or_scaled(folder):
    options = ("--keep", "affine", "--kind", "torgb=x0.5", "--keep", "const")
    assert run(*TWO, "--alpha", "1", *options, "--no-sheet", "--out", "mixed.safetensors") == 0
    mixed, base, transfer = (sj.load(name).networks["G_ema"] for name in ("mixed.safetensors", BASE, TRANSFER))
    for name in ("synthesis.b4.const", "synthesis.b8.conv0.affine.weight"):
        np.testing.assert_array_equal(mixed[name], base[name])
    np.testing.assert_array_equal(mixed["synthesis.b8.conv0.weight"], transfer["synthesis.b8.conv0.weight"])
    name = "synthesis.b8.torgb.bias"
    np.testing.assert_allclose(mixed[name], (base[name] + transfer[name]) / 2, rtol=1e-6)


def test_all_networks_are_blended_on_request(folder):
    for seed, name in enumerate(("g.safetensors", "h.safetensors")):
        sj.save(tiny_model(10 * seed, discriminator=True), name)
    pair = ("--base", "g.safetensors", "--transfer", "h.safetensors", "--swap", "8", "--no-sheet")
    assert run(*pair, "--networks", "all", "--out", "all.safetensors") == 0
    assert set(sj.load("all.safetensors").networks) == {"G", "D", "G_ema"}
    assert run(*pair, "--out", "one.safetensors") == 0
    assert set(sj.load("one.safetensors").networks) == {"G_ema", "D"}
    assert run(*pair, "--networks", "G_ema", "--out", "alone.safetensors") == 0
    assert set(sj.load("alone.safetensors").networks) == {"G_ema"}


def test_a_replayed_recipe_blends_the_networks_that_are_asked_for(folder, capsys):
    for seed, name in enumerate(("g.safetensors", "h.safetensors")):
        sj.save(tiny_model(10 * seed, discriminator=True), name)
    pair = ("--base", "g.safetensors", "--transfer", "h.safetensors", "--swap", "8", "--no-sheet")
    assert run(*pair, "--out", "mixed.yaml") == 0
    assert run("--recipe", "mixed.yaml", "--networks", "all", "--no-sheet", "--out", "all.safetensors") == 0
    assert set(sj.load("all.safetensors").networks) == {"G", "D", "G_ema"}
    assert run("--recipe", "all.safetensors", "--no-sheet", "--out", "again.safetensors") == 0
    assert set(sj.load("again.safetensors").networks) == {"G", "D", "G_ema"}
    assert run("--recipe", "mixed.yaml", "--networks", "H", "--out", "none.safetensors") == 2
    assert "--networks H: no network H" in capsys.readouterr().err


def test_without_a_sheet_only_the_model_is_written(folder):
    assert run(*TWO, "--swap", "8", "--no-sheet", "--out", "mixed.safetensors") == 0
    assert written(folder) == {"mixed.safetensors"}


def test_a_dry_run_reads_only_headers_and_says_where_every_tensor_comes_from(folder, capsys, monkeypatch):
    monkeypatch.setattr(safetensors, "read", lambda *_: pytest.fail("read the tensors"))
    assert run(*TWO, "--alpha", "4=1 8=0.25 16=0", "--dry-run") == 0
    lines = capsys.readouterr().out.splitlines()
    shown = {line.split()[0]: " ".join(line.split()[1:]) for line in lines[1:]}
    assert shown["synthesis.b4.const"] == shown["mapping.w_avg"] == "1 toon.safetensors"
    assert shown["synthesis.b8.conv1.weight"] == "0.75 ffhq.safetensors + 0.25 toon.safetensors"
    assert shown["synthesis.b16.torgb.bias"] == "1 ffhq.safetensors"
    assert len(shown) == len(names.layout_of(tiny_model().config, "G_ema")) and written(folder) == set()


def test_models_that_are_no_relatives_are_blended_with_a_warning_that_says_how_far_apart(folder, capsys):
    assert run(*TWO, "--swap", "8", "--no-sheet", "--out", "mixed") == 0
    shown = capsys.readouterr().err
    assert shown.startswith("warning: toon.safetensors and ffhq.safetensors are no relatives: ")
    assert "(relative distance 1.4" in shown and shown.count("\n") == 1


def test_a_warning_does_not_steer_the_terminal(folder, capsys):
    (folder / "toon.safetensors").rename(folder / "red\x1b[31m\n.safetensors")
    assert run("ffhq.safetensors", "red\x1b[31m\n.safetensors", "--swap", "8", "--no-sheet", "--out", "mixed") == 0
    shown = capsys.readouterr().err
    assert shown.startswith("warning: red\\x1b[31m\\n.safetensors") and shown.count("\n") == 1


@pytest.mark.parametrize("suffix", [".pkl", ".safetensors", ""])
def test_the_suffix_of_out_chooses_the_form(folder, suffix):
    assert run(*TWO, "--swap", "8", "--no-sheet", "--out", f"mixed{suffix}") == 0
    found = sj.load(f"mixed{suffix}").networks["G_ema"]
    for name, leaf in blend(sj.load(BASE), sj.load(TRANSFER), swap(8)).networks["G_ema"].items():
        assert found[name].tobytes() == leaf.tobytes(), name


def test_with_no_models_named_the_shipped_pair_is_blended(folder, capsys, monkeypatch):
    monkeypatch.setattr(sj, "shipped_models", lambda: {"portraits": folder / BASE, "toons": folder / TRANSFER})
    assert run("--swap", "8", "--seeds", "0") == 0
    assert "portraits" in capsys.readouterr().out.splitlines()[0]
    assert written(folder) == {"portraits-x-toons-swap-8", "portraits-x-toons-swap-8.png"}


def test_a_pickle_of_a_blend_has_the_whole_discriminator_of_its_base_and_says_so(folder, capsys):
    sj.save(tiny_model(0, discriminator=True), "whole.safetensors")
    arguments = ("--base", "whole.safetensors", "--transfer", TRANSFER, "--swap", "8", "--seeds", "0")
    assert run(*arguments, "--out", "mixed.pkl") == 0
    assert "D: that of whole.safetensors" in capsys.readouterr().out
    found, base = sj.load("mixed.pkl"), sj.load("whole.safetensors")
    for name, leaf in base.networks["D"].items():
        np.testing.assert_array_equal(found.networks["D"][name], leaf, name)


def test_a_pickle_of_a_blend_whose_base_has_no_discriminator_gets_a_fresh_one_and_says_so(folder, capsys):
    assert run(*TWO, "--swap", "8", "--out", "mixed.pkl") == 0
    assert "D: the model has none, so a fresh one of the same shape is written (seed 0)" in capsys.readouterr().out
    assert "b16.conv0.weight" in sj.load("mixed.pkl").networks["D"]


def test_a_discriminator_that_cannot_be_read_does_not_keep_the_generators_from_being_blended(folder, capsys):
    broken = tiny_model(0, discriminator=True)
    broken.networks["D"]["b16.conv0.weight"][0] = np.nan
    official.write(broken, "broken.pkl")
    arguments = ("--base", "broken.pkl", "--transfer", TRANSFER, "--swap", "8", "--seeds", "0")
    assert run(*arguments, "--out", "mixed.pkl") == 0
    assert "a fresh one" in capsys.readouterr().out


def test_a_mask_is_of_the_sheet_alone_and_a_recipe_with_it_draws_the_same_sheet(folder, capsys, monkeypatch):
    Image.fromarray(np.tile(np.arange(0, 256, 16, dtype=np.uint8), (16, 1))).save("face.png")
    assert run(*TWO, "--swap", "8", "--out", "plain.safetensors") == 0
    capsys.readouterr()
    assert run(*TWO, "--swap", "8", "--mask", "face.png", "--out", "masked.safetensors") == 0
    assert "mask face.png: the blend shows on 47% of each picture, the base on the rest" in capsys.readouterr().out
    assert_same_tensors(sj.load("masked.safetensors"), sj.load("plain.safetensors"))
    assert images.read("masked.png").tobytes() != images.read("plain.png").tobytes()
    recipe = images.made_by("masked.png")["recipe"]
    assert recipe["mask"] == "face.png" and len(recipe["mask_sha256"]) == 64
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    assert run("--recipe", "../masked.png", "--out", "again.png") == 0
    assert images.read("again.png").tobytes() == images.read("../masked.png").tobytes()
    assert run("--recipe", "../masked.png", "--mask-at", "8", "--out", "at.png") == 0
    assert images.read("at.png").tobytes() != images.read("../masked.png").tobytes()
    Image.fromarray(np.zeros((8, 8), np.uint8)).save("../face.png")
    assert run("--recipe", "../masked.png", "--out", "other.png") == 2
    assert "face.png: is not the mask of the recipe" in capsys.readouterr().err
    assert run("--recipe", "../masked.png", "--mask", "../face.png", "--out", "other.png") == 0
