"""A library of tiny models, and what draws and saves from it."""

import numpy as np
import pytest

import stylegan_jax as sj
from interp.recipes import Ingredient, Recipe
from interp.studio.library import Library
from interp.studio.painter import Painter
from interp.studio.saving import Saver
from interp.studio.state import State
from stylegan_jax.editing import channels, directionfile, finding
from stylegan_jax.editing.directions import Directions
from tests.tiny_models import tiny_model


@pytest.fixture(scope="package")
def folder(tmp_path_factory):
    """Where the models lie: a, b and c alike, labels conditional, small of another resolution; and directions of a, in
    w, in style channels, in z.
    """
    folder = tmp_path_factory.mktemp("models")
    for seed, name in enumerate("abc"):
        sj.save(tiny_model(seed), folder / f"{name}.safetensors")
    sj.save(tiny_model(3, c_dim=3), folder / "labels.safetensors")
    sj.save(tiny_model(4, img_resolution=8), folder / "small.safetensors")
    directionfile.write(folder / "found.npz", finding.sefa(tiny_model(0), 3))
    directionfile.write(folder / "styles.npz", channels.along(tiny_model(0), np.array([3, 30]), [1.0, -1.0], {}))
    age = np.linspace(-1, 1, 16, dtype=np.float32)[None, None]
    one = np.ones((1, 1), bool)
    directionfile.write(folder / "z.npz", Directions(("age",), age, np.ones(1, np.float32), one, {"space": "z"}))
    return folder


@pytest.fixture
def library(folder):
    models = [str(folder / f"{name}.safetensors") for name in "ab"]
    return Library(models, directions=[str(folder / "found.npz")])


@pytest.fixture
def painter(library, folder):
    for name in ("styles", "z"):
        library.add_directions(str(folder / f"{name}.npz"))
    return Painter(library)


@pytest.fixture
def saver(painter, tmp_path):
    return Saver(painter, tmp_path / "studio")


@pytest.fixture
def state():
    return state_of("swap=8", seeds="0-1")


def state_of(*schedules, pad=None, **settings):
    """A state of the models a, b, …"""
    names = [f"{name}.safetensors" for name in "abc"]
    models = [Ingredient(path=name, schedule=text) for name, text in zip(names, (None, *schedules), strict=False)]
    return State(recipe=Recipe(models=tuple(models), **settings), pad=pad)
