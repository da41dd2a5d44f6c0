"""Models and ws in the commands of interp: models without flags, ws of files wherever seeds are shown."""

import numpy as np
import pytest
from PIL import Image, ImageOps

import stylegan_jax as sj
from interp.blend import blend
from interp.diagnose import diagnose
from interp.figures import figures
from interp.film import film
from stylegan_jax.commands import cli
from stylegan_jax.pictures import images
from stylegan_jax.sampler.run import sample_ws
from tests.saved_models import BASE, TRANSFER

ONE = np.random.RandomState(3).randn(6, 16).astype(np.float32)


@pytest.fixture
def folder(folder):
    """A working directory with two models and a W+."""
    np.save("me.npy", ONE)
    return folder


def run(door, *arguments):
    return cli.run(door, "door", arguments)


def test_the_sheet_of_a_blend_shows_ws_of_files_untruncated_in_every_row(folder, capsys):
    assert run(blend, BASE, TRANSFER, "--swap", "8", "--w", "me.npy", "--out", "x.safetensors") == 0
    assert "me.npy: [6, 16] read as one W+" in capsys.readouterr().out
    sheet = np.asarray(Image.open("x.png"))
    for model in (sj.load(BASE), sj.load("x.safetensors"), sj.load(TRANSFER)):
        assert _holds(sheet, next(sample_ws(model, ONE[None]))[0])


def _holds(sheet, image):
    """Whether an image is in a sheet, which may enlarge it."""
    size = image.shape[0]
    for factor in (1, 2, 4, 8, 16):
        big = np.asarray(ImageOps.scale(Image.fromarray(image), factor, Image.Resampling.LANCZOS))
        windows = np.lib.stride_tricks.sliding_window_view(sheet, (2, 2, 3))[:, :, 0]
        starts = np.argwhere((windows == big[:2, :2]).all((2, 3, 4)))
        end = size * factor
        if any(np.array_equal(sheet[y : y + end, x : x + end], big) for y, x in starts):
            return True
    return False


def test_a_blend_of_ws_is_replayed_from_its_sheet(folder):
    assert run(blend, BASE, TRANSFER, "--swap", "8", "--w", "me.npy", "--psi", "0.5", "--out", "x.png") == 0
    assert images.made_by("x.png")["recipe"]["w"] == [str(folder / "me.npy")]
    assert run(blend, "--recipe", "x.png", "--out", "y.png") == 0
    np.testing.assert_array_equal(np.asarray(Image.open("x.png")), np.asarray(Image.open("y.png")))
    assert run(blend, "--recipe", "x.png", "--seeds", "0", "--out", "z.png") == 0
    assert "w" not in images.made_by("z.png")["recipe"]


def test_figures_and_films_show_ws(folder):
    assert run(figures, "strip", BASE, TRANSFER, "--w", "me.npy") == 0
    assert run(film, BASE, TRANSFER, "--w", "me.npy", "--swap", "2..8", "--seconds", "0.2", "--out", "x.webp") == 0
    np.save("two.npy", np.stack([ONE, ONE + 1]))
    walk = ("--w", "two.npy", "--walk", "--schedule", "swap=8", "--seconds", "0.2", "--out", "y.webp")
    assert run(film, BASE, TRANSFER, *walk) == 0
    for name in ("x.webp", "y.webp"):
        with Image.open(name) as animation:
            assert animation.size == (512, 512)


@pytest.mark.parametrize(
    ("door", "arguments", "message"),
    [
        (blend, ("--swap", "8", "--w", "me.npy", "--seeds", "1"), "--seeds and --w: one too many"),
        (blend, ("--swap", "8", "--w", "me.npy", "--class", "1"), "class: ws are beyond the mapping network"),
        (blend, ("--swap", "8", "--w", "no.npy"), "no.npy: no such file"),
        (blend, ("--swap", "8", "--w-space", "w"), "--w-space goes with --w"),
        (film, ("--swap", "2..8", "--walk"), "--walk goes with --w"),
        (film, ("--swap", "2..8", "--w", "me.npy", "--seeds", "1"), "--seeds and --w: one too many"),
    ],
)
def test_what_does_not_go_with_ws_is_refused(folder, capsys, door, arguments, message):
    assert run(door, BASE, TRANSFER, *arguments) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_models_are_named_with_and_without_flags(folder, capsys):
    for arguments in ((BASE, TRANSFER), ("--base", BASE, "--transfer", TRANSFER), (BASE, "--transfer", TRANSFER)):
        assert run(diagnose, *arguments) == 0
        assert "ffhq" in capsys.readouterr().out.splitlines()[0]
    assert run(blend, "--swap", "8", BASE, "--seeds", "0", TRANSFER, "--dry-run") == 0
    assert capsys.readouterr().out.startswith("ffhq.safetensors × toon.safetensors")


@pytest.mark.parametrize("door", [blend, film, figures, diagnose])
def test_half_a_pair_is_no_pair_unless_its_half_ships(folder, capsys, door):
    options = ("--swap", "8") if door is blend else ("--swap", "2..8") if door is film else ()
    for arguments in ((BASE,), ("--base", BASE)):
        assert run(door, *arguments, *options) == 2
        assert (
            capsys.readouterr().err
            == f"error: {BASE}: no transfer model to blend it with — pass --transfer MODEL too\n"
        )
    assert run(door, "--transfer", TRANSFER, *options) == 2
    assert run(blend, "--base", "portraits", "--swap", "8", "--dry-run") == 0


def test_too_many_models_are_refused(folder, capsys):
    assert run(blend, BASE, TRANSFER, "toons", "--swap", "8") == 2
    assert "3 models: one too many" in capsys.readouterr().err
