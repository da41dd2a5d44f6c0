"""Labels of data sets as people have them, and the labels that conditional models are sampled with."""

import json
import zipfile
from typing import Any

import numpy as np
import pytest
from PIL import Image

from interp.recipes import from_json
from stylegan_jax import values
from stylegan_jax.commands import arguments
from stylegan_jax.commands.train import train
from stylegan_jax.errors import InputError
from stylegan_jax.pictures import images
from stylegan_jax.sampler import latents
from stylegan_jax.storage.checkpoint import Model, save
from stylegan_jax.train.data.dataset import Dataset
from stylegan_jax.train.data.labels import counted
from tests.sampling import pixels, sample
from tests.tiny_models import tiny_model


def data_set(tmp_path, names, labels=None, at="dataset.json"):
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for i, name in enumerate(names):
            Image.new("RGB", (4, 4), (i, 0, 0)).save(tmp_path / "x.png")
            archive.writestr(name, (tmp_path / "x.png").read_bytes())
        if labels is not None:
            archive.writestr(at, json.dumps({"labels": labels}))
    return path


def opened(tmp_path, path, labels: Any = True):
    return Dataset.open(path, resolution=4, labels=labels, cache=tmp_path)


@pytest.mark.parametrize("inside", ["", "set/"])
def test_labels_are_found_lower_down(tmp_path, inside):
    path = data_set(
        tmp_path, ["set/a.png", "set/b.png"], [[f"{inside}a.png", 1], [f"{inside}b.png", 0]], "set/dataset.json"
    )
    data = opened(tmp_path, path)
    assert data.labels.tolist() == [[0, 1], [1, 0]] and "labels from set/dataset.json" in data.summary


def test_one_image_with_two_labels_is_refused(tmp_path):
    path = data_set(tmp_path, ["a.png"], [["a.png", 0], ["a.png", 1]])
    with pytest.raises(InputError, match=r"set\.zip: dataset\.json gives a\.png two labels, 0 and 1"):
        opened(tmp_path, path)
    assert opened(tmp_path, data_set(tmp_path, ["a.png"], [["a.png", 0], ["a.png", 0]])).c_dim == 1


def test_labels_of_missing_images_are_counted_and_do_not_widen_the_label(tmp_path):
    data = opened(tmp_path, data_set(tmp_path, ["a.png"], [["a.png", 1], ["gone.png", 9], ["too.png", "x"]]))
    assert data.c_dim == 2 and "2 labels of images that are not there (gone.png, too.png)" in data.summary


def test_gaps_between_the_classes_are_said(tmp_path):
    data = opened(tmp_path, data_set(tmp_path, ["a.png", "b.png"], [["a.png", 1], ["b.png", 3]]))
    assert data.c_dim == 4 and "2 of 4 classes have no image: 0, 2" in data.summary


@pytest.mark.parametrize("root", ["", "photos/all/"])
def test_subfolders_become_classes(tmp_path, root):
    path = data_set(tmp_path, [f"{root}{name}" for name in ("cows/1.png", "cats/old/2.png", "cats/3.png")])
    data = opened(tmp_path, path, "folders")
    assert data.image_labels.tolist() == [[1, 0], [1, 0], [0, 1]]
    assert "2 classes from subfolders: 0 cats, 1 cows" in data.summary
    with pytest.raises(InputError, match=r"2 subfolders: cats, cows — pass --labels folders"):
        opened(tmp_path, path)


@pytest.mark.parametrize("names", [["a.png", "cats/b.png"], ["cats/a.png"], ["a.png"]])
def test_what_has_no_classes_in_its_folders_says_so(tmp_path, names):
    with pytest.raises(InputError, match="put each class into a folder of its own"):
        opened(tmp_path, data_set(tmp_path, names), "folders")


@pytest.mark.parametrize(
    ("name", "what"), [("x-r02.tfrecords", "a TFRecord data set"), ("data.mdb", "an LMDB data set")]
)
def test_data_sets_of_older_programs_are_called_what_they_are(tmp_path, name, what):
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / name).write_bytes(bytes(100))
    for path in (tmp_path / "old", tmp_path / "old" / name):
        with pytest.raises(InputError, match=f"is {what}.*dataset_tool"):
            Dataset.open(path, resolution=4)


def test_the_flag_stands_alone_or_takes_folders():
    known = arguments.known(train)
    assert arguments.arranged(["--labels", "x", "--mirror"], known, {}) == ["x", "--labels", "json", "--mirror"]
    assert arguments.arranged(["x", "--labels", "folders"], known, {}) == ["x", "--labels", "folders"]


def test_labels_are_counted_as_classes_or_vectors():
    assert counted(np.eye(3, dtype=np.float32)[[0, 2, 2]]) == [[0, 1], [2, 2]]
    assert counted(np.array([[0.5, 1], [0.5, 1], [0, 0]], np.float32)) == [[[0.5, 1.0], 2], [[0.0, 0.0], 1]]
    assert counted(np.zeros((3, 0), np.float32)) == []


def conditional(tmp_path, **lineage):
    model = tiny_model(c_dim=3)
    return save(Model(model.config, model.networks, {**model.lineage, **lineage}), tmp_path / "c3.safetensors")


def test_a_label_vector_is_sampled(tmp_path):
    file = conditional(tmp_path)
    assert sample(file, "--seeds", "0", "--class", "0,1,0", "--out", tmp_path / "v") == 0
    assert sample(file, "--seeds", "0", "--class", "1", "--out", tmp_path / "n") == 0
    assert sample(file, "--seeds", "0", "--class", "0.5,0.5,-1", "--out", tmp_path / "m") == 0
    shown = [pixels(tmp_path / name / "seed0000.png") for name in "vnm"]
    assert np.array_equal(shown[0], shown[1]) and not np.array_equal(shown[0], shown[2])
    assert images.made_by(tmp_path / "m" / "seed0000.png")["class_idx"] == [0.5, 0.5, -1.0]


@pytest.mark.parametrize("text", ["0.5,0.5", "1,0,0,0", "1,a,0", "1,,0", "nan,0,0", "0.5"])
def test_what_is_no_label_of_the_model_is_refused(tmp_path, capsys, text):
    assert sample(conditional(tmp_path), "--seeds", "0", "--class", text, "--out", tmp_path / "v") == 2
    error = capsys.readouterr().err
    assert "class" in error and error.count("\n") == 1


def test_random_labels_are_drawn_as_often_as_they_were_trained_on(tmp_path):
    drawn = latents.drawn_from({"labels": [[0, 1], [[0.5, 0.5, 0.0], 3]]}, "random")
    assert isinstance(drawn, latents.Drawn)
    rows = latents.labels_of(drawn, list(range(400)), 3)
    assert {tuple(row) for row in rows.tolist()} == {(1, 0, 0), (0.5, 0.5, 0)}
    assert 0.15 < (rows[:, 0] == 1).mean() < 0.35
    assert latents.drawn_from({}, "random") == "random" and latents.drawn_from({"labels": [[0, 1]]}, 2) == 2
    file = conditional(tmp_path, labels=[[2, 5]])
    assert sample(file, "--seeds", "0-1", "--class", "random", "--out", tmp_path / "r") == 0
    assert images.made_by(tmp_path / "r" / "seed0001.png")["class_idx"] == 2


@pytest.mark.parametrize(
    ("label", "count", "said"),
    [
        (0, -5, "labels[0][1] is -5, not from 1"),
        (0, 0, "labels[0][1] is 0, not from 1"),
        (0, 1e30, "labels[0][1] is 1e+30"),
        (0, [1], "labels[0][1] is a list"),
        ("x", 1, "labels[0][0] is 'x'"),
        ("nan", 1, "labels[0][0] is 'nan'"),
        (None, 1, "labels[0][0] is a NoneType"),
        ({}, 1, "labels[0][0] is a dict"),
        (1.5, 1, "labels[0][0] is 1.5"),
        (True, 1, "labels[0][0] is a bool"),
        (-1, 1, "labels[0][0] is -1, not from 0"),
        (["x"], 1, "labels[0][0][0] is 'x'"),
    ],
)
def test_a_model_that_remembers_what_is_no_label_is_damaged(tmp_path, capsys, label, count, said):
    file = conditional(tmp_path, labels=[[label, count]])
    assert sample(file, "--seeds", "0", "--class", "random", "--out", tmp_path / "r") == 2
    error = capsys.readouterr().err
    assert f"its description is damaged (lineage.{said}" in error and error.count("\n") == 1


@pytest.mark.parametrize("label", [3, [0.5, 0.5]])
def test_a_remembered_label_of_another_model_is_refused_whatever_the_seeds_draw(label):
    drawn = latents.drawn_from({"labels": [[0, 10**9], [label, 1]]}, "random")
    with pytest.raises(InputError, match="not all its own — pass one from 0 to 2"):
        latents.labels_of(drawn, [0], 3)


def test_recipes_keep_label_vectors():
    models = [{"path": "a"}, {"path": "b", "schedule": "swap=8"}]
    recipe = from_json({"models": models, "class_idx": [0.5, 1]})
    assert recipe.class_idx == (0.5, 1.0) and recipe.to_json()["class_idx"] == [0.5, 1.0]
    with pytest.raises(InputError, match=r"class_idx\[0\] is .x."):
        from_json({"models": models, "class_idx": ["x"]})


def test_a_class_is_read_from_text():
    assert [values.label(text) for text in (None, "random", "2", "0.5,1")] == [None, "random", 2, (0.5, 1.0)]
