"""Models whose images are not square: made from square ones, and what else can be done with them."""

import dataclasses
import itertools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import convert
import stylegan_jax as sj
from convert.__main__ import main
from convert.reshaping import WAYS, reshaped
from convert.surgery import Surgery
from interp.mix import blend
from interp.schedules import swap
from stylegan_jax.commands import cli
from stylegan_jax.config import SQUARE, ModelConfig
from stylegan_jax.errors import InputError
from stylegan_jax.names import differences, layout_of
from stylegan_jax.networks import generators
from stylegan_jax.projection.project import project
from stylegan_jax.projection.schooling import Schooling, school
from stylegan_jax.sampler import sample
from stylegan_jax.sampler.prepared import covers, multiplications
from stylegan_jax.storage import checkpoint
from tests.convert.test_official_write import assert_same
from tests.tiny_models import tiny_model

CONST, NOISE = "synthesis.b4.const", "synthesis.b16.conv1.noise_const"


@pytest.fixture(scope="module")
def wide():
    return reshaped(tiny_model(discriminator=True), "20x16", "reflect")[0]


def synthesis(model):
    weights = {name: jnp.asarray(leaf) for name, leaf in model.networks["G_ema"].items()}
    return generators.synthesis(model.config.generator, weights)


WS = jnp.asarray(np.random.RandomState(0).standard_normal((2, 6, 16)).astype(np.float32))


@pytest.mark.parametrize(
    "size, const_size", [("20x16", (4, 5)), ("16×24", (6, 4)), ("12x28", (7, 3)), ("64x64", (16, 16))]
)
def test_a_model_has_the_size_that_is_asked_for(size, const_size):
    original = tiny_model(discriminator=True)
    found, notes = reshaped(original, size, "tile")
    assert found.config.generator == dataclasses.replace(original.config.generator, const_size=const_size)
    assert list(found.networks) == ["G", "G_ema"] and found.config.discriminator is None
    assert notes == ["noise is fresh (seed 0) around the middle", "D is left out: it judges squares"]
    for network, leaves in found.networks.items():
        assert not differences(leaves, layout_of(found.config, network))
        assert all(leaf.dtype == np.float32 for leaf in leaves.values())
    height, width = found.config.generator.image_size
    assert f"{width}x{height}" == size.replace("×", "x")
    assert next(sample(found, [0])).shape == (1, height, width, 3)


@pytest.mark.parametrize(
    "way, columns",
    [("reflect", [1, 0, 0, 1, 2, 3, 3, 2]), ("tile", [2, 3, 0, 1, 2, 3, 0, 1]), ("pad", [0, 0, 0, 1, 2, 3, 3, 3])],
)
def test_the_learned_input_is_extended_on_both_sides(way, columns):
    original = tiny_model()
    found = reshaped(original, "32x16", way)[0].networks["G_ema"][CONST]
    np.testing.assert_array_equal(found, original.networks["G_ema"][CONST][:, :, columns])
    cut = reshaped(original, "8x16", way)[0].networks["G_ema"][CONST]
    np.testing.assert_array_equal(cut, original.networks["G_ema"][CONST][:, :, 1:3])


def test_a_stretched_input_keeps_its_ends_and_its_mean():
    const = tiny_model().networks["G_ema"][CONST]
    found = reshaped(tiny_model(), "32x16", "resize")[0].networks["G_ema"][CONST]
    np.testing.assert_allclose(found[..., [0, -1]], const[..., [0, -1]], rtol=1e-6)
    np.testing.assert_allclose(found.mean(), const.mean(), atol=1e-6)


def test_noise_stays_in_the_middle_and_is_fresh_and_as_strong_around_it():
    original = tiny_model(discriminator=True, img_resolution=64)
    found, _ = reshaped(original, "128x96", "pad")
    name = "synthesis.b64.conv1.noise_const"
    for network in ("G", "G_ema"):
        noise = found.networks[network][name]
        np.testing.assert_array_equal(noise[16:80, 32:96], original.networks[network][name])
        assert noise.shape == (96, 128) and 0.9 < noise[:16].std() < 1.1
    np.testing.assert_array_equal(found.networks["G"][name][:16], found.networks["G_ema"][name][:16])


@pytest.mark.parametrize("way", ["reflect", "tile", "pad"])
def test_back_at_its_old_size_a_generator_is_the_old_one(way):
    original = tiny_model()
    assert_same(reshaped(reshaped(original, "24x32", way)[0], "16x16", way)[0], original)
    assert reshaped(original, "16x16", way) == (original, [])


def test_far_from_the_new_parts_the_picture_is_the_old_one():
    """The reach of the convolutions of three blocks is some 40 pixels; of a 4 times as wide input less is in sight."""
    original = tiny_model(use_noise=False)
    long, _ = reshaped(original, "256x16", "tile")
    made, again = (np.asarray(synthesis(long)(WS))[:, :, at : at + 16] for at in (112, 128))
    np.testing.assert_allclose(made, again, atol=1e-4 * np.abs(made).max())


def test_random_noise_has_the_size_of_each_layer(wide):
    drawn = synthesis(wide).draw_noise(jax.random.split(jax.random.key(0), 2))
    assert {name: image.shape for name, image in drawn.items()} == {
        "b4.conv1": (2, 4, 5),
        **dict.fromkeys(("b8.conv0", "b8.conv1"), (2, 8, 10)),
        **dict.fromkeys(("b16.conv0", "b16.conv1"), (2, 16, 20)),
    }
    pictures = [next(sample(wide, [3], noise=mode)) for mode in ("random", "const", "none")]
    assert all((one != two).any() for one, two in itertools.pairwise(pictures))


def test_the_prepared_plan_leaves_it_to_the_plain_one(wide):
    square = tiny_model().config.generator
    assert covers(square) and not covers(wide.config.generator)
    assert multiplications(wide.config.generator) == 1.25 * multiplications(square)
    with pytest.raises(InputError, match="no prepared plan: only square"):
        next(sample(wide, [0], plan="prepared"))


@pytest.mark.parametrize("place", ["x.safetensors", "x"])
def test_it_is_saved_and_read_again(wide, place, tmp_path):
    checkpoint.save(wide, tmp_path / place)
    found = checkpoint.load(tmp_path / place)
    assert_same(found, wide)
    assert repr(found).startswith("<Model 'tiny-0': 20×16, ")


def test_a_square_model_says_nothing_of_its_size_as_it_always_has():
    assert "const_size" not in json.dumps(tiny_model().config.to_json())


@pytest.mark.parametrize("size", [[4], [4, 0], [4, -5], [4, 65], [17, 16], [4, 5.0], "45", None, [True, 4], [[4], 5]])
def test_a_stored_size_that_no_model_has_is_refused(size, wide):
    data = wide.config.to_json()
    with pytest.raises(ValueError, match="const_size is no value of a network"):
        ModelConfig.from_json({**data, "generator": {**data["generator"], "const_size": size}})


@pytest.mark.parametrize(
    "size, message",
    [
        ("", "--size-by goes with --size — pass --size too, such as --size 20x16"),
        ("wide", "--size wide: is no size"),
        ("20", "is no size"),
        ("20x16x3", "is no size"),
        ("-20x16", "is no size"),
        ("21x16", "sides are multiples of 4 pixels — use 20x16"),
        ("0x16", "sides are multiples of 4 pixels — use 4x16"),
        ("260x16", "is too large for a model of resolution 16 — use 64x64, or no more pixels than that"),
        ("68x64", "is too large"),
        ("999999x999999", "is too large"),
    ],
)
def test_an_impossible_size_is_refused_with_one_that_is_possible(size, message):
    with pytest.raises(InputError, match=message):
        reshaped(tiny_model(), size, "tile")


@pytest.mark.parametrize("suffix", [".pkl", ".pt"])
def test_programs_of_squares_get_none(wide, suffix, tmp_path):
    with pytest.raises(InputError, match=r"write a \.safetensors or a folder"):
        convert.write(wide, tmp_path / f"x{suffix}")
    assert not list(tmp_path.iterdir())


def test_two_of_one_size_are_blended_and_others_are_refused(wide):
    other = reshaped(tiny_model(1, discriminator=True), "20x16", "tile")[0]
    mixed = blend(wide, other, swap(8))
    np.testing.assert_array_equal(mixed.networks["G_ema"][CONST], other.networks["G_ema"][CONST])
    assert next(sample(mixed, [0])).shape == (1, 16, 20, 3)
    with pytest.raises(InputError, match=r"const_size: \(4, 5\) vs \(4, 4\)") as refused:
        blend(wide, tiny_model(1), swap(8))
    assert "slim at 20×16 (channel_base 32768)" in str(refused.value) and "blend models of one size" in str(
        refused.value
    )


def test_a_sheet_has_cells_of_its_shape(wide):
    sheet = np.asarray(sj.sheet(wide, range(2), psi=1))
    assert sheet.shape[1] > 2 * 6 * 20 and sheet.ndim == 3
    assert sj.sample(wide, []).shape == (0, 16, 20, 3)


def test_it_is_resized_and_recoloured_too(wide):
    found = Surgery(resize=8, channels="grey", size="20x8")(wide)
    assert next(sample(found, [0])).shape == (1, 8, 20, 1)
    grown = Surgery(resize=32)(wide)
    assert grown.config.generator.image_size == (32, 40)
    assert not differences(grown.networks["G_ema"], layout_of(grown.config, "G_ema"))


def test_what_takes_squares_says_so(wide):
    with pytest.raises(InputError, match="20×16: a projection takes square ones — use the square model"):
        project(wide, np.zeros((1, 16, 16, 3), np.uint8))
    with pytest.raises(InputError, match="an encoder takes square ones"):
        next(school(wide, Schooling()))


def test_the_command_makes_one_and_samples_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    convert.write(tiny_model(), "x.pkl")
    assert cli.run(main, "convert", ["x.pkl", "y", "--size", "20x16", "--size-by", "tile"]) == 0
    assert "20×16" in capsys.readouterr().out
    assert sj.load("y").lineage["surgery"] == ["size 20x16", "size-by tile"]
    assert cli.run(main, "convert", ["y", "--describe"]) == 0
    assert "20×16 RGB" in capsys.readouterr().out


def test_every_way_makes_a_matrix_whose_rows_add_up_to_one():
    for way in WAYS.values():
        for old, new in ((4, 4), (4, 5), (4, 11), (5, 3), (1, 4)):
            matrix = way(old, new)
            assert matrix.shape == (new, old)
            np.testing.assert_allclose(matrix.sum(1), 1, rtol=1e-12)
    assert SQUARE == (4, 4)
