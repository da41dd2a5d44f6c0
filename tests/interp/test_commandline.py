"""A recipe as a command and as Python: typed again, both make the recipe and its images."""

import shlex
import subprocess
import sys
from typing import Annotated

import numpy as np
import pytest

import stylegan_jax as sj
from interp import commandline
from interp.given import view_of
from interp.masks import mask_of
from interp.options import BlendOptions
from interp.recipes import Ingredient, Recipe
from interp.replay import blend_recipe, read_models
from stylegan_jax import values
from stylegan_jax.commands import cli
from stylegan_jax.commands.flags import Flat
from tests.tiny_models import tiny_model

SCHEDULES = (
    "swap=8",
    "swap=8:level=1:invert",
    "smooth=8:width=0.5",
    "band=8-16",
    "only=8,16",
    "alpha=-0.5",
    "alpha=4=1 8=0.25 16=-0.125",
    "alpha-layers=1,1,0.5,0,0,0",
    "pinkney=8:width=1",
    "toonify",
)
RECIPES = (
    *(Recipe(models=(Ingredient(path="a.pkl"), Ingredient(path="b.pkl", schedule=text))) for text in SCHEDULES),
    Recipe(
        models=(
            Ingredient(path="a b.pkl"),
            Ingredient(path="b.pkl", schedule="swap=4"),
            Ingredient(path="it's.pkl", schedule="alpha=8=0.5 16=0.1"),
        ),
        mapping="transfer",
        noise="base",
        w_avg="0.5",
        kinds=("torgb=x0.5", "*.b8.*=-0.2"),
        seeds="3,5-9",
        psi=-0.1,
        class_idx=(0.0, 1.0),
        same_w=True,
    ),
    Recipe(
        models=(Ingredient(path="a.pkl"), Ingredient(path="b.pkl", schedule="swap=4")),
        w=("/faces/me.npz", "/faces/-you.npz"),
        w_space="w+",
        psi=0.8,
        edits=("sefa0=-2.5:0-3", "age=1"),
        directions=("/found.npz",),
        styles=("b8.conv1:3=-5", "b4.torgb:0=2"),
    ),
    Recipe(
        models=(Ingredient(path="a.pkl"), Ingredient(path="b.pkl", schedule="swap=4")),
        mask="ellipse=0.5,0.5,0.3,0.4:soft=0.1:invert",
        mask_at=8,
    ),
)


@pytest.mark.parametrize("recipe", RECIPES, ids=repr)
def test_the_command_of_a_recipe_asks_for_that_recipe(recipe):
    asked = []

    def door(request: Annotated[BlendOptions, Flat]):
        asked.append(request.read(())[0])

    words = shlex.split(commandline.command(recipe))
    assert words[:3] == ["python", "-m", "interp.blend"]
    assert cli.run(door, "door", words[3:]) == 0
    assert asked == [recipe]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"mapping": "transfer", "psi": 1.0, "seeds": "2,4-5"},
        {"kinds": ("torgb=x0.5",), "w_avg": "base", "same_w": True},
        {"mask": "ellipse:soft=0.5", "same_w": True},
        pytest.param({"w": ("me.npz",), "psi": 0.8}, marks=pytest.mark.slow),
        pytest.param({"edits": ("age.npy=-1.5:0-2",)}, marks=pytest.mark.slow),
        pytest.param({"styles": ("b8.conv1:3=9",), "same_w": True}, marks=pytest.mark.slow),
        pytest.param({"styles": ("b8.conv1:3=9",), "w": ("me.npz",), "psi": 1.0}, marks=pytest.mark.slow),
        pytest.param({"edits": ("age.npy=2",), "w": ("me.npz",), "psi": 1.0}, marks=pytest.mark.slow),
    ],
    ids=repr,
)
def test_the_program_of_a_recipe_makes_the_images_of_its_blend(tmp_path, changes, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate("ab"):
        sj.save(tiny_model(seed), tmp_path / f"{name}.safetensors")
    config = tiny_model(0).config.generator
    ws = np.random.RandomState(0).randn(2, config.num_ws, config.w_dim).astype(np.float32)
    np.savez(tmp_path / "me.npz", w=ws)
    np.save("age.npy", ws[0, :1])
    paths = [str(tmp_path / f"{name}.safetensors") for name in "ab"]
    changes = {**changes, **({"w": (str(tmp_path / "me.npz"),)} if "w" in changes else {})}
    recipe = Recipe(models=(Ingredient(path=paths[0]), Ingredient(path=paths[1], schedule="swap=8")), **changes)
    loaded = read_models(recipe)
    view = view_of(recipe, values.seeds(recipe.seeds), loaded[0].model)
    view = view.with_ws_of(loaded[0].model) if recipe.same_w else view
    mixed, mask = blend_recipe(recipe, loaded), mask_of(recipe, config)
    expected = view.row(mixed) if mask is None else view.masked_row(loaded[0].model, mixed, mask.pyramid())
    program = commandline.python(recipe) + f"np.save({str(tmp_path / 'images.npy')!r}, images)\n"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, f"{program}\n{done.stderr}"
    np.testing.assert_array_equal(np.load(tmp_path / "images.npy"), expected)
