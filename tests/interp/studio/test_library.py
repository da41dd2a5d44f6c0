"""What a page may name, and what a file that is dropped onto it brings."""

import dataclasses

import numpy as np
import pytest

import stylegan_jax as sj
from interp.mix import blend
from interp.recipes import to_yaml
from interp.studio.library import Library
from interp.studio.state import Pad, State
from stylegan_jax.errors import InputError
from tests.interp.studio.conftest import state_of
from tests.tiny_models import tiny_model


def test_a_model_is_called_after_its_file_and_found_by_that_name_alone(library, folder):
    assert library.models == ["a.safetensors", "b.safetensors"]
    assert library.model("a.safetensors").sha256
    for name in (str(folder / "c.safetensors"), "../a.safetensors", "/etc/passwd", ""):
        with pytest.raises(InputError, match="no such model here"):
            library.model(name)


def test_shipped_models_are_there_and_read_when_they_are_asked_for(folder):
    library = Library([str(folder / "a.safetensors")], shipped=sj.shipped_models())
    assert library.models == ["a.safetensors", "portraits", "toons"]
    assert library.model("toons").model.config.generator.img_resolution >= 64


def test_two_models_of_one_name_are_told_apart(library, folder, tmp_path):
    sj.save(tiny_model(9), tmp_path / "a.safetensors")
    assert library.add_model(str(tmp_path / "a.safetensors")) == "a.safetensors (2)"
    assert library.model("a.safetensors").sha256 != library.model("a.safetensors (2)").sha256


def test_the_first_state_swaps_in_the_first_transfer_model(library):
    models = library.beginning().recipe.models
    assert [(model.path, model.schedule) for model in models] == [("a.safetensors", None), ("b.safetensors", "swap=8")]


def test_a_dropped_model_is_one_of_the_library(library, folder):
    assert library.add(folder / "c.safetensors", "my toon.safetensors") == ("model", "my toon.safetensors")
    assert library.model("my toon.safetensors").model.lineage["source"] == "tiny-2"


def test_dropped_ws_are_taken_where_the_models_can_show_them(library, tmp_path):
    config = tiny_model().config.generator
    np.savez(tmp_path / "me.npz", w=np.zeros((2, config.num_ws, config.w_dim), np.float32))
    assert library.add(tmp_path / "me.npz", "me.npz") == ("w", "me.npz")
    assert library.ws("me.npz", tiny_model()).values.shape == (2, config.num_ws, config.w_dim)
    np.savez(tmp_path / "of-others.npz", w=np.zeros((2, 18, 512), np.float32))
    with pytest.raises(InputError, match=r"of-others\.npz"):
        library.add(tmp_path / "of-others.npz", "of-others.npz")


def test_dropped_directions_can_be_gone_along(library, folder):
    assert library.add(folder / "found.npz", "pose.npz") == ("directions", "pose.npz")
    names = ["sefa0", "sefa1", "sefa2"]
    assert library.directions == {"found.npz": names, "pose.npz": names}


def test_a_dropped_recipe_is_shown_by_the_models_that_it_was_made_with(library, folder, tmp_path):
    mixed = blend(folder / "b.safetensors", folder / "a.safetensors", "swap=4")
    path = tmp_path / "recipe.yaml"
    recipe = dataclasses.replace(state_of("swap=4").recipe, models=tuple(reversed(state_of("swap=4").recipe.models)))
    by_hash = [
        dataclasses.replace(model, path=f"elsewhere-{i}.pkl", sha256=library.model(name).sha256)
        for i, (model, name) in enumerate(
            zip(state_of("swap=4").recipe.models, ("b.safetensors", "a.safetensors"), strict=True)
        )
    ]
    path.write_text(to_yaml(dataclasses.replace(recipe, models=tuple(by_hash))))
    kind, found = library.add(path, "recipe.yaml")
    assert kind == "state"
    assert [model.path for model in found.recipe.models] == ["b.safetensors", "a.safetensors"]
    assert mixed.lineage["recipe"]["models"][1]["schedule"] == found.recipe.models[1].schedule


def test_a_recipe_of_models_that_are_not_here_says_which(library, tmp_path):
    (tmp_path / "recipe.yaml").write_text("models: [{path: a.safetensors}, {path: other.pkl, schedule: swap=4}]\n")
    with pytest.raises(InputError, match=r"other\.pkl: is a model that is not here — drop its file onto the page"):
        library.add(tmp_path / "recipe.yaml", "recipe.yaml")


def test_a_file_that_is_nothing_is_refused_by_its_own_name(library, tmp_path):
    (tmp_path / "x").write_bytes(b"nothing of the kind")
    for name in ("toon.pkl", "toon.safetensors", "me.npz", "me.npy", "picture.png", "recipe.yaml"):
        with pytest.raises(InputError, match=name):
            library.add(tmp_path / "x", name)


def test_a_recipe_in_the_words_of_a_command_names_files(library, folder, tmp_path):
    config = tiny_model().config.generator
    np.savez(tmp_path / "me.npz", w=np.zeros((1, config.num_ws, config.w_dim), np.float32))
    library.add_ws(str(tmp_path / "me.npz"))
    typed = library.as_typed(state_of("swap=8", w=("me.npz",)).recipe)
    assert [model.path for model in typed.models] == [str(folder / "a.safetensors"), str(folder / "b.safetensors")]
    assert typed.w == (str(tmp_path / "me.npz"),)


def test_a_state_with_a_point_of_the_pad_keeps_it(library):
    point = Pad(seeds=(4, 5, 6), x=0.5, y=0.25)
    named = library.as_named(State(recipe=state_of("swap=8").recipe, pad=point))
    assert named.pad == point
