"""`project` and `interp.toonify` as users type them, on small models and made-up photographs."""

import itertools
import re

import numpy as np
import pytest
from PIL import Image, ImageSequence

import convert
import stylegan_jax as sj
from convert.pickles import torch_file
from convert.vgg16 import CHANNELS
from interp.toonify import toonify
from stylegan_jax.commands import cli
from stylegan_jax.commands.encode import encode
from stylegan_jax.commands.project import project
from stylegan_jax.pictures import images
from stylegan_jax.projection import align, descent, perceptual, psp, unfinished
from stylegan_jax.projection.latentspace import latent_space
from stylegan_jax.psp import PspConfig
from tests.convert import test_psp as psp_file
from tests.sampling import pixels, sample
from tests.tiny_models import tiny_model

QUICK = ("--steps", "4", "--no-align")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    sj.save(tiny_model(0), tmp_path / "ffhq.safetensors")
    sj.save(tiny_model(1), tmp_path / "toon.safetensors")
    random = np.random.RandomState(0)
    for name, size in (("ada", (40, 30)), ("bob", (16, 16)), ("cy", (20, 50))):
        Image.fromarray(random.randint(0, 256, (*size, 3), np.uint8)).save(tmp_path / f"{name}.png")
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(function, *arguments):
    return cli.run(function, function.__name__, arguments)


def test_projected_ws_are_read_wherever_ws_are_and_show_the_images_of_the_sheet(folder, capsys):
    assert run(project, "ada.png", "cy.png", "--model", "ffhq.safetensors", "--out", "w.npz", *QUICK) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "wrote w.npz and w.png"
    with np.load("w.npz") as stored:
        config = tiny_model().config.generator
        assert stored["w"].shape == (2, config.num_ws, config.w_dim) and list(stored["names"]) == ["ada", "cy"]
    assert sample("ffhq.safetensors", "--w", "w.npz", "--out", "again") == 0
    np.testing.assert_array_equal(pixels("again/cy.png"), pixels("w.png")[16:, 16:])
    assert run(project, "ada.png", "--model", "ffhq.safetensors", "--out", "w.npz", *QUICK) == 2
    assert "w.npz: exists — pass --overwrite" in capsys.readouterr().err


def test_a_photograph_that_cannot_be_used_is_named_and_the_others_go_on(folder, capsys):
    arguments = ("ada.png", "broken.jpg", "--model", "ffhq.safetensors", "--out", "w.npz", *QUICK)
    assert run(project, *arguments) == 0
    assert "error: broken.jpg: " in capsys.readouterr().err
    assert run(project, "broken.jpg", "--model", "ffhq.safetensors", "--out", "x.npz", *QUICK) == 2
    assert not (folder / "x.npz").exists()


@pytest.mark.parametrize(("typed", "psi"), [((), 0.8), (("--psi", "1"), 1)])
def test_a_toon_is_what_the_blend_makes_of_the_projected_photograph_four_fifths_out(folder, typed, psi):
    pair = ("--base", "ffhq.safetensors", "--transfer", "toon.safetensors")
    assert run(toonify, "ada.png", "bob.png", *pair, "--swap", "8", *typed, "--out", "toons", *QUICK) == 0
    assert sorted(path.name for path in (folder / "toons").iterdir()) == [
        "ada-sheet.png",
        "ada.png",
        "bob-sheet.png",
        "bob.png",
    ]
    assert run(project, "ada.png", "bob.png", "--model", "ffhq.safetensors", "--out", "w.npz", *QUICK) == 0
    with np.load("w.npz") as stored:
        ws = stored["w"]
    mean = sj.load("ffhq.safetensors").networks["G_ema"]["mapping.w_avg"]
    ws = mean + np.float32(psi) * (ws - mean)
    mixed = sj.blend("ffhq.safetensors", "toon.safetensors", 8)
    expected = np.concatenate(list(sj.sampler.sample_ws(mixed, ws)))
    assert np.abs(pixels("toons/bob.png") - expected[1].astype(int)).max() <= 1
    note = images.made_by("toons/ada.png")
    assert note["recipe"]["models"][1]["schedule"] == "swap=8" and note["projection"]["steps"] == 4
    assert note["recipe"]["psi"] == psi
    assert run(toonify, "ada.png", *pair, "--swap", "8", "--out", "toons", *QUICK) == 2


PAIR = ("--base", "ffhq.safetensors", "--transfer", "toon.safetensors")


def test_a_set_for_students_holds_photographs_and_toons_of_the_same_names_and_size(folder):
    assert run(toonify, "ada.png", "bob.png", *PAIR, "--swap", "8", "--paired", "--out", "set", *QUICK) == 0
    names = [sorted(path.name for path in (folder / "set" / side).iterdir()) for side in ("photos", "toons")]
    assert names == [["ada.png", "bob.png"]] * 2
    np.testing.assert_array_equal(pixels("set/photos/bob.png"), np.asarray(Image.open("bob.png")))
    assert run(toonify, "ada.png", "bob.png", *PAIR, "--swap", "8", "--out", "toons", *QUICK) == 0
    np.testing.assert_array_equal(pixels("set/toons/bob.png"), pixels("toons/bob.png"))
    assert run(toonify, "bob.png", *PAIR, "--paired", "--out", "set", *QUICK) == 2


def test_a_toon_with_a_mask_is_the_bases_outside_of_it_and_pasting_keeps_the_photograph_there(folder, capsys):
    Image.fromarray(np.pad(np.full((8, 8), 255, np.uint8), 4)).save("face.png")
    shown = ("bob.png", *PAIR, "--swap", "8", "--paste")
    assert run(toonify, *shown, "--mask", "face.png", "--out", "masked", *QUICK) == 0
    assert "mask face.png: the blend shows on 25% of each picture, the base on the rest" in capsys.readouterr().out
    for name, schedule in (("base", ("--alpha", "0")), ("blend", ("--swap", "8"))):
        assert run(toonify, "bob.png", *PAIR, *schedule, "--paste", "--out", name, *QUICK) == 0
    masked, base, blend = (pixels(f"{name}/bob.png") for name in ("masked", "base", "blend"))
    assert (masked[:2] == base[:2]).all() and (masked[4:12, 4:12] != base[4:12, 4:12]).any()
    assert np.abs(masked - blend)[6:10, 6:10].mean() < np.abs(base - blend)[6:10, 6:10].mean()
    photo, pasted = np.asarray(Image.open("bob.png").convert("RGB")), pixels("masked/bob-pasted.png")
    outside = np.ones(photo.shape[:2], bool)
    edge = len(photo) // 8
    outside[edge:-edge, edge:-edge] = False
    assert (pasted[outside] == photo[outside]).all() and (pasted != photo).any()
    recipe = images.made_by("masked/bob.png")["recipe"]
    assert recipe["mask"] == "face.png" and len(recipe["mask_sha256"]) == 64


def test_a_truncated_toon_is_pulled_towards_the_w_avg_of_the_base(folder):
    assert run(toonify, "bob.png", *PAIR, "--swap", "8", "--psi", "0", "--out", "toons", *QUICK) == 0
    w_avg = sj.load("ffhq.safetensors").networks["G_ema"]["mapping.w_avg"]
    mixed = sj.blend("ffhq.safetensors", "toon.safetensors", 8)
    middle = np.broadcast_to(w_avg, (1, mixed.config.generator.num_ws, len(w_avg)))
    expected = np.concatenate(list(sj.sampler.sample_ws(mixed, np.array(middle))))
    assert np.abs(pixels("toons/bob.png") - expected[0].astype(int)).max() <= 1
    assert images.made_by("toons/bob.png")["recipe"]["psi"] == 0


def test_a_base_without_w_avg_truncates_nothing(folder, capsys):
    sj.save(tiny_model(2, w_avg_beta=None), "flat.safetensors")
    pair = ("--base", "flat.safetensors", "--transfer", "toon.safetensors")
    assert run(toonify, "bob.png", *pair, "--swap", "8", "--psi", "0.5", *QUICK) == 2
    assert "flat.safetensors: has no w_avg to truncate towards — use psi 1" in capsys.readouterr().err
    assert run(toonify, "bob.png", *pair, "--swap", "8", *QUICK) == 0


@pytest.mark.parametrize(("sweep", "columns"), [("swap", 5), ("width", 9)])
def test_a_sweep_shows_every_hand_over_or_every_width_in_one_sheet(folder, sweep, columns):
    assert run(toonify, "bob.png", *PAIR, "--swap", "8", "--sweep", sweep, "--out", "toons", *QUICK) == 0
    with Image.open("toons/bob-sheet.png") as sheet:
        assert sheet.width // 128 == columns
    assert run(toonify, "bob.png", *PAIR, "--swap", "8", "--out", "plain", *QUICK) == 0
    np.testing.assert_array_equal(pixels("toons/bob.png"), pixels("plain/bob.png"))


@pytest.mark.parametrize("door", ["project", "toonify"])
def test_an_interrupted_projection_goes_on_to_the_same_bits(folder, monkeypatch, capsys, door):
    typed, made, kept = {
        "project": ((project, "--model", "ffhq.safetensors", "--out", "w.npz"), "w.npz", "w.unfinished.npz"),
        "toonify": ((toonify, *PAIR, "--swap", "8", "--out", "toons"), "toons/ada.png", "toons/unfinished.npz"),
    }[door]
    function, *options = typed
    arguments = ("ada.png", "bob.png", *options, "--no-align", "--steps", "6")
    monkeypatch.setattr(unfinished, "EVERY", 0.0)
    keep = unfinished.Unfinished.keep

    def stops(self, step):
        keep(self, step)
        if step.standing().step == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(unfinished.Unfinished, "keep", stops)
        assert run(function, *arguments) == cli.INTERRUPTED
    assert (folder / kept).exists() and not (folder / made).exists()
    assert run(function, *arguments) == 2
    assert "a projection was interrupted — pass --resume" in capsys.readouterr().err
    assert run(function, *arguments, "--resume", "--lr", "0.2") == 2
    assert "was made with rate 0.1, not 0.2" in capsys.readouterr().err
    assert run(function, *arguments, "--resume") == 0
    assert not (folder / kept).exists()
    resumed = np.load(made)["w"] if door == "project" else pixels(made)
    assert run(function, *arguments, "--overwrite") == 0
    np.testing.assert_array_equal(resumed, np.load(made)["w"] if door == "project" else pixels(made))


def test_a_projection_begins_at_the_ws_of_a_file(folder, capsys):
    arguments = ("ada.png", "bob.png", "--model", "ffhq.safetensors", "--no-align")
    assert run(project, *arguments, "--steps", "4", "--out", "w.npz") == 0
    still = ("--start", "w.npz", "--steps", "1")  # the rate of the first step is 0
    assert run(project, *arguments, *still, "--out", "again.npz") == 0
    np.testing.assert_array_equal(np.load("again.npz")["w"], np.load("w.npz")["w"])
    assert run(project, *arguments, *still, "--space", "w", "--out", "one.npz") == 0
    np.testing.assert_allclose(np.load("one.npz")["w"][:, 0], np.load("w.npz")["w"].mean(1), rtol=1e-5)
    assert run(project, *arguments, "cy.png", *still, "--out", "three.npz") == 2
    assert "--start w.npz: holds 2 ws, and there are 3 faces" in capsys.readouterr().err


def test_what_is_no_interrupted_projection_is_left_alone(folder, capsys):
    (folder / "w.unfinished.npz").write_bytes(b"mine")
    arguments = ("ada.png", "--model", "ffhq.safetensors", "--out", "w.npz", "--resume", *QUICK)
    assert run(project, *arguments) == 2
    assert "w.unfinished.npz: is no interrupted projection — move it away" in capsys.readouterr().err


def test_a_film_shows_how_the_images_come_nearer(folder, capsys):
    arguments = ("ada.png", "bob.png", "--model", "ffhq.safetensors", "--out", "w.npz", *QUICK)
    assert run(project, *arguments, "--save-video", "w.gif") == 0
    with Image.open("w.gif") as film:
        assert (film.size, sum(1 for _ in ImageSequence.Iterator(film))) == ((512, 512), 4)
    assert run(project, *arguments, "--overwrite", "--save-video", "w.avi") == 2
    assert ".avi is no form of film" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (("--likeness", "2"), "--likeness 2: must be a finite number from 0 to 1"),
        (("--steps", "0"), "--steps 0: out of range"),
        (("--lr", "nan"), "--lr nan: must be a finite number"),
        (("--psi", "nan"), "--psi nan: must be a finite number"),
        (("--paired", "--paste"), "--paired writes no sheets and pastes nothing"),
        (("--swap", "24"), "--swap 24: not a resolution of this model"),
        (("--out", "ada.png"), "--out ada.png: is a file"),
    ],
)
def test_values_that_make_no_toon_end_in_one_line(folder, capsys, typed, said):
    pair = ("--base", "ffhq.safetensors", "--transfer", "toon.safetensors", "--no-align")
    assert run(toonify, "ada.png", *pair, *typed) == 2
    shown = capsys.readouterr().err
    assert said in shown and shown.count("\n") == 1
    assert not (folder / "toons").exists()


@pytest.fixture
def vgg16(folder):
    """Files as torchvision and LPIPS have them, of random weights."""
    random, state, place = np.random.RandomState(0), {}, iter((0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28))
    for before, after in itertools.pairwise((3, *CHANNELS)):
        name = f"features.{next(place)}"
        state[f"{name}.weight"] = (random.randn(after, before, 3, 3) / np.sqrt(5 * before)).astype(np.float32)
        state[f"{name}.bias"] = np.zeros(after, np.float32)
    heads = {
        f"lin{i}.model.1.weight": np.ones((1, c, 1, 1), np.float32) for i, c in enumerate((64, 128, 256, 512, 512))
    }
    for name, tree in (("vgg16.pth", state), ("vgg.pth", heads)):
        with open(name, "wb") as file:
            torch_file.save_zip(file, tree)
    return "--vgg16", "vgg16.pth", "--lpips", "vgg.pth"


def test_a_vgg16_of_the_users_is_what_photographs_are_compared_by(folder, vgg16):
    usual = ("ada.png", "--model", "ffhq.safetensors", *QUICK)
    assert run(project, *usual, "--out", "w.npz", *vgg16) == 0
    assert images.made_by("w.png")["loss"] == "lpips"
    assert run(project, *usual, "--out", "other.npz") == 0
    with np.load("w.npz") as one, np.load("other.npz") as other:
        assert not np.allclose(one["w"], other["w"])


def test_the_official_projector_is_one_flag(folder, vgg16):
    aligned = ("bob.png", "--model", "ffhq.safetensors", "--no-align", "--steps", "3", "--seed", "5")
    assert run(project, *aligned, *vgg16, "--official", "--out", "w.npz") == 0
    base, target = sj.load("ffhq.safetensors"), pixels("bob.png").astype(np.uint8)[None]
    loss = perceptual.lpips_loss(convert.read_vgg16("vgg16.pth", "vgg.pth"))
    *_, last = descent.descend(base, target, loss, latent_space(base), descent.Settings(steps=3), seed=5)
    with np.load("w.npz") as stored:
        np.testing.assert_allclose(stored["w"], np.broadcast_to(last.w, stored["w"].shape), atol=1e-5)
    assert images.made_by("w.png")["official"] and last.w.shape[1] == 1


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (("--lpips", "x.pth"), "--lpips goes with --vgg16"),
        (("--official",), "--official compares as the official projector does — pass --vgg16 FILE too"),
        (("--official", "--vgg16", "x", "--space", "w+"), "--space none to choose — leave --space out"),
        (("--vgg16", "none.pt"), "none.pt: no such file"),
        (("--vgg16", "ffhq.safetensors"), "ffhq.safetensors: is no file of torch's"),
    ],
    ids=["lpips alone", "official alone", "official in w+", "no file", "another kind"],
)
def test_files_that_hold_no_vgg16_end_in_one_line_before_the_work(folder, capsys, typed, said):
    assert run(project, "ada.png", "--model", "ffhq.safetensors", "--out", "w.npz", "--no-align", *typed) == 2
    shown = capsys.readouterr().err
    assert said in shown and shown.count("\n") == 1


def test_a_projection_starts_where_the_encoder_beside_the_model_says(folder):
    model = tiny_model(0)
    config = PspConfig(model.config.generator.num_ws, channels=(16, 32, 48, 16), units=(1, 1, 1, 1))
    held = psp_file.tree(config=config, model=model, latent_avg=model.networks["G_ema"]["mapping.w_avg"])
    psp_file.saved("e4e.pt", held)
    usual = ("ada.png", "--model", "e4e.pt", "--no-align", "--start", "encoder=e4e.pt")
    assert run(project, *usual, "--steps", "1", "--out", "w.npz") == 0  # whose rate is 0
    picture = psp.fitted([align.centred(images.read("ada.png"), size=16).pixels])
    with np.load("w.npz") as stored:
        np.testing.assert_allclose(stored["w"], psp.encode(convert.read_encoder("e4e.pt"), picture), rtol=1e-5)
    asked = ("ada.png", "--no-align", "--encoder", "e4e.pt")
    assert run(encode, *asked, "--model", "e4e.pt", "--out", "e.npz") == 0
    with np.load("e.npz") as once, np.load("w.npz") as stored:
        np.testing.assert_allclose(once["w"], stored["w"], rtol=1e-6)
    assert run(toonify, *asked, "--base", "e4e.pt", "--transfer", "toon.safetensors", "--swap", "8") == 0
    assert images.made_by("toons/ada.png")["projection"]["encoder"] == "e4e"
    assert run(project, *usual, "--steps", "1", "--space", "w", "--out", "one.npz") == 0
    with np.load("one.npz") as one, np.load("w.npz") as stored:
        np.testing.assert_allclose(one["w"][:, 0], stored["w"].mean(1), rtol=1e-4)


def test_a_start_that_is_none_ends_in_one_line(folder, capsys):
    usual = ("ada.png", "--model", "ffhq.safetensors", "--out", "w.npz", "--no-align")
    for start, said in (("encoder=", "--start encoder=: is no place"), ("encoder=no.pt", "no.pt: no such file")):
        assert run(project, *usual, "--start", start) == 2
        assert said in (shown := capsys.readouterr().err) and shown.count("\n") == 1


def test_a_model_is_tuned_to_each_photograph_and_its_images_are_nearer(folder, capsys):
    usual = ("ada.png", "bob.png", "--model", "ffhq.safetensors", *QUICK, "--tune", "each", "--tune-steps", "12")
    assert run(project, *usual, "--out", "w.npz") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "wrote w-tuned.png and 2 models beside it"
    before, after = (float(word) for word in re.findall(r"([\d.]+) dB", lines[-3]))
    assert after > before
    assert pixels("w-tuned.png").shape == (48, 32, 3)
    assert sample("w-tuned-bob.safetensors", "--w", "w.npz", "--out", "again") == 0
    np.testing.assert_array_equal(pixels("again/bob.png"), pixels("w-tuned.png")[32:, 16:])
    for name in ("w.npz", "w.png", "w-tuned.png"):
        (folder / name).unlink()
    assert run(project, *usual, "--out", "w.npz") == 2
    assert "w-tuned-ada.safetensors: exists" in capsys.readouterr().err


def test_toons_are_blended_with_the_base_that_was_tuned_and_stays_beside_them(folder):
    pair = ("--base", "ffhq.safetensors", "--transfer", "toon.safetensors", "--swap", "8", *QUICK)
    assert run(toonify, "ada.png", "bob.png", *pair, "--tune", "all", "--tune-steps", "12", "--out", "toons") == 0
    names = ["ada-sheet.png", "ada.png", "base.safetensors", "bob-sheet.png", "bob.png"]
    assert sorted(path.name for path in (folder / "toons").iterdir()) == names
    assert run(project, "ada.png", "bob.png", "--model", "ffhq.safetensors", "--out", "w.npz", *QUICK) == 0
    with np.load("w.npz") as stored:
        ws = stored["w"]
    mixed = sj.blend("toons/base.safetensors", "toon.safetensors", 8)
    expected = np.concatenate(list(sj.sampler.sample_ws(mixed, ws)))
    assert np.abs(pixels("toons/bob.png") - expected[1].astype(int)).max() <= 1
    assert images.made_by("toons/ada.png")["recipe"]["models"][0]["path"] == "toons/base.safetensors"
