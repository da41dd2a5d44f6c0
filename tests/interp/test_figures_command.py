import pytest
from PIL import Image

import stylegan_jax as sj
from interp.diagnose import diagnose
from interp.figures import figures
from interp.gallery import FIGURES
from stylegan_jax.commands import cli
from stylegan_jax.pictures import images
from tests.saved_models import BASE, PAIR, TRANSFER, save_models
from tests.tiny_models import tiny_model


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_models(BASE, TRANSFER, img_resolution=8)
    return tmp_path


def run(*arguments):
    return cli.run(figures, "python -m interp.figures", arguments)


def test_the_help_explains_every_figure_of_the_gallery():
    assert all(f"{name} (" in str(figures.__doc__) for name in FIGURES)


def test_all_figures_are_drawn_and_say_what_made_them(folder, capsys):
    assert run(*PAIR, "--seeds", "0-1") == 0
    for name in FIGURES:
        place = f"ffhq-x-toon-{name}.png"
        assert place in capsys.readouterr().out or (folder / place).is_file()
        made_by = images.made_by(place)
        assert made_by["figure"] == name and len(made_by["models"]) == 2 and made_by["rows"]


def test_a_figure_has_a_row_for_each_blend_at_the_size_asked_for(folder):
    (folder / "sheets").mkdir()
    assert run("alphas", *PAIR, "--seeds", "0-3", "--cell", "64", "--out", "sheets", "--same-w") == 0
    with Image.open("sheets/ffhq-x-toon-alphas.png") as picture:
        width, height = picture.size
    assert width > 4 * 32 and 7 * 32 < height < 7 * 64


BAD = {
    "swop: no such figure — use strip, paper, uncurated": ("swop", *PAIR),
    "--cell 4: out of range": ("paper", *PAIR, "--cell", "4"),
    "none/ffhq-x-toon-paper.png: its folder does not exist": ("paper", *PAIR, "--out", "none"),
    "--mapping left: not a source": ("paper", *PAIR, "--mapping", "left"),
    "--class 1: none of the models is conditional": ("paper", *PAIR, "--class", "1"),
}


@pytest.mark.parametrize("message", BAD)
def test_bad_input_ends_with_2_one_line_and_no_figure(folder, capsys, message):
    assert run(*BAD[message]) == 2
    shown = capsys.readouterr().err
    assert shown.startswith(f"error: {message}") and shown.count("\n") == 1
    assert len(list(folder.iterdir())) == 2


def test_a_diagnosis_names_differences_distances_and_a_verdict(folder, capsys):
    sj.save(tiny_model(0, img_resolution=8, mapping_layers=8), "deep.safetensors")
    arguments = ("ffhq.safetensors", "deep.safetensors", "--out", "distances.png")
    assert cli.run(diagnose, "python -m interp.diagnose", arguments) == 0
    shown = capsys.readouterr().out
    assert "mapping layers: 2 against 8: as in the model that the mapping comes from" in shown
    assert "8×8" in shown and "relative distance" in shown and shown.splitlines()[-1] == "wrote distances.png"
    assert images.made_by("distances.png")["models"] == ["ffhq.safetensors", "deep.safetensors"]


def test_a_diagnosis_of_models_that_cannot_be_blended_says_so(folder, capsys):
    sj.save(tiny_model(3, img_resolution=8, channel_max=4, use_noise=False), "slim.safetensors")
    assert cli.run(diagnose, "python -m interp.diagnose", ("ffhq.safetensors", "slim.safetensors")) == 0
    shown = capsys.readouterr().out
    assert "use_noise: True against False: in the way of a blend" in shown and "channels: " in shown


def test_a_model_is_the_same_as_itself(folder, capsys):
    assert cli.run(diagnose, "python -m interp.diagnose", ("ffhq.safetensors", "ffhq.safetensors")) == 0
    assert "holds the same weights" in capsys.readouterr().out
