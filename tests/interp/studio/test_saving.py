"""What is saved is what was shown, under names that nothing has yet."""

import dataclasses

import numpy as np
import pytest

import stylegan_jax as sj
from interp import keyframes, recipes
from interp.given import view_of
from interp.keyed import Keyed
from interp.mix import blend
from interp.studio.library import Library
from interp.studio.state import Pad, from_json
from stylegan_jax.errors import InputError
from stylegan_jax.pictures import images
from tests.interp.studio.conftest import state_of


def test_a_picture_is_the_frame_and_brings_its_state_back(saver, state):
    (path,) = saver.save(state, "picture")
    assert path.name == "a-x-b-swap-8-picture.png"
    shown = images.grid(saver.painter.frame(state, ["blend"]).pictures["blend"])
    np.testing.assert_array_equal(images.read(path), shown)
    assert saver.library.add(path, path.name) == ("state", state)


def test_a_picture_of_the_pad_brings_its_point_back(saver):
    state = state_of("swap=8", pad=Pad(seeds=(1, 2, 3), x=0.25, y=0.5))
    (path,) = saver.save(state, "picture")
    assert saver.library.add(path, path.name) == ("state", state)


@pytest.mark.parametrize("end", [".safetensors", ".pkl", ""])
def test_a_model_is_the_blend_in_the_form_that_was_asked_for(saver, state, folder, end):
    (path,) = saver.save(state, "model", end)
    found = sj.load(path, networks=["G_ema"]).networks["G_ema"]
    expected = blend(folder / "a.safetensors", folder / "b.safetensors", "swap=8").networks["G_ema"]
    assert found.keys() == expected.keys()
    for name, leaf in found.items():
        np.testing.assert_array_equal(leaf, expected[name], name)


def test_sheet_and_recipe_replay(saver, state):
    (sheet,), (recipe,) = saver.save(state, "sheet"), saver.save(state, "recipe")
    assert recipes.read(sheet) == recipes.read(recipe)
    assert recipes.read(sheet).seeds == "0-1"
    assert images.read(sheet).shape[0] > 3 * 16


def test_a_recipe_of_the_pad_comes_with_its_w(saver):
    state = state_of("swap=8", pad=Pad(seeds=(1, 2, 3), x=0.25, y=0.5))
    path, file = saver.save(state, "recipe")
    assert recipes.read(path).w == (str(file.absolute()),)
    np.testing.assert_array_equal(np.load(file)["w"], saver.painter.ws(state))


def test_a_recipe_of_the_pad_keeps_the_edits_that_its_w_does_not_show(saver):
    edits, directions = ("sefa0=2", "b4.conv1:3=4", "age=1"), ("found.npz", "styles.npz", "z.npz")
    state = state_of(
        "swap=8", pad=Pad(seeds=(1, 2, 3), x=0.25), edits=edits, directions=directions, styles=("b8.conv1:3=9",)
    )
    path, file = saver.save(state, "recipe")
    recipe = recipes.read(path)
    assert recipe.edits == ("b4.conv1:3=4",) and recipe.styles == ("b8.conv1:3=9",)
    np.testing.assert_array_equal(np.load(file)["w"], saver.painter.ws(state))
    view = view_of(recipe, [], saver.library.model("a.safetensors").model)
    np.testing.assert_array_equal(view.shift, saver.painter.step(state).shift)


def test_what_was_saved_is_never_replaced(saver, state):
    (first,), (second,) = saver.save(state, "recipe"), saver.save(state, "recipe")
    assert [first.name, second.name] == ["a-x-b-swap-8.yaml", "a-x-b-swap-8-2.yaml"]


@pytest.mark.parametrize(("what", "end"), [("../x", None), ("model", ".exe"), ("picture", "/../x.png")])
def test_what_cannot_be_saved_is_refused(saver, state, what, end):
    with pytest.raises(InputError, match="nothing that can be saved"):
        saver.save(state, what, end)
    assert not saver.folder.exists()


def test_a_film_goes_from_one_state_to_the_other(saver, state):
    told = []
    path = saver.film(state, state_of("alpha=0", seeds="2-3"), 0.25, lambda done, of: told.append((done, of)))
    assert told == [(i + 1, 6) for i in range(6)]
    assert path.stat().st_size > 0 and path.suffix in (".webp", ".mp4")


def test_a_film_that_nobody_waits_for_leaves_nothing_behind(saver, state):
    def gone(done, of):
        raise InputError("gone")

    with pytest.raises(InputError, match="gone"):
        saver.film(state, state_of("alpha=0", seeds="2-3"), 0.25, gone)
    assert not list(saver.folder.iterdir())


def test_a_saved_recipe_of_ws_names_their_file(folder, tmp_path):
    from interp.studio.painter import Painter
    from interp.studio.saving import Saver

    library = Library([str(folder / f"{name}.safetensors") for name in "ab"])
    config = library.model("a.safetensors").model.config.generator
    np.savez(tmp_path / "me.npz", w=np.zeros((1, config.num_ws, config.w_dim), np.float32))
    library.add_ws(str(tmp_path / "me.npz"))
    state = from_json({**state_of("swap=8").to_json(), "w": ["me.npz"], "psi": 1.0})
    (path,) = Saver(Painter(library), tmp_path / "studio").save(state, "recipe")
    assert recipes.read(path).w == (str(tmp_path / "me.npz"),)


def test_kept_states_are_keyframes_that_the_film_command_draws(saver, state):
    last = state_of("alpha=0", pad=Pad(seeds=(1, 2, 3), x=0.25, y=0.5), psi=0.9)
    states = [dataclasses.replace(state, recipe=dataclasses.replace(state.recipe, seeds="1")), last]
    path, w = saver.keyframes(states, 2.5)
    assert (path.name, w.suffix) == ("a-x-b-swap-8-keyframes.yaml", ".npz")
    found = keyframes.read(str(path))
    assert [(frame.time, frame.schedule) for frame in found.frames] == [(0, ("swap=8",)), (2.5, ("alpha=0",))]
    models = [saver.library.model(model.path).model for model in state.recipe.models]
    keyed = Keyed(found, models, found.models, file=str(path), class_idx=None)
    moments = keyed.moments(models[1], fps=4)
    for frame, each in ((0, states[0]), (10, last)):
        np.testing.assert_allclose(moments.ws(frame), saver.painter.ws(each), atol=1e-6)


def test_keyframes_of_what_they_cannot_hold_are_refused(saver, state):
    masked = state_of("swap=8", mask="ellipse")
    with pytest.raises(InputError, match="keyframes hold no mask — keep pictures without, or film from A to B"):
        saver.keyframes([state, masked], 1)
    turned = dataclasses.replace(state.recipe, models=state.recipe.models[::-1])
    with pytest.raises(InputError, match="different models"):
        saver.keyframes([state, dataclasses.replace(state, recipe=turned)], 1)
    assert not saver.folder.exists()
