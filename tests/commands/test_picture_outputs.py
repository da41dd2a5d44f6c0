"""Outputs whose suffix is that of a picture are one picture; those of other programs are refused."""

import numpy as np
import pytest
from PIL import Image

from interp.blend import blend
from interp.diagnose import diagnose
from interp.figures import figures
from stylegan_jax.commands import cli
from stylegan_jax.pictures import images
from tests.sampling import pixels, sample
from tests.saved_models import BASE, TRANSFER


def run(door, *arguments):
    return cli.run(door, "door", arguments)


def size(path):
    with Image.open(path) as picture:
        return picture.format, picture.size


def test_one_seed_is_one_picture_and_several_are_a_grid(folder):
    assert sample(BASE, "--seeds", "3", "--out", "face.png") == 0
    assert sample(BASE, "--seeds", "3", "--out", "x") == 0
    np.testing.assert_array_equal(pixels(folder / "face.png"), pixels(folder / "x" / "seed0003.png"))
    assert images.made_by("face.png")["truncation_psi"] == 1
    assert sample(BASE, "--seeds", "0-3", "--save-w", "--out", "faces.JPG") == 0
    assert size("faces.JPG") == ("JPEG", (32, 32)) and np.load("faces.JPG.w.npz")["w"].shape == (4, 6, 16)
    assert sample(BASE, "--styles", "1x2,3", "--layers", "0", "--out", "mix.webp") == 0
    assert size("mix.webp") == ("WEBP", (48, 32))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--out", "there.png"), "there.png: exists"),
        (("--out", "x.h5"), "x.h5: .h5 is no form"),
        (("--out", "x.gif"), "x.gif: .gif is no form"),
        (("--out", "x.png", "--part", "0/2"), "one picture needs all images"),
        (("--out", "x.png", "--paired", TRANSFER), "--paired fills folders"),
    ],
)
def test_what_cannot_be_a_picture_of_samples_is_refused(folder, capsys, arguments, message):
    (folder / "there.png").write_bytes(b"mine")
    assert sample(BASE, "--seeds", "0", *arguments) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1 and (folder / "there.png").read_bytes() == b"mine"
    assert not (folder / "x.png").exists()


def test_sheets_figures_and_distances_take_the_form_of_their_suffix(folder):
    assert run(blend, BASE, TRANSFER, "--swap", "8", "--out", "a.jpg") == 0
    assert run(figures, "strip", BASE, TRANSFER, "--out", "b.webp") == 0
    assert run(diagnose, BASE, TRANSFER, "--out", "c.jpeg") == 0
    assert [size(name)[0] for name in ("a.jpg", "b.webp", "c.jpeg")] == ["JPEG", "WEBP", "JPEG"]
    assert {path.name for path in folder.iterdir()} == {BASE, TRANSFER, "a.jpg", "b.webp", "c.jpeg"}


@pytest.mark.parametrize("out", ["x.h5", "x.onnx", "x.npz", "x.tiff", "x.ckpt"])
def test_a_blend_is_not_written_as_a_folder_of_another_programs_name(folder, capsys, out):
    assert run(blend, BASE, TRANSFER, "--swap", "8", "--out", out) == 2
    assert f"{out}: .{out[2:]} is no form that can be written here" in capsys.readouterr().err
    assert run(diagnose, BASE, TRANSFER, "--out", out) == 2
    assert not (folder / out).exists()
