"""Models that are given another resolution or other colours make the pictures that they made before."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

import convert
from convert.__main__ import main
from convert.recolouring import LUMINANCE, recoloured
from convert.resizing import resized
from convert.surgery import Surgery
from stylegan_jax.commands import cli
from stylegan_jax.config import ModelConfig
from stylegan_jax.errors import InputError
from stylegan_jax.filters import DEFAULT_FILTER, setup_filter
from stylegan_jax.names import differences, layout_of
from stylegan_jax.networks import generators
from stylegan_jax.networks.discriminator import discriminator
from stylegan_jax.networks.resampling import downsample2d, upsample2d
from stylegan_jax.pictures.images import to_uint8
from stylegan_jax.storage import checkpoint
from tests.convert.test_official_write import assert_same
from tests.tiny_models import random_weights, tiny_model

WS = np.random.RandomState(0).standard_normal((2, 12, 16)).astype(np.float32)
FIR = setup_filter(DEFAULT_FILTER)


def on_device(model, network):
    return {name: jnp.asarray(leaf) for name, leaf in model.networks[network].items()}


def steps(model):
    """Resolution → image of G_ema up to there."""
    config = model.config.generator
    synthesis = generators.synthesis(config, on_device(model, "G_ema"))
    return {r: np.asarray(img) for r, _, img in synthesis.steps(jnp.asarray(WS[:, : config.num_ws])) if img is not None}


def image(model):
    return steps(model)[model.config.generator.img_resolution]


def score(model, images):
    return np.asarray(discriminator(model.config.of("D"), on_device(model, "D"))(jnp.asarray(images)))


def pictures(*shape):
    return np.random.RandomState(1).uniform(-1, 1, shape).astype(np.float32)


def with_d(model, **fields):
    """The model with another discriminator."""
    config = ModelConfig(
        generator=model.config.generator, discriminator=dataclasses.replace(model.config.of("D"), **fields)
    )
    return dataclasses.replace(model, config=config, networks={**model.networks, "D": random_weights(config, "D", 5)})


def is_whole(model):
    lines = [line for n, leaves in model.networks.items() for line in differences(leaves, layout_of(model.config, n))]
    return not lines and all(leaf.dtype == np.float32 for each in model.networks.values() for leaf in each.values())


@pytest.mark.parametrize("resolution", [4, 8, 16])
def test_a_cut_generator_makes_to_the_bit_what_it_had_summed_up_to_there(resolution):
    original = tiny_model(discriminator=True, img_resolution=32)
    cut, notes = resized(original, resolution)
    np.testing.assert_array_equal(image(cut), steps(original)[resolution])
    assert is_whole(cut) and cut.config.generator.num_ws == 2 * (resolution.bit_length() - 2)
    assert list(cut.networks) == (["G", "D", "G_ema"] if resolution >= 8 else ["G", "G_ema"])
    said = f"D: fresh (seed 0): b{resolution}.fromrgb" if resolution >= 8 else "D is left out: the smallest is of 8×8"
    assert notes == [said]


def test_a_grown_generator_makes_to_the_bit_its_image_enlarged():
    original = tiny_model(discriminator=True)
    grown, notes = resized(original, 64)
    enlarged = upsample2d(upsample2d(jnp.asarray(image(original)), FIR), FIR)
    np.testing.assert_array_equal(image(grown), enlarged)
    assert is_whole(grown) and image(grown).shape == (2, 64, 64, 3)
    assert "G_ema: fresh (seed 0): b32.conv0, b32.conv1, b32.torgb, b64.conv0, b64.conv1, b64.torgb" in notes
    for name in ("b64.conv0.weight", "b64.conv1.noise_const", "b32.conv0.affine.weight"):
        ours, theirs = (grown.networks[network][f"synthesis.{name}"] for network in ("G", "G_ema"))
        np.testing.assert_array_equal(ours, theirs)
        assert 0.8 < ours.std() < 1.2
    assert (grown.networks["G"]["synthesis.b64.conv0.affine.bias"] == 1).all()


def test_growing_and_cutting_gives_the_generator_back():
    original = tiny_model(discriminator=True)
    there_and_back = resized(resized(original, 64)[0], 16)[0]
    assert there_and_back.config.generator == original.config.generator
    for network in ("G", "G_ema"):
        for name, leaf in original.networks[network].items():
            np.testing.assert_array_equal(there_and_back.networks[network][name], leaf)


def test_a_skip_discriminator_judges_a_larger_picture_as_it_did_the_smaller_one():
    original = with_d(tiny_model(discriminator=True), architecture="skip")
    grown, _ = resized(original, 32)
    large = pictures(4, 32, 32, 3)
    np.testing.assert_array_equal(score(grown, large), score(original, downsample2d(jnp.asarray(large), FIR)))
    cut, notes = resized(grown, 16)
    assert_same(cut, original)
    assert not notes


@pytest.mark.parametrize("architecture", ["resnet", "orig"])
def test_other_discriminators_keep_their_lower_blocks(architecture):
    original = with_d(tiny_model(discriminator=True), architecture=architecture, freeze_layers=2)
    for resolution in (8, 32):
        found, _ = resized(original, resolution)
        assert is_whole(found) and np.isfinite(score(found, pictures(4, resolution, resolution, 3))).all()
        np.testing.assert_array_equal(found.networks["D"]["b8.conv1.weight"], original.networks["D"]["b8.conv1.weight"])
        assert found.config.discriminator is not None and found.config.discriminator.freeze_layers == 0


@pytest.mark.parametrize("sg3", [False, True])
@pytest.mark.parametrize(
    ("fields", "channels"),
    [
        ({"channel_max": 8, "channel_base": 256}, {8: (8, 8), 64: (8, 8, 8, 8, 4)}),
        ({"channel_table": (6, 8, 4), "channel_max": 512}, {8: (6, 8), 64: (6, 8, 4, 2, 1)}),
        ({"channel_table": (8, 8, 4), "channel_max": 512}, {8: (8, 8), 64: (8, 8, 4, 2, 1)}),
        ({"num_fp16_res": 4, "conv_clamp": 256.0, "c_dim": 3}, {8: (8, 8), 64: (8,) * 5}),
    ],
)
def test_a_resized_model_passes_through_an_official_pickle(fields, channels, sg3, tmp_path):
    for resolution, wanted in channels.items():
        found, _ = resized(tiny_model(discriminator=True, **fields), resolution)
        assert tuple(map(found.config.generator.channels, found.config.generator.resolutions)) == wanted
        assert_same(convert.read(convert.write(found, tmp_path / f"{resolution}.pkl", sg3=sg3)), found)


@pytest.mark.parametrize(("resolution", "top"), [(12, 1024), (16, 1024), (0, 1024), (2048, 1024), (1024, 512)])
def test_impossible_sizes_are_refused_with_those_that_are_possible(resolution, top):
    original = tiny_model(channel_base=top, channel_max=8)
    with pytest.raises(InputError, match=f"not a size to resize this model to — use 4, 8, 32, 64, .*{top}$"):
        resized(original, resolution)


@pytest.mark.parametrize("architecture", ["resnet", "orig"])
@pytest.mark.parametrize("resolution", [8, 32])
def test_a_generator_with_a_single_torgb_is_sent_to_training(architecture, resolution):
    with pytest.raises(InputError, match=f"{architecture}.* fine-tune it .* --resolution {resolution}"):
        resized(tiny_model(architecture=architecture), resolution)


ARCHITECTURES = ["skip", "resnet", "orig"]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_grey_model_makes_the_luminance_of_its_pictures(architecture):
    original = tiny_model(discriminator=True, architecture=architecture)
    grey, notes = recoloured(original, "grey")
    assert is_whole(grey) and image(grey).shape == (2, 16, 16, 1) and not notes
    expected = image(original).astype(np.float64) @ np.array(LUMINANCE)
    np.testing.assert_allclose(image(grey)[..., 0], expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_transparent_model_begins_opaque_with_the_same_pictures(architecture):
    original = tiny_model(discriminator=True, architecture=architecture, conv_clamp=256.0)
    rgba, notes = recoloured(original, "rgba")
    assert is_whole(rgba) and not notes
    made = image(rgba)
    assert (made[..., 3] == 1).all() and (to_uint8(made)[..., 3] == 255).all()
    np.testing.assert_allclose(made[..., :3], image(original), rtol=0, atol=1e-5 * np.abs(made).max())


def test_alpha_that_is_left_out_is_said():
    rgba = tiny_model(discriminator=True, img_channels=4)
    rgb, notes = recoloured(rgba, "rgb")
    np.testing.assert_allclose(image(rgb), image(rgba)[..., :3], atol=1e-4)
    assert notes == ["alpha is left out: what was transparent shows its colour"]
    assert recoloured(rgba, "rgba") == (rgba, [])


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize(
    ("old", "new", "as_seen_before"),
    [
        (3, "grey", lambda grey: np.repeat(grey, 3, -1)),
        (3, "rgba", lambda rgba: rgba[..., :3]),
        (1, "rgb", lambda rgb: (rgb @ np.array(LUMINANCE, np.float32))[..., None]),
        (1, "rgba", lambda rgba: (rgba[..., :3] @ np.array(LUMINANCE, np.float32))[..., None]),
    ],
)
def test_a_recoloured_discriminator_judges_as_it_did_the_old_colours(architecture, old, new, as_seen_before):
    original = with_d(tiny_model(discriminator=True, img_channels=old), architecture=architecture)
    found, _ = recoloured(original, new)
    shown = pictures(4, 16, 16, found.config.of("D").img_channels)
    expected = score(original, as_seen_before(shown))
    np.testing.assert_allclose(score(found, shown), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("architecture", ["resnet", "orig"])
def test_of_opaque_pictures_a_discriminator_of_transparent_ones_thinks_the_same_without_alpha(architecture):
    original = with_d(tiny_model(discriminator=True, img_channels=4), architecture=architecture)
    shown = pictures(4, 16, 16, 3)
    opaque = np.concatenate([shown, np.ones_like(shown[..., :1])], -1)
    found, _ = recoloured(original, "rgb")
    np.testing.assert_allclose(score(found, shown), score(original, opaque), rtol=1e-4, atol=1e-4)


def test_grey_pictures_are_repeated_and_come_back_as_they_were():
    grey = tiny_model(discriminator=True, img_channels=1)
    rgb, _ = recoloured(grey, "rgb")
    np.testing.assert_allclose(image(rgb), np.repeat(image(grey), 3, -1), rtol=1e-4, atol=1e-5)
    back, _ = recoloured(rgb, "grey")
    assert back.config == grey.config
    np.testing.assert_allclose(image(back), image(grey), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("channels", ["grey", "rgba"])
def test_a_recoloured_model_passes_through_an_official_pickle(channels, tmp_path):
    found, _ = recoloured(tiny_model(discriminator=True), channels)
    assert_same(convert.read(convert.write(found, tmp_path / "x.pkl")), found)


def run(*arguments):
    return cli.run(main, "python -m convert", [str(argument) for argument in arguments])


def test_the_command_does_both_and_tells_it_and_knows_what_it_did(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    convert.write(tiny_model(discriminator=True), "x.pkl")
    asked = ("x.pkl", "y.safetensors", "--resize", 8, "--channels", "grey")
    assert run(*asked) == 0
    found = checkpoint.load("y.safetensors")
    assert_same(found, Surgery(8, "grey")(convert.read("x.pkl")))
    assert found.lineage["surgery"] == ["resize 8", "channels grey"]
    shown = capsys.readouterr().out
    assert "8×8" in shown and "note: D: fresh (seed 0): b8.fromrgb" in shown
    assert run(*asked) == 0 and capsys.readouterr().out == "y.safetensors: up to date\n"
    assert run(*asked[:-2]) == 2 and run("x.pkl", "y.safetensors") == 2, "another model lies there"
    capsys.readouterr()
    assert run("x.pkl", "--describe", "--resize", 8) == 0 and "8×8 RGB" in capsys.readouterr().out
    assert run("y.safetensors", "z.safetensors", "--channels", "rgb") == 0
    assert checkpoint.load("z.safetensors").lineage["surgery"] == ["resize 8", "channels grey", "channels rgb"]


def test_nothing_is_changed_unless_it_is_asked_for():
    original = tiny_model()
    assert Surgery()(original) is original
