"""`train-encoder`, `encode`, and what starts from an encoder, as users type them, on small models."""

import os
import signal

import numpy as np
import pytest
from PIL import Image

import stylegan_jax as sj
from interp.toonify import toonify
from stylegan_jax.commands import cli, encoders
from stylegan_jax.commands.align import align
from stylegan_jax.commands.encode import encode
from stylegan_jax.commands.project import project
from stylegan_jax.commands.train_encoder import train_encoder
from stylegan_jax.pictures import images
from stylegan_jax.projection import encoderfile, schooling
from stylegan_jax.projection.encoder import EncoderFile
from stylegan_jax.storage import shipped
from tests.commands.endings import ends_in_one_line
from tests.projection.encoders import untrained
from tests.sampling import pixels, sample
from tests.tiny_models import tiny_model

MODEL, OTHER, ENCODER = "ffhq.safetensors", "toon.safetensors", "e.safetensors"
BY_IT = ("--model", MODEL, "--encoder", ENCODER, "--no-align")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    sj.save(tiny_model(0), tmp_path / MODEL)
    sj.save(tiny_model(1), tmp_path / OTHER)
    encoderfile.save(untrained(tiny_model(0)), tmp_path / ENCODER)
    random = np.random.RandomState(0)
    for name in ("ada", "bob"):
        Image.fromarray(random.randint(0, 256, (40, 30, 3), np.uint8)).save(tmp_path / f"{name}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(function, *arguments):
    return cli.run(function, function.__name__, arguments)


def test_encoded_ws_are_read_wherever_ws_are_and_show_the_images_of_the_sheet(folder, capsys):
    assert run(encode, "ada.png", "bob.png", *BY_IT, "--out", "w.npz") == 0
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == "wrote w.npz and w.png" and said[-3].startswith("ada: ")
    with np.load("w.npz") as stored:
        assert stored["w"].shape == (2, 6, 16) and list(stored["names"]) == ["ada", "bob"]
    assert sample(MODEL, "--w", "w.npz", "--out", "again") == 0
    np.testing.assert_array_equal(pixels("again/bob.png"), pixels("w.png")[16:, 16:])
    note = images.made_by("w.png")
    assert note["rounds"] == 3 and note["encoder"] == encoderfile.load(ENCODER).sha256
    assert run(encode, "ada.png", *BY_IT, "--out", "w.npz") == 2


def test_a_descent_starts_where_the_encoder_says(folder):
    assert run(encode, "ada.png", *BY_IT, "--out", "w.npz") == 0
    how = ("--model", MODEL, "--no-align", "--steps", "1", "--lr", "0.000001", "--start", f"encoder={ENCODER}")
    assert run(project, "ada.png", *how, "--out", "p.npz") == 0
    assert run(project, "ada.png", *how, "--space", "w", "--out", "q.npz") == 0
    with np.load("w.npz") as encoded, np.load("p.npz") as begun, np.load("q.npz") as one:
        np.testing.assert_allclose(begun["w"], encoded["w"], atol=1e-4)
        np.testing.assert_allclose(one["w"][:, 0], encoded["w"].mean(1), atol=1e-4)


def test_a_fast_toon_is_what_the_blend_makes_of_the_encoded_photograph(folder):
    pair = ("--base", MODEL, "--transfer", OTHER, "--swap", "8", "--no-align")
    assert run(toonify, "ada.png", *pair, "--encoder", ENCODER, "--out", "toons") == 0
    assert run(encode, "ada.png", *BY_IT, "--out", "w.npz") == 0
    with np.load("w.npz") as stored:
        expected = np.concatenate(list(sj.sampler.sample_ws(sj.blend(MODEL, OTHER, 8), stored["w"])))
    assert np.abs(pixels("toons/ada.png") - expected[0].astype(int)).max() <= 1
    assert images.made_by("toons/ada.png")["projection"]["rounds"] == 3


def test_what_has_no_encoder_or_another_s_ends_in_one_line(folder, capsys):
    said = ends_in_one_line(
        capsys, toonify, "ada.png", "--base", MODEL, "--transfer", OTHER, "--fast", "--no-align", "--swap", "8"
    )
    assert "no encoder ships for this model — train one: python -m stylegan_jax train-encoder" in said
    other = ("--model", OTHER, "--no-align", "--out", "w.npz")
    assert "belongs to another model" in ends_in_one_line(capsys, encode, "ada.png", *other, "--encoder", ENCODER)
    assert "holds no encoder" in ends_in_one_line(capsys, encode, "ada.png", *other, "--encoder", OTHER)
    assert "ada.png: is no encoder" in ends_in_one_line(capsys, encode, "ada.png", *other, "--encoder", "ada.png")
    assert "no such file" in ends_in_one_line(capsys, encode, "ada.png", *other, "--encoder", "none.safetensors")
    start = ("--start", "middle", "--model", MODEL, "--no-align", "--out", "w.npz")
    assert "--start middle: is no place to start from" in ends_in_one_line(capsys, project, "ada.png", *start)
    assert not (folder / "w.npz").exists() and not (folder / "toons").exists()


def test_what_an_encoder_does_not_listen_to_is_refused(folder, capsys):
    quick = ("--base", MODEL, "--transfer", OTHER, "--swap", "8", "--no-align", "--encoder", ENCODER)
    for typed in (("--steps", "9"), ("--resume",), ("--save-video", "x.webp"), ("--seed", "1"), ("--loss", "pixels")):
        said = ends_in_one_line(capsys, toonify, "ada.png", *quick, *typed)
        assert f"error: {typed[0]} is of a descent, and an encoder needs none" in said
    assert not (folder / "toons").exists()
    assert run(toonify, "ada.png", *quick, "--tune", "all", "--tune-steps", "1", "--loss", "pixels", "--seed", "1") == 0


def test_an_encoder_is_trained_kept_and_trained_on(folder, capsys):
    (folder / "photos").mkdir()
    (folder / "ada.png").rename(folder / "photos" / "ada.png")
    few = ("--kimg", "0.008", "--batch", "4", "--out", "new.safetensors")
    assert run(train_encoder, MODEL, *few, "--images", "photos", "--mirror") == 0
    said = capsys.readouterr().out
    assert said.splitlines()[-1] == "wrote new.safetensors" and "kimg     0.0" in said and "100 %" in said
    lineage = encoderfile.load("new.safetensors").lineage
    assert lineage["looks"] == 8 and lineage["model"] == "tiny-0" and lineage["data"]["images"] == 1
    assert run(train_encoder, MODEL, *few) == 2
    assert "new.safetensors: exists" in capsys.readouterr().err
    assert run(train_encoder, MODEL, *few, "--resume") == 0
    lineage = encoderfile.load("new.safetensors").lineage
    assert lineage["looks"] == 16 and lineage["earlier"]["looks"] == 8
    assert run(train_encoder, OTHER, *few, "--resume") == 2
    assert run(encode, "bob.png", "--model", MODEL, "--no-align", "--encoder", "new.safetensors", "--out", "w.npz") == 0


def test_ctrl_c_ends_a_training_and_keeps_what_there_is(folder, monkeypatch, capsys):
    def interrupted(*arguments, school=schooling.school, **options):
        for number, lesson in enumerate(school(*arguments, **options)):
            if number == 1:
                os.kill(os.getpid(), signal.SIGINT)
            yield lesson

    monkeypatch.setattr(schooling, "school", interrupted)
    assert run(train_encoder, MODEL, "--kimg", "0.8", "--batch", "4", "--out", "new.safetensors") == 130
    assert "Ctrl-C: saving after" in capsys.readouterr().out
    assert 4 < encoderfile.load("new.safetensors").lineage["looks"] < 800


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (("--out", "e.npz"), "--out e.npz: is no place for an encoder — end it in .safetensors"),
        (("--out", "x.safetensors", "--mirror"), "--mirror is about photographs"),
        (("--out", "x.safetensors", "--batch", "5"), "a batch of 5 does not split into 2 rounds — use --batch 4"),
        (("--out", "x.safetensors", "--minutes", "0"), "--minutes 0: must be a finite number from 0.01"),
        (("--out", "x.safetensors", "--kimg", "0"), "--kimg 0: must be a finite number from 0.001"),
        (("--out", "x.safetensors", "--lr", "nan"), "--lr nan: must be a finite number"),
        (("--out", "x.safetensors", "--resume"), "x.safetensors: no such file"),
        (("--out", "x.safetensors", "--images", "none"), "none"),
    ],
)
def test_values_that_train_no_encoder_end_in_one_line(folder, capsys, typed, said):
    assert said in ends_in_one_line(capsys, train_encoder, MODEL, *typed)
    assert not (folder / "x.safetensors").exists()


def test_every_encoder_that_ships_belongs_to_a_model_that_does():
    models = {path: sj.load(name, networks=["G_ema"]) for name, path in shipped.shipped_models().items()}
    for path in shipped.shipped_encoders():
        assert path.stat().st_size <= 3e6
        assert path.name in {each.name for each in models}, path
        model = next(model for each, model in models.items() if each.name == path.name)
        encoderfile.check_belongs(encoderfile.load(path), model, "train it again: scripts/make_demo_encoder IMAGES")
        found = encoders.of_model(model)
        assert isinstance(found, EncoderFile) and found.sha256 == encoderfile.load(path).sha256


QUICK = ("--base", MODEL, "--transfer", OTHER, "--swap", "8", "--no-align", "--encoder", ENCODER)


@pytest.mark.parametrize(("second", "more"), [("ada-sheet", ()), ("ada-pasted", ("--paste",))])
def test_two_toons_of_one_name_are_refused_before_any_work(folder, capsys, second, more):
    os.rename("bob.png", f"{second}.png")
    for overwrite in ((), ("--overwrite",)):
        said = ends_in_one_line(capsys, toonify, "ada.png", f"{second}.png", *QUICK, *more, *overwrite)
        assert f"{second}.png, as one of ada.png — rename one of them" in said
    assert not (folder / "toons").exists()
    if more:
        assert run(toonify, "ada.png", f"{second}.png", *QUICK) == 0


def test_an_empty_name_is_not_the_folder_one_is_in(folder, capsys):
    for function, typed in ((toonify, QUICK), (encode, (*BY_IT, "--out", "w.npz"))):
        assert "an empty name — name one" in ends_in_one_line(capsys, function, "", *typed)


def test_a_model_that_is_not_square_is_told_so_by_the_name_that_was_typed(folder, capsys):
    for seed, name in enumerate(("wide", "wider")):
        sj.save(tiny_model(seed, const_size=(4, 6)), f"{name}.safetensors")
    typed = ("--base", "wide.safetensors", "--transfer", "wider.safetensors", "--swap", "8", "--no-align", "--fast")
    said = ends_in_one_line(capsys, toonify, "ada.png", *typed)
    assert "wide.safetensors: this model's images are 24×16: an encoder takes square ones" in said


def test_no_photograph_is_replaced_by_what_is_made_of_it(folder, capsys):
    there = (folder / "ada.png").read_bytes()
    doors = [
        (toonify, "ada.png", *QUICK, "--out", "."),
        (encode, "ada.png", *BY_IT, "--out", "ada.npz"),
        (project, "ada.png", "--model", MODEL, "--no-align", "--out", "ada.npz"),
        (align, "ada.png", "--no-align", "--size", "16", "--out", "."),
        (align, "ada.png", "--no-align", "--size", "16", "--out", "ada.png"),
    ]
    for function, *typed in doors:
        for overwrite in ((), ("--overwrite",)):
            said = ends_in_one_line(capsys, function, *typed, *overwrite)
            assert "ada.png: is an input — give the output another name" in said
    assert (folder / "ada.png").read_bytes() == there
