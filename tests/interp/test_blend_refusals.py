"""What `interp.blend` refuses, in one line and with nothing written."""

import pytest

import stylegan_jax as sj
from interp.blend import blend as door
from stylegan_jax.commands import cli
from tests.saved_models import BASE, PAIR, TRANSFER, written
from tests.tiny_models import tiny_model

TWO = (*PAIR, "--seeds", "0-1")


def run(*arguments):
    return cli.run(door, "python -m interp.blend", arguments)


BAD = {
    "--swap 24: not a resolution of this model — use 4, 8, 16": (*TWO, "--swap", "24"),
    "--swap 3: not a resolution of this model — use 4, 8, 16": (*TWO, "--swap", "3"),
    "--swap 0: not a resolution of this model — use 4, 8, 16": (*TWO, "--swap", "0"),
    "--swap -1: not a resolution of this model — use 4, 8, 16": (*TWO, "--swap=-1"),
    "--swap 2048: not a resolution of this model — use 4, 8, 16": (*TWO, "--swap", "2048"),
    "--swap abc: not a resolution — use 4, 8, 16 … of this model": (*TWO, "--swap", "abc"),
    "no schedule — pass one, such as --swap 16": TWO,
    "--swap and --band: one too many — pass one": (*TWO, "--swap", "8", "--band", "4-8"),
    "--swap 8: takes no width": (*TWO, "--swap", "8", "--width", "1"),
    "--alpha nan: not a number α can be": (*TWO, "--alpha", "nan"),
    "--alpha inf: not a number α can be": (*TWO, "--alpha", "inf"),
    "--alpha : not a number": (*TWO, "--alpha", ""),
    "--mapping toon: not a source": (*TWO, "--swap", "8", "--mapping", "toon"),
    "--noise 0.5: not a source": (*TWO, "--swap", "8", "--noise", "0.5"),
    "--compat pinkney goes with --swap": (*TWO, "--band", "4-8", "--compat", "pinkney"),
    "--add toon.safetensors: no schedule": ("--base", BASE, "--add", TRANSFER),
    "--swap x: not a resolution": ("--base", BASE, "--add", "gone:swap=x"),
    "--kind ears=0: 'ears' is no kind of tensor": (*TWO, "--swap", "8", "--keep", "ears"),
    "--networks H: no network H": (*TWO, "--swap", "8", "--networks", "H"),
    "ffhq.safetensors: holds G_ema, not G, D": (*TWO, "--swap", "8", "--networks", "all"),
    "--recipe goes with no other schedule": (*TWO, "--swap", "8", "--recipe", "x.yaml"),
    "x.yaml: no such file": ("--recipe", "x.yaml"),
    "ffhq.safetensors: carries no recipe": ("--recipe", BASE),
    "--class 1: none of the models is conditional": (*TWO, "--swap", "8", "--class", "1"),
    "--seeds 5-1: ends before it begins": (*PAIR, "--swap", "8", "--seeds", "5-1"),
    "--seeds: 1001 columns are too many": (*PAIR, "--swap", "8", "--seeds", "0-1000"),
    "--psi nan: must be a finite number": (*TWO, "--swap", "8", "--psi", "nan"),
    "gone.pkl: no such file": ("--base", "gone.pkl", "--transfer", TRANSFER, "--swap", "8"),
    "toon.safetensors: holds the same weights as toon.safetensors": (
        *("--base", f"./{TRANSFER}", "--transfer", TRANSFER, "--swap", "8"),
    ),
    "toon.safetensors: is one of the models to blend": (*TWO, "--swap", "8", "--out", TRANSFER, "--overwrite"),
    "none/mixed: its folder does not exist": (*TWO, "--swap", "8", "--out", "none/mixed"),
    "toon.safetensors/mixed: its folder does not exist": (*TWO, "--swap", "8", "--out", f"{TRANSFER}/mixed"),
}


@pytest.mark.parametrize("message", BAD)
def test_bad_input_ends_with_2_one_line_and_no_output(folder, capsys, message):
    assert run(*BAD[message]) == 2
    shown = capsys.readouterr().err
    assert shown.startswith(f"error: {message}") and shown.count("\n") == 1
    assert written(folder) == set()


def test_a_model_without_w_avg_is_named_before_anything_is_drawn(folder, capsys):
    sj.save(tiny_model(3, w_avg_beta=None), "bare.safetensors")
    assert run("--base", BASE, "--transfer", "bare.safetensors", "--swap", "8", "--out", "s.png") == 2
    assert (
        capsys.readouterr().err
        == "error: bare.safetensors: has no w_avg to truncate towards — use psi 1, which truncates nothing\n"
    )
    assert run("--base", BASE, "--transfer", "bare.safetensors", "--swap", "8", "--psi", "1", "--out", "s.png") == 0


def test_a_conditional_model_without_a_class_ends_with_2_naming_the_range(folder, capsys):
    sj.save(tiny_model(3, c_dim=4), "cats.safetensors")
    assert run("--base", "cats.safetensors", "--transfer", TRANSFER, "--swap", "8", "--out", "mixed") == 2
    assert "from 0 to 3" in capsys.readouterr().err
    assert written(folder) == {"cats.safetensors"}


@pytest.mark.parametrize("fields", [{"img_resolution": 8}, {"channel_max": 4}, {"w_dim": 8}])
def test_models_that_do_not_fit_end_with_2_and_every_culprit(folder, capsys, fields):
    sj.save(tiny_model(3, **fields), "other.safetensors")
    assert run("--base", BASE, "--transfer", "other.safetensors", "--swap", "8", "--out", "mixed") == 2
    shown = capsys.readouterr().err
    assert shown.startswith("error: other.safetensors: ") and "A blend needs one architecture" in shown
    assert "  synthesis.b4.torgb.affine.weight: " in shown or "  synthesis.b16.conv0.weight: " in shown
    assert written(folder) == {"other.safetensors"}


@pytest.mark.parametrize("there", ["mixed.safetensors", "mixed.png"])
def test_an_existing_output_is_never_changed_without_overwrite(folder, capsys, there):
    (folder / there).write_bytes(b"mine")
    assert run(*TWO, "--swap", "8", "--out", "mixed.safetensors") == 2
    assert "exists — pass --overwrite" in capsys.readouterr().err
    assert written(folder) == {there} and (folder / there).read_bytes() == b"mine"
    assert run(*TWO, "--swap", "8", "--out", "mixed.safetensors", "--overwrite") == 0


def test_with_no_models_named_and_none_shipped_it_says_what_to_pass(folder, capsys, monkeypatch):
    monkeypatch.setattr(sj, "shipped_models", dict)
    assert run("--swap", "16") == 2
    assert capsys.readouterr().err == (
        "error: no model named, and none ships with this version — pass --base MODEL --transfer MODEL\n"
    )
