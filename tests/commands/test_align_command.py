"""`align` as people type it, with points given: crops appear whole, and a photograph that fails is named."""

import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from stylegan_jax.commands import cli
from stylegan_jax.commands.align import align
from stylegan_jax.pictures import images
from stylegan_jax.projection import align as projection_align
from stylegan_jax.projection.framing import PORTRAITS
from stylegan_jax.projection.landmarks import Face
from tests.projection.pictures import FACE, waves

TYPED = " ".join(f"{x},{y}" for x, y in FACE)


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Three photographs, points for them, and a text that is called .jpg."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos" / "more").mkdir(parents=True)
    for name in ("a.png", "more/b.png", "us.png"):
        Image.fromarray(waves(300, 320)).save(tmp_path / "photos" / name)
    (tmp_path / "photos" / "bad.jpg").write_text("no picture")
    table = {"a.png": FACE.tolist(), "more/b.png": FACE.tolist(), "bad.jpg": FACE.tolist()}
    table["us.png"] = [(FACE * 0.5).tolist(), FACE.tolist()]
    (tmp_path / "points.json").write_text(json.dumps(table))
    return tmp_path


def run(*arguments):
    return cli.run(align, "stylegan-jax align", [str(argument) for argument in arguments])


def test_a_folder_becomes_a_folder_of_crops_and_what_fails_is_named(photos, capsys):
    assert run("photos", "--landmarks", "points.json", "--size", 64, "--out", "crops") == 0
    said = capsys.readouterr()
    assert said.out.splitlines() == ["3 of 4 photographs: 3 crops of 64×64", "crops"]
    assert said.err.startswith("error: photos/bad.jpg: cannot be read as an image") and said.err.count("\n") == 1
    made = sorted(path.relative_to(photos / "crops").as_posix() for path in (photos / "crops").rglob("*.*"))
    assert made == ["a.png", "more/b.png", "us.png"]
    expected = projection_align.align(waves(300, 320), Face(FACE), size=64)
    for name in made:  # of two faces the larger one
        np.testing.assert_array_equal(images.read(photos / "crops" / name), expected.pixels)
    note = images.made_by(photos / "crops" / "a.png")
    assert note["points"] == FACE.tolist() and note["framing"] == "ffhq" and len(note["photo_sha256"]) == 64
    np.testing.assert_allclose(note["quad"], expected.quad, atol=1e-3)


def test_all_faces_become_numbered_crops(photos, capsys):
    assert run("photos/us.png", "--landmarks", "points.json", "--faces", "all", "--size", 64, "--out", "crops") == 0
    assert capsys.readouterr().out.splitlines() == ["1 of 1 photographs: 2 crops of 64×64", "crops"]
    assert sorted(path.name for path in (photos / "crops").iterdir()) == ["us-1.png", "us-2.png"]


def test_one_photograph_with_typed_points_becomes_one_picture_in_a_models_framing(photos, capsys):
    assert run("photos/a.png", "--landmarks", TYPED, "--framing", "portraits", "--out", "me.png") == 0
    assert capsys.readouterr().out.splitlines() == ["1 of 1 photographs: 1 crop of 64×64", "me.png"]
    expected = projection_align.align(waves(300, 320), Face(FACE), PORTRAITS, size=64)
    np.testing.assert_array_equal(images.read("me.png"), expected.pixels)


def test_no_align_takes_the_middle(photos):
    assert run("photos/a.png", "--no-align", "--size", 150, "--out", "me.png") == 0
    middle = Image.fromarray(waves(300, 320)[10:310]).resize((150, 150), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(images.read("me.png"), np.asarray(middle))
    assert "points" not in images.made_by("me.png")


def test_photographs_come_from_a_zip_and_keep_apart_what_differs_in_its_suffix_alone(photos):
    with zipfile.ZipFile("p.zip", "w") as file:
        for name in ("x/a.png", "x/a.webp"):
            file.write("photos/a.png", name)
    assert run("p.zip", "--no-align", "--size", 16, "--out", "crops") == 0
    assert sorted(path.name for path in (photos / "crops" / "x").iterdir()) == ["a.png.png", "a.webp.png"]


def test_no_photograph_left_is_code_two_and_leaves_no_folder(photos, capsys):
    assert run("photos/bad.jpg", "gone.jpg", "--landmarks", "points.json", "--out", "crops") == 2
    said = capsys.readouterr()
    assert said.out == "0 of 2 photographs: 0 crops of 1024×1024\n"
    assert "error: gone.jpg: no such file — check the path\n" in said.err
    assert not (photos / "crops").exists()


def test_points_that_are_no_face_and_missing_ones_fail_their_photograph_alone(photos, capsys):
    (photos / "p.csv").write_text("us.png,1,1,2,2,3,3,4,4\na.png," + TYPED.replace(" ", ","))
    assert run("photos", "--landmarks", "p.csv", "--size", 16, "--out", "crops") == 0
    said = capsys.readouterr().err
    assert "error: photos/us.png: its points lie on one line — give image-left eye" in said
    assert "error: photos/more/b.png: p.csv has no points for it — add them, or leave the picture out\n" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["photos"], "lacks --out PLACE"),
        (["--out", "x"], "no photograph — name one"),
        (["photos", "--out", "x.png"], "--out x.png: is one picture, and there may be more crops — name a folder"),
        (["photos", "--out", "x.zip"], ".zip is no form"),
        (["photos", "--out", "points.json"], ".json is no form"),
        (["photos", "--out", "photos", "--no-align"], "photos/a.png: is an input — give the output another name"),
        (["photos", "--out", "x", "--landmarks", TYPED], "four points are those of one photograph — name a file"),
        (["photos/a.png", "--out", "x", "--landmarks", "1,2 3,4"], "2 points, not four — write x,y x,y x,y x,y"),
        (["photos", "--out", "x", "--landmarks", "gone.csv"], "gone.csv: no such file — check the path"),
        (["photos", "--out", "x", "--no-align", "--faces", "all"], "--no-align looks for no face"),
        (["photos", "--out", "x", "--size", "8"], "--size 8: out of range — write a whole number from 16 to 2048"),
        (["photos", "--out", "x", "--supersampling", "0"], "--supersampling 0: out of range"),
        (["photos", "--out", "x", "--framing", "gone.pkl"], "gone.pkl: no such file"),
        (["photos/a.png", "photos/a.png", "--out", "x"], "another photograph has the same name"),
        (["photos", "--out", "gs://bucket/x"], "this output goes to a disk of this machine"),
    ],
)
def test_what_does_not_go_together_is_said_in_one_line_before_any_work(photos, capsys, words, said):
    assert run(*words) == 2
    error = capsys.readouterr().err
    assert said in error and error.startswith("error: ") and error.count("\n") == 1
    assert not (photos / "x").exists() and not (photos / "x.png").exists()


def test_existing_crops_are_replaced_when_that_is_asked(photos, capsys):
    words = ("photos/a.png", "--landmarks", TYPED, "--out", "crops", "--size")
    assert run(*words, 16) == 0 and run(*words, 32) == 2 and run(*words, 32, "--overwrite") == 0
    assert images.read("crops/a.png").shape == (32, 32, 3)
