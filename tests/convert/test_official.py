"""Official pickles are read as torch reads them, understood, or refused with every culprit."""

import dataclasses
import math

import numpy as np
import pytest

import convert
from convert import official, reading
from convert.assembly import assemble
from convert.pickles import unpickle
from stylegan_jax.errors import InputError
from tests import official_programs
from tests.golden_data import golden, manifest_entry
from tests.golden_networks import PAIRED, model
from tests.tiny_models import tiny_model

ALL = (*PAIRED, "s09_transfer64")


def tree_of(path):
    return unpickle.load(memoryview(path.read_bytes()))


def model_of(tree, networks=None):
    return assemble(reading.recognise(tree), networks, file_size=10**9)


def module(tree, network, path):
    found = tree[network]
    for name in path.split("."):
        found = found.state["_modules"][name]
    return found


@pytest.mark.parametrize("name", ALL)
def test_every_tensor_is_the_one_that_torch_loads(name, monkeypatch):
    torch = pytest.importorskip("torch")
    loaded = official_programs.load(golden(f"gen/{name}.pkl"), monkeypatch)
    for network in ("G", "D", "G_ema"):
        expected = loaded[network].tensors()
        found = model(name).networks[network]
        assert set(found) == set(expected)
        for key, tensor in expected.items():
            assert torch.equal(torch.from_numpy(found[key]), tensor.detach()), f"{network}.{key}"


@pytest.mark.parametrize("name", ALL)
def test_configuration_is_what_the_networks_were_made_with(name):
    entry = manifest_entry(f"gen/{name}.pkl")
    if "G_kwargs" not in entry:
        pytest.skip("the manifest beside the committed goldens does not hold the arguments")
    config = model(name).config
    wanted = flat(entry["G_kwargs"], {"num_layers": "mapping_layers"})
    assert {key: getattr(config.generator, key) for key in wanted} == wanted
    wanted = flat(entry["D_kwargs"], {"num_layers": "mapping_layers"})
    assert {key: getattr(config.discriminator, key) for key in wanted} == wanted


def flat(kwargs, renamed):
    found = {}
    for key, value in kwargs.items():
        if isinstance(value, dict):
            found |= flat(value, renamed)
        elif key not in ("fp16_channels_last", "fused_modconv_default"):
            found[renamed.get(key, key)] = tuple(value) if isinstance(value, list) else value
    return found


def test_defaults_of_the_two_repositories_are_told_apart():
    assert model("s08_sg3_64").lineage["format"] == "stylegan3"
    assert model("s08_sg3_64").config.generator.w_avg_beta == 0.998
    assert model("s01_skip32").lineage["format"] == "stylegan2-ada-pytorch"
    assert model("s01_skip32").config.generator.w_avg_beta == 0.995


def test_arrays_are_float32_of_their_own():
    for leaf in model("s14_nhwc64").networks["G"].values():
        assert leaf.dtype == np.float32 and leaf.flags.c_contiguous and leaf.flags.writeable  # a view is not writeable


def test_only_the_networks_asked_for_are_read():
    found = convert.read(golden("gen/s03_cond32.pkl"), networks=["D"])
    assert list(found.networks) == ["D"] and found.config == model("s03_cond32").config
    found = convert.read(golden("gen/s03_cond32.pkl"), networks=["G_ema"])
    assert list(found.networks) == ["G_ema"] and found.config.discriminator is None


def test_a_network_that_is_absent_is_named_with_those_that_are_there():
    with pytest.raises(InputError, match="holds G_ema, not D"):
        convert.read(golden("varieties/s16_gema_only.pkl"), networks=["D"])


@pytest.mark.parametrize("variety", ["s16_gema_only.pkl", "s16_cuda_tagged.pkl", "s16_official_names_state_dict.pt"])
def test_varieties_hold_the_same_generator(variety):
    found, expected = convert.read(golden(f"varieties/{variety}")), model("s07_noavg32")
    assert found.config.generator == expected.config.generator
    for name, leaf in expected.networks["G_ema"].items():
        np.testing.assert_array_equal(found.networks["G_ema"][name], leaf)


def test_a_bare_network_is_a_g_ema():
    tree = tree_of(golden("gen/s03_cond32.pkl"))
    found = model_of(tree["G_ema"])
    assert list(found.networks) == ["G_ema"]
    assert found.config.generator == model("s03_cond32").config.generator


def test_a_bare_discriminator_is_no_model():
    tree = tree_of(golden("gen/s03_cond32.pkl"))
    with pytest.raises(InputError, match="a discriminator only"):
        model_of(tree["D"])


def test_configuration_survives_without_arguments_and_attributes():
    """What only the tensors tell: files of forks that store no arguments."""
    tree = tree_of(golden("gen/s03_cond32.pkl"))
    for found in official.modules_of(tree["G_ema"]).values():
        found.state = {key: value for key, value in found.state.items() if key.startswith("_") and "init" not in key}
    found = model_of(tree, ["G_ema"])
    assert dataclasses.replace(found.config.generator, channel_base=512) == model("s03_cond32").config.generator


def rename(tree):
    parameters = module(tree, "G_ema", "synthesis.b8.conv0").state["_parameters"]
    parameters["bios"] = parameters.pop("bias")


def transpose(tree):
    parameters = module(tree, "G_ema", "mapping.fc0").state["_parameters"]
    parameters["weight"] = parameters["weight"].T


def shorten(tree):
    for name in ("synthesis.b16.conv1", "synthesis.b32.torgb"):
        parameters = module(tree, "G_ema", name).state["_parameters"]
        parameters["bias"] = parameters["bias"][1:]


def drop(tree):
    del module(tree, "G_ema", "synthesis.b32").state["_modules"]["conv1"]


@pytest.mark.parametrize(
    ("damage", "culprits"),
    [
        (
            rename,
            ["synthesis.b8.conv0.bias: missing, expected (24,)", "synthesis.b8.conv0.bios: (24,), expected no such"],
        ),
        (transpose, ["mapping.fc0.weight: (80, 48), expected (48, 80)"]),
        (shorten, ["synthesis.b16.conv1.bias: (23,)", "synthesis.b32.torgb.bias: (2,), expected (3,)"]),
        (
            drop,
            ["synthesis.b32.conv1.affine.bias: missing", "synthesis.b32.conv1.noise_const: missing, expected (32, 32)"],
        ),
    ],
)
def test_every_tensor_that_does_not_fit_is_named(damage, culprits):
    tree = tree_of(golden("gen/s03_cond32.pkl"))
    damage(tree)
    with pytest.raises(InputError) as refusal:
        model_of(tree)
    for culprit in culprits:
        assert culprit in str(refusal.value)


def test_arguments_that_contradict_the_tensors_are_shown_with_them():
    tree = tree_of(golden("gen/s03_cond32.pkl"))
    tree["G_ema"].state["_init_kwargs"]["synthesis_kwargs"]["channel_max"] = 16
    tree["G_ema"].state["_init_kwargs"]["z_dim"] = tree["G_ema"].state["z_dim"] = 33
    with pytest.raises(InputError) as refusal:
        model_of(tree)
    assert "z_dim: 33 stored, 32 by its tensors" in str(refusal.value)
    assert "channels: (16, 16, 16, 16) stored, (24, 24, 24, 16) by its tensors" in str(refusal.value)


def test_arguments_that_contradict_attributes_are_shown_with_them():
    tree = tree_of(golden("gen/s03_cond32.pkl"))
    module(tree, "D", "b4").state["cmap_dim"] = 3
    tree["D"].state["_init_kwargs"]["cmap_dim"] = 24
    with pytest.raises(InputError, match=r"cmap_dim: 24 by its arguments, 3 by b4.cmap_dim"):
        model_of(tree)


@pytest.mark.parametrize(
    ("path", "attribute", "value"),
    [
        ("mapping", "num_layers", 10**9),
        ("mapping", "num_layers", "eight"),
        ("synthesis.b4", "architecture", "progressive"),
        ("synthesis.b4.conv1", "activation", ["lrelu"]),
        ("synthesis.b4.conv1", "conv_clamp", math.nan),
        ("mapping.fc0", "bias_gain", 0.0),
        ("synthesis.b4.conv1", "use_noise", 1),
    ],
)
def test_absurd_settings_are_refused(path, attribute, value):
    tree = tree_of(golden("gen/s03_cond32.pkl"))
    module(tree, "G_ema", path).state[attribute] = value
    with pytest.raises(InputError, match="which no StyleGAN2 has"):
        model_of(tree, ["G_ema"])


def test_filters_must_be_those_of_the_configuration():
    tree = tree_of(golden("gen/s06_gray128.pkl"))
    buffers = module(tree, "G_ema", "synthesis.b16").state["_buffers"]
    buffers["resample_filter"] = np.full((3, 3), 1 / 9, np.float32)
    with pytest.raises(InputError, match=r"b16.resample_filter: its values are not those of \(1.0, 2.0, 1.0\)"):
        model_of(tree)


def test_frozen_layers_that_are_not_the_first_ones_are_refused():
    tree = tree_of(golden("gen/s06_gray128.pkl"))
    layer = module(tree, "D", "b16.conv0").state
    layer["_buffers"]["weight"] = layer["_parameters"].pop("weight")
    with pytest.raises(InputError, match=r"freeze_layers is 4, but these layers do not agree: b16.conv0"):
        model_of(tree)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_broken_numbers_are_refused_with_the_names_of_their_tensors(value):
    tree = tree_of(golden("gen/s03_cond32.pkl"))
    for path in ("synthesis.b8.conv0", "mapping.fc1"):
        weights = module(tree, "G_ema", path).state["_parameters"]
        weights["weight"] = weights["weight"].copy()
        weights["weight"].flat[3] = value
    with pytest.raises(InputError, match=r"2 tensors hold NaN or infinity: G_ema.mapping.fc1.weight, G_ema.syn"):
        model_of(tree)
    assert list(model_of(tree, ["D"]).networks) == ["D"]


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_other_precisions_become_float32_with_a_note(dtype):
    tree = tree_of(golden("gen/s03_cond32.pkl"))
    weights = module(tree, "G_ema", "synthesis.b8.conv0").state["_parameters"]
    weights["weight"] = weights["weight"].astype(dtype)
    found = model_of(tree, ["G_ema"])
    assert found.lineage["notes"] == [f"G_ema: 1 tensors were {dtype}, now float32"]
    leaf = found.networks["G_ema"]["synthesis.b8.conv0.weight"]
    np.testing.assert_array_equal(leaf, weights["weight"].astype(np.float32), strict=True)


def test_a_float64_that_exceeds_float32_and_integers_are_refused():
    tree = tree_of(golden("gen/s03_cond32.pkl"))
    weights = module(tree, "G_ema", "synthesis.b8.conv0").state["_parameters"]
    weights["bias"] = np.full(24, 1e200)
    with pytest.raises(InputError, match="NaN or infinity"):
        model_of(tree, ["G_ema"])
    weights["bias"] = np.ones(24, np.int32)
    with pytest.raises(InputError, match="integers where weights should be"):
        model_of(tree, ["G_ema"])


def test_generators_that_differ_are_no_one_model():
    tree, other = tree_of(golden("gen/s03_cond32.pkl")), tree_of(golden("gen/s05_resnet64.pkl"))
    tree["G"] = other["G"]
    with pytest.raises(InputError, match=r"architecture: resnet in G, skip in G_ema(.|\n)*--networks G_ema"):
        model_of(tree)
    assert model_of(tree, ["G_ema"]).config.generator == model("s03_cond32").config.generator


def test_stylegan3_and_other_networks_are_named():
    tree = tree_of(golden("gen/s03_cond32.pkl"))
    blocks = module(tree, "G_ema", "synthesis").state["_modules"]
    blocks["input"] = blocks.pop("b4")
    with pytest.raises(InputError, match="is StyleGAN3, not StyleGAN2"):
        model_of(tree)
    tree["G_ema"].name = "TriPlaneGenerator"
    del blocks["input"]
    with pytest.raises(InputError, match="a network of class TriPlaneGenerator, not StyleGAN2"):
        model_of(tree)


def test_networks_that_contain_themselves_are_refused():
    tree = tree_of(golden("gen/s03_cond32.pkl"))
    synthesis = module(tree, "G_ema", "synthesis")
    synthesis.state["_modules"]["loop"] = synthesis
    with pytest.raises(InputError, match=r"endless depth|too many layers"):
        model_of(tree)


def test_a_small_file_cannot_describe_a_huge_network(tmp_path):
    path = official.write(tiny_model(), tmp_path / "x.pkl")
    tree = tree_of(path)
    for found in official.modules_of(tree["G_ema"]).values():
        for name, leaf in found.state["_parameters"].items():
            found.state["_parameters"][name] = np.broadcast_to(leaf, (300_000, *leaf.shape))
    with pytest.raises(InputError, match=r"numbers in \d+ bytes"):
        assemble(reading.recognise(tree), None, file_size=path.stat().st_size)
