"""What a page sees is what the commands make of the same recipe."""

import dataclasses

import numpy as np
import pytest

from interp.given import view_of
from interp.masks import mask_of
from interp.mix import blend_all
from interp.replay import blend_recipe
from interp.sheets import View
from interp.studio import between
from interp.studio.library import Library
from interp.studio.painter import Painter, cut
from interp.studio.state import Pad
from stylegan_jax import values
from stylegan_jax.editing import directionfile
from stylegan_jax.errors import InputError
from stylegan_jax.names import layout_of
from stylegan_jax.sampler import map_seeds, sample_ws
from tests.interp.studio.conftest import state_of
from tests.tiny_models import tiny_model


def close(found, expected):
    """Equal but for single levels where two plans round apart."""
    difference = np.abs(found.astype(int) - expected.astype(int))
    return found.shape == expected.shape and difference.max() <= 1 and (difference == 0).mean() > 0.99


@pytest.mark.parametrize(
    "state",
    [
        state_of("swap=8", seeds="3,5-6"),
        state_of("smooth=8:width=1:invert", psi=1.0, seeds="2"),
        state_of("alpha=4=1 8=0.5 16=-0.25", kinds=("torgb=x0.5", "affine=0"), seeds="1"),
        state_of("swap=8", mapping="base", noise="base", same_w=True, seeds="1"),
    ],
    ids=repr,
)
def test_a_frame_is_the_row_of_the_sheet(painter, library, state):
    loaded = [library.model(model.path) for model in state.recipe.models]
    view = view_of(state.recipe, values.seeds(state.recipe.seeds), loaded[0].model)
    view = view.with_ws_of(loaded[0].model) if state.recipe.same_w else view
    frame = painter.frame(state, ["blend", "base", "transfer"])
    assert close(frame.pictures["blend"], view.row(blend_recipe(state.recipe, loaded)))
    assert close(frame.pictures["base"], view.row(loaded[0].model))
    assert close(frame.pictures["transfer"], view.row(loaded[1].model))
    assert frame.labels == view.labels


@pytest.mark.parametrize("more", [{"seeds": "1-2"}, {"pad": Pad(seeds=(1, 2, 3), x=0.5)}], ids=["seeds", "pad"])
def test_edits_move_the_w_of_all_pictures(painter, folder, more):
    plain = state_of("swap=8", **more)
    edited = state_of("swap=8", edits=("sefa0=2:0-3", "sefa2=-1"), directions=("found.npz",), **more)
    found = directionfile.read(folder / "found.npz", tiny_model(0).config.generator)
    step = found.edit("sefa0", 2, range(4)) + found.edit("sefa2", -1)
    np.testing.assert_allclose(painter.ws(edited), painter.ws(plain) + step, atol=1e-6)
    frames = [painter.frame(each, ["blend", "base"]) for each in (plain, edited)]
    for role in ("blend", "base"):
        assert (frames[0].pictures[role] != frames[1].pictures[role]).any()
    assert "sefa0: found in the w of tiny-0" not in str(frames[1].warnings)


STYLED = {"edits": ("b4.conv1:3=4",), "directions": ("styles.npz",)}
OTHERS = [STYLED, {"styles": ("b8.conv1:3=9",)}, {"edits": ("age=2",), "directions": ("z.npz",)}]


@pytest.mark.parametrize("more", OTHERS, ids=repr)
def test_edits_of_styles_and_of_z_are_those_of_the_sheet(painter, library, more):
    plain, edited = state_of("swap=8", seeds="0-2"), state_of("swap=8", seeds="0-2", **more)
    loaded = [library.model(model.path) for model in edited.recipe.models]
    view = View(range(3), **painter.step(edited).of_seeds)
    frame = painter.frame(edited, ["blend", "base"])
    assert close(frame.pictures["blend"], view.row(blend_recipe(edited.recipe, loaded)))
    assert close(frame.pictures["base"], view.row(loaded[0].model))
    for role, pictures in painter.frame(plain, ["blend", "base"]).pictures.items():
        assert (pictures != frame.pictures[role]).any()


def test_a_preview_is_styled_as_far_as_it_goes(painter):
    low, high = ({"styles": (f"{layer}:3=9",)} for layer in ("b8.conv1", "b16.conv1"))
    plain, moved, same = (
        painter.frame(state_of("swap=8", seeds="0", **more), ["blend"], preview=8).pictures["blend"]
        for more in ({}, low, high)
    )
    assert (moved != plain).any()
    np.testing.assert_array_equal(same, plain)


def test_the_corners_of_the_pad_are_edited_in_z(painter):
    pad = Pad(seeds=(1, 2, 3), x=1.0)
    edited = state_of("swap=8", edits=("age=2",), directions=("z.npz",), pad=pad)
    alone = state_of("swap=8", edits=("age=2",), directions=("z.npz",), seeds="2")
    np.testing.assert_allclose(painter.ws(edited), painter.ws(alone), atol=1e-6)


def test_styles_are_on_their_way_between_two_states(painter):
    first, last = state_of("swap=4", seeds="0"), state_of("swap=4", seeds="0", styles=("b8.conv1:3=8",))
    found = list(between.frames(painter, first, last, 3))
    half = state_of("swap=4", seeds="0", styles=("b8.conv1:3=4",))
    for frame, state in zip(found, (first, half, last), strict=True):
        assert close(frame, painter.frame(state, ["blend"]).pictures["blend"])


def test_directions_that_are_not_here_are_refused(painter):
    with pytest.raises(InputError, match=r"other\.npz: no such directions here"):
        painter.frame(state_of("swap=8", seeds="0", edits=("sefa0=1",), directions=("other.npz",)), ["blend"])


def test_alphas_are_those_of_every_transfer_model_at_every_resolution(folder):
    painter = Painter(Library([str(folder / f"{name}.safetensors") for name in "abc"]))
    frame = painter.frame(state_of("swap=4", "alpha=4=0 16=0.5", seeds="0"), ["blend"])
    assert frame.resolutions == (4, 8, 16)
    assert frame.alphas == [[1.0, 0.0, 0.0], [0.0, 0.25, 0.5]]


def test_the_corners_of_the_pad_are_its_seeds(painter, library):
    model = library.model("b.safetensors").model  # whose mapping swap=8 takes
    corners = map_seeds(model, (4, 5, 6), truncation_psi=0.7)
    for i, (x, y) in enumerate([(0, 0), (1, 0), (0, 1)]):
        state = state_of("swap=8", pad=Pad(seeds=(4, 5, 6), x=x, y=y))
        np.testing.assert_allclose(painter.ws(state)[0], corners[i], atol=1e-6)
    middle = state_of("swap=8", pad=Pad(seeds=(4, 5, 6), x=0.5, y=0.5))
    np.testing.assert_allclose(painter.ws(middle)[0], (corners[1] + corners[2]) / 2, atol=1e-6)


def test_a_conditional_model_asks_for_its_class(folder):
    painter = Painter(Library([str(folder / f"{name}.safetensors") for name in ("labels", "labels")]))
    names = painter.library.models
    models = tuple(
        dataclasses.replace(model, path=name)
        for model, name in zip(state_of("swap=8").recipe.models, names, strict=True)
    )
    with pytest.raises(InputError, match="class"):
        painter.frame(
            dataclasses.replace(
                state_of("swap=8"), recipe=dataclasses.replace(state_of("swap=8").recipe, models=models)
            ),
            ["blend"],
        )


def test_models_that_do_not_fit_are_refused_and_the_others_go_on(folder, state):
    painter = Painter(Library([str(folder / f"{name}.safetensors") for name in ("a", "b", "small")]))
    models = (state.recipe.models[0], dataclasses.replace(state.recipe.models[1], path="small.safetensors"))
    with pytest.raises(InputError, match="A blend needs one architecture"):
        painter.frame(dataclasses.replace(state, recipe=dataclasses.replace(state.recipe, models=models)), ["blend"])
    assert painter.frame(state, ["blend"]).pictures["blend"].shape == (2, 16, 16, 3)


def test_more_pictures_than_a_page_shows_are_refused(painter):
    with pytest.raises(InputError, match="17 seeds are too many"):
        painter.frame(state_of("swap=8", seeds="0-16"), ["blend"])


def test_a_role_that_is_none_is_refused(painter, state):
    with pytest.raises(InputError, match="not a source"):
        painter.frame(state, ["transfer2"])


def test_nothing_compiles_while_a_handle_is_dragged(painter, state):
    painter.frame(state, ["blend", "base", "transfer"])
    programs = painter.renderer(state.recipe).programs
    before = [program._cache_size() for program in programs]
    for alpha in np.linspace(-0.5, 1.5, 9):
        painter.frame(state_of(f"alpha=4=1 8={alpha} 16=0", seeds="0-1"), ["blend"])
    assert [program._cache_size() for program in programs] == before


def test_a_preview_is_what_the_blocks_up_to_its_resolution_have_drawn(painter, state):
    frame = painter.frame(state, ["blend"], preview=8)
    assert frame.pictures["blend"].shape == (2, 8, 8, 3)
    mixed = blend_all(tiny_model(0), [(tiny_model(1), "swap=8")])
    smaller = cut(mixed, 8)
    ws = map_seeds(mixed, [0, 1], truncation_psi=0.7)
    expected = np.concatenate(list(sample_ws(smaller, ws[:, : smaller.config.generator.num_ws])))
    assert close(frame.pictures["blend"], expected)


def test_a_generator_cut_at_a_resolution_has_the_layout_of_such_a_generator():
    smaller = cut(tiny_model(0), 8)
    found = {name: leaf.shape for name, leaf in smaller.networks["G_ema"].items()}
    assert found == dict(layout_of(smaller.config, "G_ema"))


def test_the_way_between_two_states_begins_and_ends_with_them(painter):
    first = state_of("swap=4", seeds="0", kinds=("torgb=x0.5",), mapping="base", noise="base")
    last = state_of("alpha=0.75", seeds="1", mapping="base", noise="base")
    found = list(between.frames(painter, first, last, 5))
    assert len(found) == 5
    for state, pictures in ((first, found[0]), (last, found[-1])):
        np.testing.assert_array_equal(pictures, painter.frame(state, ["blend"]).pictures["blend"])


@pytest.mark.parametrize(
    ("last", "what"),
    [
        (state_of("swap=4", "alpha=0", seeds="0"), "blends of different models"),
        (state_of("swap=4", seeds="0-2"), "1 pictures against 3"),
        (state_of("swap=4", seeds="0", kinds=("torgb=0.5",)), "torgb=0.5: only one of the two fixes this share"),
    ],
    ids=["models", "numbers", "kinds"],
)
def test_states_that_nothing_lies_between_are_refused(painter, last, what):
    with pytest.raises(InputError, match=what):
        list(between.frames(painter, state_of("swap=4", seeds="0"), last, 3))


@pytest.mark.parametrize("more", [{"seeds": "1-2"}, {"seeds": "1", "mask_at": 8}])
def test_a_mask_shows_the_base_outside_and_the_sheets_row_is_the_same(painter, library, more):
    state = state_of("swap=8", mask="ellipse=0.5,0.5,0.2,0.2:soft=0", **more)
    loaded = [library.model(model.path) for model in state.recipe.models]
    view = view_of(state.recipe, values.seeds(state.recipe.seeds), loaded[0].model)
    mask = mask_of(state.recipe, loaded[0].model.config.generator)
    assert mask is not None
    expected = view.masked_row(loaded[0].model, blend_recipe(state.recipe, loaded), mask.pyramid())
    frame = painter.frame(state, ["blend", "base"])
    assert close(frame.pictures["blend"], expected)
    outside = (frame.pictures["blend"] == frame.pictures["base"])[:, :2].mean()
    assert outside == 1 if "mask_at" not in more else outside < 1
    (first, *_) = between.frames(painter, state, state, 2)
    assert close(first, expected)


def test_a_mask_is_cut_with_a_preview_and_no_file_is_opened_for_a_page(painter, folder):
    state = state_of("swap=8", seeds="0", mask="ellipse", mask_at=16)
    assert painter.frame(state, ["blend"], preview=8).pictures["blend"].shape[1] == 8
    (folder / "face.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"face.png: is a mask in a file, and a page shows ellipses alone"):
        painter.frame(state_of("swap=8", seeds="0", mask=str(folder / "face.png")), ["blend"])
