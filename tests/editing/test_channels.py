"""Style channels: their deviations, edits of single ones, and those that tell sets or regions apart."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from stylegan_jax.editing import channels, directionfile, regions
from stylegan_jax.editing.directions import Directions, parse_style
from stylegan_jax.editing.edits import step_along, step_of
from stylegan_jax.editing.finding import sefa
from stylegan_jax.errors import InputError
from stylegan_jax.sampler import map_seeds, sample_ws, stylespace
from tests.tiny_models import tiny_model

NAMES = [f"{layer}:{i}" for layer, n in stylespace.layers(tiny_model().config.generator).items() for i in range(n)]


@pytest.fixture(scope="module")
def model():
    return tiny_model(1)


@pytest.fixture(scope="module")
def local():
    """A model in whose const one channel is there in one corner alone, and loud."""
    model = tiny_model(3)
    const = model.networks["G_ema"]["synthesis.b4.const"].copy()
    const[3] = 0
    const[3, 3, 0] = 20
    networks = {"G_ema": {**model.networks["G_ema"], "synthesis.b4.const": const}}
    return dataclasses.replace(model, networks=networks)


CORNER = np.zeros((16, 16), np.float32)
CORNER[8:, :8] = 1


@pytest.mark.parametrize("fields", [{}, {"c_dim": 3}], ids=["plain", "conditional"])
def test_a_deviation_is_that_of_the_styles_of_many_seeds(fields):
    model = tiny_model(2, **fields)
    ws = map_seeds(model, range(4096), class_idx="random" if fields else None)
    np.testing.assert_allclose(channels.deviations(model), channels.styles_of(model, ws).std(0), rtol=1e-3)


def test_an_edit_of_a_channel_is_so_many_deviations(model):
    edits = [parse_style("b8.conv1:3=+5"), parse_style("b4.conv1:0=-1"), parse_style("b8.conv1:3=-2")]
    shift, spread = channels.shift_of(edits, model), channels.deviations(model)
    expected = dict.fromkeys(NAMES, 0.0) | {"b8.conv1:3": 3 * spread[27], "b4.conv1:0": -spread[0]}
    assert NAMES[27] == "b8.conv1:3"
    np.testing.assert_allclose(shift, [*expected.values()], rtol=1e-6)


@pytest.mark.parametrize(
    "text", ["", "b8.conv1=2", "b8.conv1:3", "b8.conv1:3=", "b8.conv1:x=2", ":3=2", "b8.conv1:3=x"]
)
def test_what_is_no_edit_of_a_channel_is_refused(text):
    with pytest.raises(InputError, match="--style"):
        parse_style(text)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("b32.conv1:3=1", "no such layer — use b4.conv1, b4.torgb, b8.conv0"),
        ("b8.conv1:8=1", "use b8.conv1:0 to b8.conv1:7"),
    ],
)
def test_channels_that_are_not_there_are_refused(model, text, what):
    with pytest.raises(InputError, match=what):
        step_of([], [], model, styles=[text])


def test_the_channels_that_tell_two_sets_apart_are_those_of_the_largest_theta(model):
    ws = map_seeds(model, range(60))
    sets = ws[:30], ws[30:] + np.float32(0.2)
    found = channels.between(model, *sets, 5)
    styles = [channels.styles_of(model, each) for each in sets]
    difference = styles[1].mean(0) - styles[0].mean(0)
    theta = np.abs(difference) / np.concatenate(styles).std(0)
    best = np.argsort(-theta)[:5]
    assert found.names == tuple(NAMES[index] for index in best)
    np.testing.assert_allclose(found.card["theta"], theta[best], rtol=1e-6)
    for index, step in zip(best, found.vectors[:, 0], strict=True):
        assert np.flatnonzero(step).tolist() == [index] and step[index] == np.sign(difference[index])


def test_sets_of_the_same_styles_have_no_channels_between_them(model):
    with pytest.raises(InputError, match="the same styles"):
        channels.between(model, map_seeds(model, [1]), map_seeds(model, [1]))


def test_the_channel_that_acts_in_one_corner_is_found_there(local):
    found = regions.find(local, map_seeds(local, range(2)), CORNER, 3)
    assert found.names[0] == "b4.conv1:3" and found.space == "style"
    assert found.card["inside"][0] > 2 * found.card["outside"][0]


def test_gradients_choose_what_measuring_all_channels_would(local):
    ws = map_seeds(local, range(2))
    everything = regions.measured(local, ws, CORNER, np.arange(len(NAMES)))
    best = [NAMES[index] for index in regions._best(*everything, 3)]
    assert set(regions.find(local, ws, CORNER, 3).names) >= set(best[:2])


def test_a_change_is_measured_as_it_is_seen(local):
    ws = map_seeds(local, range(2))
    (inside,), (outside,) = regions.measured(local, ws, CORNER, np.array([3]))
    plain = np.concatenate([*sample_ws(local, ws)]).astype(float)
    changes = []
    for strength in (-3, 3):
        shift = step_of([], [], local, styles=[f"b4.conv1:3={strength}"]).shift
        changes.append(np.abs(np.concatenate([*sample_ws(local, ws, shift=shift)]) - plain))
    heat = np.mean(changes, (0, 1, 4))
    assert inside == pytest.approx(heat[8:, :8].mean(), rel=1e-4)
    assert outside == pytest.approx(heat[CORNER == 0].mean(), rel=1e-4)


def test_a_region_is_a_picture_of_any_size(tmp_path):
    Image.fromarray(np.kron(CORNER, np.full((5, 5), 255)).astype(np.uint8)).save(tmp_path / "mask.png")
    np.testing.assert_array_equal(regions.read(tmp_path / "mask.png", (16, 16)), CORNER)


def test_a_region_may_be_what_a_picture_covers(tmp_path):
    alpha = np.kron(CORNER, np.full((2, 2), 255)).astype(np.uint8)
    Image.fromarray(np.stack([np.zeros_like(alpha)] * 3 + [alpha], -1)).save(tmp_path / "mask.png")
    np.testing.assert_array_equal(regions.read(tmp_path / "mask.png", (16, 16)), CORNER)


@pytest.mark.parametrize(("grey", "what"), [(0, "is all black"), (255, "is all white")])
def test_a_region_that_is_none_is_refused(tmp_path, grey, what):
    Image.new("L", (8, 8), grey).save(tmp_path / "mask.png")
    with pytest.raises(InputError, match=what):
        regions.read(tmp_path / "mask.png", (16, 16))


def in_z(count=1, width=16):
    vectors = np.arange(count * width, dtype=np.float32).reshape(count, 1, width)
    names = tuple(f"z{i}" for i in range(count))
    return Directions(names, vectors, np.ones(count, np.float32), np.ones((count, 1), bool), {"space": "z"})


@pytest.mark.parametrize("space", ["z", "style"])
def test_a_file_of_directions_knows_their_space(model, tmp_path, space):
    found = in_z(2) if space == "z" else channels.along(model, np.array([3, 40]), [1.0, -1.0], {})
    directionfile.write(tmp_path / "d.npz", found)
    again = directionfile.read(tmp_path / "d.npz", model.config.generator)
    assert again.space == space and again.names == found.names
    np.testing.assert_array_equal(again.vectors, found.vectors)
    with pytest.raises(InputError, match="use the model they were found in"):
        directionfile.read(tmp_path / "d.npz", tiny_model(img_resolution=8, z_dim=8).config.generator)


def test_a_space_that_nobody_knows_is_refused(model, tmp_path):
    directionfile.write(tmp_path / "d.npz", dataclasses.replace(in_z(), card={"space": "x"}))
    with pytest.raises(InputError, match="is no whole file of directions"):
        directionfile.read(tmp_path / "d.npz", model.config.generator)


@pytest.mark.parametrize("shape", [(16,), (1, 16)])
def test_a_boundary_of_another_program_is_read_as_one_of_z(model, tmp_path, shape):
    np.save(tmp_path / "age.npy", np.linspace(0, 1, 16, dtype=np.float32).reshape(shape))
    found = directionfile.read(tmp_path / "age.npy", model.config.generator, "z")
    assert found.space == "z" and found.names == ("age",) and found.vectors.shape == (1, 1, 16)


def test_edits_of_all_spaces_add_up_each_in_its_own(model):
    w, style = sefa(model, 2), channels.along(model, np.array([3]), [-1.0], {})
    texts = ["sefa0=2", "z0=3", "b4.conv1:3=1", "sefa1=-1:0-2", "z1=1"]
    step = step_along(texts, [w, in_z(2), style], model, styles=["b4.conv1:3=5"])
    np.testing.assert_array_equal(step.vector, w.edit("sefa0", 2) + w.edit("sefa1", -1, [0, 1, 2]))
    np.testing.assert_array_equal(step.z, 3 * np.arange(16) + np.arange(16, 32))
    assert step.shift is not None and np.flatnonzero(step.shift).tolist() == [3]
    assert step.shift[3] == pytest.approx(4 * channels.deviations(model)[3], rel=1e-6)


def test_without_edits_nothing_is_moved(model):
    assert step_of([], [], model) == (None, None, None, ())


def test_ws_have_no_z_to_be_edited(model):
    with pytest.raises(InputError, match="z0: goes along z, which ws no longer have — show seeds"):
        step_along(["z0=1"], [in_z()], model, seeds=False)


@pytest.mark.parametrize("found", [in_z(), channels.along(tiny_model(1), np.array([3]), [1.0], {})], ids=["z", "style"])
def test_z_and_styles_take_no_layers(model, found):
    with pytest.raises(InputError, match="takes no layers"):
        found.edit(found.names[0], 1.0, [0])


def test_channels_of_another_model_are_warned_of(model):
    found = channels.along(tiny_model(2), np.array([3]), [1.0], {})
    (warning,) = step_along(["b4.conv1:3=1"], [found], model).warnings
    assert warning.startswith("b4.conv1:3: found in the styles of tiny-2, another mapping network")


@pytest.mark.parametrize("const_size", [(4, 6), (8, 8)])
def test_a_region_is_of_the_size_of_the_models_images(tmp_path, const_size):
    Image.fromarray(np.array([[255, 255], [0, 0]], np.uint8)).save(tmp_path / "mask.png")
    model = tiny_model(3, const_size=const_size)
    region = regions.read(tmp_path / "mask.png", model.config.generator.image_size)
    assert region.shape == (4 * const_size[0], 4 * const_size[1])
    found = regions.find(model, map_seeds(model, range(1)), region, 2)
    assert len(found.names) == 2 and min(found.card["inside"]) > 0
