import importlib.util
import json

import numpy as np
import pytest
from PIL import Image

from interp.film import film
from interp.frames import fitted
from stylegan_jax.commands import cli
from stylegan_jax.pictures import video
from tests.saved_models import BASE, PAIR, TRANSFER, save_models

MODELS = (BASE, TRANSFER, "metfaces.safetensors")
SHORT = ("--seconds", "0.5", "--fps", "8")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_models(*MODELS, img_resolution=8)
    return tmp_path


def run(*arguments):
    return cli.run(film, "python -m interp.film", arguments)


def frames(path):
    """All frames of an animation."""
    with Image.open(path) as animation:
        pictures = []
        for i in range(animation.n_frames):  # pyright: ignore
            animation.seek(i)
            pictures.append(np.asarray(animation.convert("RGB")).astype(int))
    return pictures


def test_a_swap_moves_through_as_many_frames_as_were_asked_for(folder, capsys):
    assert run(*PAIR, "--seeds", "1,5", "--swap", "2..8", *SHORT, "--out", "film.webp") == 0
    pictures = frames("film.webp")
    assert len(pictures) == 4 and pictures[0].shape == (512, 1024, 3)
    assert not np.array_equal(pictures[0], pictures[-1])
    assert capsys.readouterr().out.splitlines()[-1] == "wrote film.webp: 4 frames, 0.5 s"


def test_a_gif_moves_through_seeds_and_further_models_and_notes_what_made_it(folder):
    way = (*PAIR, "--transfer", MODELS[2], "--alpha", "0..1", "--seeds", "0..3", "--loop", "--size", "16")
    assert run(*way, *SHORT, "--out", "film.gif") == 0
    pictures = frames("film.gif")
    assert len(pictures) == 4 and pictures[0].shape == (16, 16, 3)
    with Image.open("film.gif") as picture:
        assert b"models" in picture.info["comment"]


@pytest.mark.parametrize(("size", "side"), [(4, 4), (8, 8), (20, 20), (None, 512)])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_pictures_are_scaled_to_the_size_asked_for_or_enough_to_watch_and_become_rgb(size, side, channels):
    assert fitted(np.zeros((8, 8, channels), np.uint8), size).shape == (side, side, 3)


def test_large_pictures_stay_as_they_are_and_small_ones_are_enlarged_smoothly():
    large = np.random.RandomState(0).randint(0, 256, (600, 600, 3)).astype(np.uint8)
    np.testing.assert_array_equal(fitted(large, None), large)
    edge = np.zeros((8, 8, 3), np.uint8)
    edge[:, 4:] = 255
    assert len(np.unique(fitted(edge, None))) > 50  # a repeated pixel would leave two levels


def test_transparent_pictures_lie_on_white():
    np.testing.assert_array_equal(fitted(np.zeros((8, 8, 4), np.uint8), 8), 255)


def test_a_film_shows_three_seeds_unless_told_otherwise(folder):
    assert run(*PAIR, "--swap", "2..8", *SHORT, "--size", "16", "--out", "film.webp") == 0
    assert frames("film.webp")[0].shape == (16, 48, 3)


@pytest.mark.skipif(not importlib.util.find_spec("av"), reason="needs PyAV (the extra video)")
def test_an_mp4_plays_at_its_rate_and_notes_what_made_it(folder):
    av = importlib.import_module("av")
    assert video.default_suffix() == ".mp4"
    assert run(*PAIR, "--smooth", "4..8", "--width", "0.5..1", *SHORT, "--out", "film.mp4") == 0
    with av.open("film.mp4") as container:
        assert container.streams.video[0].average_rate == 8 and json.loads(container.metadata["comment"])["models"]
        assert len(list(container.decode(video=0))) == 4


def test_without_pyav_the_default_is_webp_and_mp4_says_what_to_install(folder, capsys, monkeypatch):
    monkeypatch.setattr(video.importlib.util, "find_spec", lambda name: None)
    assert run(*PAIR, "--swap", "2..8", *SHORT, "--out", "film.mp4") == 2
    assert "needs PyAV — python -m pip install av" in capsys.readouterr().err
    assert run(*PAIR, "--swap", "2..8", *SHORT) == 0
    assert (folder / "ffhq-x-toon.webp").is_file()


BAD = {
    "nothing to blend — pass one of --swap 2..64": PAIR,
    "--swap and --alpha: one too many": (*PAIR, "--swap", "2..8", "--alpha", "0..1"),
    "--swap takes no --width": (*PAIR, "--swap", "2..8", "--width", "1"),
    "--swap 0..8: not a span": (*PAIR, "--swap", "0..8"),
    "--alpha nan: not a span": (*PAIR, "--alpha", "nan"),
    "--swap 24: not a resolution of this model": (*PAIR, "--schedule", "swap=24"),
    "--seconds -1: must be": (*PAIR, "--swap", "2..8", "--seconds=-1"),
    "--fps 0: out of range": (*PAIR, "--swap", "2..8", "--fps", "0"),
    "--seeds 5-1: ends before it begins": (*PAIR, "--swap", "2..8", "--seeds", "5-1"),
    ".avi is no form of film": (*PAIR, "--swap", "2..8", "--out", "film.avi"),
    "there.webp: exists — pass --overwrite": (*PAIR, "--swap", "2..8", "--out", "there.webp"),
    "gone.pkl: no such file": ("--base", "gone.pkl", "--transfer", MODELS[1], "--swap", "2..8", "--out", "a.webp"),
    "0.5: not a source": (*PAIR, "--swap", "2..8", "--mapping", "0.5", "--out", "a.webp"),
}


@pytest.mark.parametrize("message", BAD)
def test_bad_input_ends_with_2_one_line_and_no_film(folder, capsys, message):
    (folder / "there.webp").write_bytes(b"mine")
    before = set(folder.iterdir())
    assert run(*BAD[message]) == 2
    shown = capsys.readouterr().err
    assert shown.startswith(f"error: {message}") and shown.count("\n") == 1
    assert set(folder.iterdir()) == before and (folder / "there.webp").read_bytes() == b"mine"
