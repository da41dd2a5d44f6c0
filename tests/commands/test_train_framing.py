"""`train --framing`: where the faces of a data set lie, for the lineage of what is trained on it."""

import json

import numpy as np
import pytest
from PIL import Image

from stylegan_jax.commands import cli
from stylegan_jax.commands.train import train
from stylegan_jax.train import start

POINTS = [[9.5, 15.5], [29.5, 15.5], [13.5, 29.5], [25.5, 29.5]]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "pictures").mkdir()
    for name in ("a", "b", "c"):
        Image.fromarray(np.full((40, 40, 3), 90, np.uint8)).save(tmp_path / "pictures" / f"{name}.png")
    (tmp_path / "points.json").write_text(json.dumps({"a.png": POINTS, "b.png": POINTS}))
    (tmp_path / "others.json").write_text(json.dumps({"x.png": POINTS}))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("typed", "stated"),
    [((), None), (("--framing", "ffhq"), "ffhq"), (("--framing", "points.json"), [0.25, 0.4])],
)
def test_a_run_states_the_framing_of_its_images(folder, monkeypatch, typed, stated):
    found = []
    monkeypatch.setattr(start, "train", lambda asked, load, framing, compare: found.append(framing) or 0)
    assert cli.run(train, "train", ("pictures", "--out", "run", *typed)) == 0
    assert (found[0][0] if isinstance(found[0], list) else found[0]) == stated


def test_a_file_of_other_pictures_is_no_framing(folder, capsys):
    assert cli.run(train, "train", ("pictures", "--out", "run", "--framing", "others.json")) == 2
    assert "--framing others.json: no face in the data — name a file of their points" in capsys.readouterr().err
