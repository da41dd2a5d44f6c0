"""`python -m interp.edit`, and what `--edit` of other commands does."""

import numpy as np
import pytest

import stylegan_jax as sj
from interp import film as film_command
from interp.blend import blend
from interp.edit import edit
from interp.strips import STRENGTHS, heat, strips
from stylegan_jax.commands import cli
from stylegan_jax.commands.sample import sample
from stylegan_jax.editing import directionfile, finding
from stylegan_jax.pictures import images
from stylegan_jax.sampler import map_seeds, sample_ws
from tests.tiny_models import tiny_model


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate("ab"):
        sj.save(tiny_model(seed), f"{name}.safetensors")
    directionfile.write("found.npz", finding.sefa(tiny_model(0), 3, [0, 1, 2]))
    return tmp_path


def run(command, words, code=0):
    assert cli.run(command, "command", words.split()) == code


def read(name):
    return directionfile.read(name, num_ws=6, w_dim=16)


@pytest.mark.parametrize("how", ["sefa", "pca --samples 200"])
def test_directions_are_found_saved_and_drawn(here, how):
    run(edit, f"a.safetensors --find {how} --count 3 --cell 16 --out d.npz")
    assert read("d.npz").names == tuple(f"{how[:4].strip()}{i}" for i in range(3))
    assert images.made_by("d.png")["directions"]["method"] == how[:4].strip()
    assert images.read("d.png").shape[0] > 3 * 16


def test_without_a_name_the_file_is_called_after_the_model_and_the_method(here):
    run(edit, "a.safetensors --find sefa --count 1")
    assert read("a-sefa.npz").names == ("sefa0",)
    run(edit, "a.safetensors --find sefa --count 1", code=2)  # which replaces nothing


def test_directions_get_names_and_a_sheet_each(here):
    run(edit, "a.safetensors --directions found.npz --name sefa2=age --name sefa0=pose --strips --out named.npz")
    named, found = read("named.npz"), read("found.npz")
    assert named.names == ("age", "pose")
    np.testing.assert_array_equal(named.vectors, found.vectors[[2, 0]])
    assert {path.name for path in here.glob("*.png")} == {"named.png", "named-age.png", "named-pose.png"}


def test_a_direction_is_found_between_two_sets(here):
    ws = map_seeds(tiny_model(0), range(20))
    np.save("without.npy", ws[:10])
    np.save("with.npy", ws[10:] + 1)
    run(edit, "a.safetensors --from-latents without.npy with.npy --name age --method classifier --out age.npz")
    assert read("age.npz").names == ("age",) and read("age.npz").card["method"] == "classifier"


def test_a_sample_is_that_of_the_moved_w(here):
    edits = "--edit sefa1=2:0-3 --edit sefa0=-1 --directions found.npz"
    run(sample, f"a.safetensors --seeds 3-5 --psi 0.7 {edits} --save-w --out s")
    model, found = tiny_model(0), read("found.npz")
    ws = map_seeds(model, range(3, 6), truncation_psi=0.7) + found.edit("sefa1", 2, range(4)) + found.edit("sefa0", -1)
    expected = np.concatenate([*sample_ws(model, ws)])
    for i, image in enumerate(expected):
        assert np.abs(images.read(f"s/seed{i + 3:04d}.png").astype(int) - image).max() <= 1
    np.testing.assert_allclose(np.load("s/w.npz")["w"], ws, atol=1e-5)


def test_an_edit_of_nothing_makes_the_same_bits(here):
    for name, more in (("plain", ""), ("edited", " --edit sefa1=0 --directions found.npz")):
        run(sample, f"a.safetensors --seeds 0-3 --out {name}{more}")
    for i in range(4):
        np.testing.assert_array_equal(images.read(f"plain/seed{i:04d}.png"), images.read(f"edited/seed{i:04d}.png"))


def test_a_run_with_another_edit_is_another_job(here):
    run(sample, "a.safetensors --seeds 0 --edit sefa1=1 --directions found.npz --out s")
    run(sample, "a.safetensors --seeds 0 --edit sefa1=2 --directions found.npz --out s", code=2)


def test_a_blend_is_edited_and_replayed(here):
    run(blend, "a.safetensors b.safetensors --swap 8 --seeds 0-1 --out plain.png")
    run(blend, "a.safetensors b.safetensors --swap 8 --seeds 0-1 --edit sefa0=3 --directions found.npz --out x.png")
    assert (images.read("x.png") != images.read("plain.png")).any()
    run(blend, "--recipe x.png --out y.png")
    np.testing.assert_array_equal(images.read("x.png"), images.read("y.png"))


def test_directions_of_another_w_are_warned_of(here, capsys):
    run(sample, "b.safetensors --seeds 0 --edit sefa0=1 --directions found.npz --out x.png")
    warning = "warning: sefa0: found in the w of tiny-0, another mapping network: it may mean nothing here"
    assert warning in capsys.readouterr().err


def test_a_film_is_edited(here):
    words = "a.safetensors b.safetensors --swap 2..8 --seeds 0 --seconds 0.2 --fps 10 --size 16 --out"
    run(film_command.film, f"{words} plain.gif")
    run(film_command.film, f"{words} edited.gif --edit sefa0=3 --directions found.npz")
    assert (here / "plain.gif").read_bytes() != (here / "edited.gif").read_bytes()


def test_the_middle_of_a_strip_is_the_unedited_image_and_heat_is_where_the_ends_differ():
    model, found = tiny_model(0), finding.sefa(tiny_model(0), 2)
    ws = map_seeds(model, range(2))
    drawn = strips(model, found, ws)
    assert drawn.shape == (2, len(STRENGTHS), 2, 16, 16, 3)
    plain = np.concatenate([*sample_ws(model, ws)])
    assert np.abs(drawn[0, 3].astype(int) - plain).max() <= 1
    still = np.zeros((len(STRENGTHS), 1, 8, 8, 3), np.uint8)
    moved = still.copy()
    moved[-1, 0, 2, 3] = 50
    assert not heat(still).any()
    assert np.argwhere(heat(moved)[..., 0]).tolist() == [[2, 3]] and heat(moved).max() == 255
