import json
import re

import jax
import numpy as np
import pytest
from flax import nnx

from stylegan_jax import names
from stylegan_jax.config import DiscriminatorConfig, GeneratorConfig
from stylegan_jax.networks.discriminator import Discriminator
from stylegan_jax.networks.layers import Buffer
from stylegan_jax.networks.stylegan2 import Generator
from tests.golden_data import ABSENT, SHARED, manifest_entry
from tests.golden_networks import PAIRED, model
from tests.networks.test_big import full_size_config

GENERATORS = [GeneratorConfig(img_resolution=4 << i) for i in range(9)] + [
    GeneratorConfig(img_resolution=32, architecture="orig", use_noise=False, c_dim=5, embed_features=7),
    GeneratorConfig(img_resolution=32, architecture="resnet", resample_filter=(1, 2, 1), img_channels=1),
    GeneratorConfig(img_resolution=16, architecture="resnet", channel_table=(48, 40, 24), w_avg_beta=None),
    GeneratorConfig(img_resolution=16, resample_filter=(0.1,) * 8, z_dim=0, c_dim=3, layer_features=24),
    GeneratorConfig(img_resolution=8, resample_filter=((1, 2, 3), (4, 5, 6)), mapping_layers=1, img_channels=4),
]
DISCRIMINATORS = [DiscriminatorConfig(img_resolution=8 << i) for i in range(8)] + [
    DiscriminatorConfig(img_resolution=32, architecture="orig", mbstd_num_channels=4, img_channels=1),
    DiscriminatorConfig(img_resolution=32, architecture="skip", resample_filter=(1, 2, 1), c_dim=5),
    DiscriminatorConfig(img_resolution=16, architecture="skip", mbstd_num_channels=0, img_channels=4),
    DiscriminatorConfig(img_resolution=16, channel_table=(48, 40, 24), c_dim=3, cmap_dim=12, mapping_layers=2),
    DiscriminatorConfig(img_resolution=8, resample_filter=(0.1,) * 8, c_dim=2, embed_features=6, layer_features=9),
]


def brief(config):
    """The fields that differ from the defaults."""
    return re.sub(
        r"[^\w=]+", "-", ",".join(f"{k}={v}" for k, v in vars(config).items() if v != vars(type(config)).get(k))
    )


@pytest.mark.parametrize("config", [*GENERATORS, *DISCRIMINATORS], ids=brief)
def test_a_layout_lists_exactly_the_tensors_of_the_network_and_marks_its_buffers(config):
    if isinstance(config, GeneratorConfig):
        layout, abstract = names.generator_layout(config), nnx.eval_shape(lambda: Generator(config, rngs=nnx.Rngs(0)))
    else:
        layout = names.discriminator_layout(config)
        abstract = nnx.eval_shape(lambda: Discriminator(config, rngs=nnx.Rngs(0)))
    found = {".".join(map(str, path)): leaf for path, leaf in nnx.to_flat_state(nnx.state(abstract))}
    assert names.differences(found, layout) == []
    assert {name for name, leaf in found.items() if isinstance(leaf, Buffer)} == set(filter(names.is_buffer, layout))
    assert {leaf.dtype for leaf in found.values()} == {np.dtype(np.float32)}


@pytest.mark.parametrize("name", PAIRED)
def test_a_layout_lists_exactly_the_tensors_of_an_official_file(name):
    official = model(name)
    for network, tensors in official.networks.items():
        assert names.differences(tensors, names.layout_of(official.config, network)) == [], network


def listed(tensors):
    """A list of the manifest as name → shape, and the names of its buffers."""
    shapes = {name: tuple(shape) for name, shape, _ in tensors}
    return shapes, {name for name, _, kind in tensors if kind == "buffer"}


@pytest.mark.skipif(not SHARED.is_dir(), reason=ABSENT)
@pytest.mark.parametrize("name", PAIRED)
def test_a_layout_equals_the_official_list_of_tensors_with_its_buffers(name):
    config, entry = model(name).config, manifest_entry(f"gen/{name}.pkl")
    shapes, buffers = listed(entry["G_tensors"])
    assert names.generator_layout(config.generator) == shapes
    assert buffers == {tensor for tensor in shapes if names.is_buffer(tensor)}
    shapes, buffers = listed(entry["D_tensors"])
    assert config.discriminator and names.discriminator_layout(config.discriminator) == shapes
    frozen = names.freezable_layers(config.discriminator)[: config.discriminator.freeze_layers]
    frozen = {f"{layer}.{kind}" for layer in frozen for kind in ("weight", "bias")} & shapes.keys()
    assert buffers == frozen | {tensor for tensor in shapes if names.is_buffer(tensor)}


@pytest.mark.skipif(not SHARED.is_dir(), reason=ABSENT)
@pytest.mark.parametrize("name", ["paper256", "stylegan2_1024"])
def test_the_layout_of_a_full_size_generator_equals_the_official_list(name):
    shapes, _ = listed(manifest_entry("big/full_size.npz")["configs"][name]["tensors"])
    assert names.generator_layout(full_size_config(name)) == shapes


def test_freeze_d_counts_layers_from_the_highest_resolution_and_never_the_epilogue():
    layers = names.freezable_layers(DiscriminatorConfig(img_resolution=16))
    assert layers == ["b16.fromrgb", "b16.conv0", "b16.conv1", "b16.skip", "b8.conv0", "b8.conv1", "b8.skip"]
    layers = names.freezable_layers(DiscriminatorConfig(img_resolution=16, architecture="skip"))
    assert layers == ["b16.fromrgb", "b16.conv0", "b16.conv1", "b8.fromrgb", "b8.conv0", "b8.conv1"]


@pytest.mark.parametrize(
    "name, resolution",
    [
        ("synthesis.b64.conv0.weight", 64),
        ("synthesis.b1024.torgb.affine.bias", 1024),
        ("synthesis.b4.const", 4),
        ("G_ema.synthesis.b8.skip.weight", 8),
        ("b16.fromrgb.weight", 16),
        ("b4.out.bias", 4),
        ("mapping.fc0.weight", None),
        ("mapping.w_avg", None),
        ("web8.weight", None),
    ],
)
def test_a_name_tells_the_resolution_it_belongs_to(name, resolution):
    assert names.resolution_of(name) == resolution


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("synthesis.b64.conv0.affine.weight", "conv0"),
        ("synthesis.b4.const", "const"),
        ("synthesis.b8.resample_filter", "resample_filter"),
        ("b8.skip.weight", "skip"),
        ("mapping.fc0.bias", None),
    ],
)
def test_a_tensor_names_its_layer(name, layer):
    assert names.layer_name(name) == layer


def test_every_block_begins_with_the_w_after_those_of_the_blocks_below():
    assert [names.first_w(r) for r in (4, 8, 16, 32, 1024)] == [0, 1, 3, 5, 15]
    assert all(names.first_w(r) + 3 == GeneratorConfig(img_resolution=r).num_ws for r in (8, 64, 1024))


def test_every_tensor_of_a_synthesis_network_has_a_resolution_and_none_of_the_mapping():
    for name in names.generator_layout(GeneratorConfig(img_resolution=64)):
        assert (names.resolution_of(name) is None) == name.startswith("mapping.")


@pytest.mark.parametrize("last", ["w_avg", "noise_const", "resample_filter"])
def test_state_outside_the_optimiser_is_a_buffer(last):
    assert names.is_buffer(f"synthesis.b4.conv1.{last}") and names.is_buffer(last)


@pytest.mark.parametrize("name", ["synthesis.b4.const", "synthesis.b4.conv1.noise_strength", "mapping.w_avg.weight"])
def test_trained_weights_are_no_buffers(name):
    assert not names.is_buffer(name)


def test_flat_and_nested_names_are_each_others_inverse():
    flat = {"mapping.fc0.weight": 1, "mapping.fc0.bias": 2, "synthesis.b4.const": 3}
    nested = {"mapping": {"fc0": {"weight": 1, "bias": 2}}, "synthesis": {"b4": {"const": 3}}}
    assert names.unflatten(flat) == nested and names.flatten(nested) == flat


def test_file_keys_carry_the_network_and_keys_without_one_are_the_averaged_generators():
    networks = {"G_ema": {"synthesis.b4.const": 1}, "D": {"b4.out.bias": 2}}
    keys = {"G_ema.synthesis.b4.const": 1, "D.b4.out.bias": 2}
    assert names.join_networks(networks) == keys and names.split_networks(keys) == networks
    assert names.split_networks({"synthesis.b4.const": 1}) == {"G_ema": {"synthesis.b4.const": 1}}


def test_differences_name_every_missing_unexpected_and_wrongly_shaped_tensor():
    expected = {"a.weight": (3, 4), "a.noise_strength": (), "b.weight": (2,), "c.bias": (5,)}
    found = {
        "a.weight": np.zeros((4, 3)),
        "a.noise_strength": np.zeros(1),
        "c.bias": np.zeros(5),
        "d.bias": np.zeros(()),
    }
    assert names.differences(found, expected) == [
        "a.noise_strength: (1,), expected ()",
        "a.weight: (4, 3), expected (3, 4)",
        "b.weight: missing, expected (2,)",
        "d.bias: (), expected no such tensor",
    ]
    assert (
        names.differences({name: jax.ShapeDtypeStruct(shape, float) for name, shape in expected.items()}, expected)
        == []
    )


def test_a_layout_is_plain_json():
    layout = names.generator_layout(GENERATORS[0])
    assert json.loads(json.dumps(layout)) == {name: list(shape) for name, shape in layout.items()}
