import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from stylegan_jax import names
from stylegan_jax.config import DiscriminatorConfig, GeneratorConfig
from stylegan_jax.filters import setup_filter
from stylegan_jax.networks.discriminator import Discriminator
from stylegan_jax.networks.generators import generator
from stylegan_jax.networks.layers import Buffer, assemble, computes_in_16_bits, initial_weights
from stylegan_jax.networks.stylegan2 import Generator
from tests.golden_networks import compiled
from tests.tiny_models import tiny_model

D = DiscriminatorConfig(img_resolution=8, channel_max=64, c_dim=3, mapping_layers=1)
G = GeneratorConfig(img_resolution=4, channel_max=64, c_dim=3, mapping_layers=1, z_dim=64, w_dim=64)


@pytest.fixture(scope="module", params=[(Generator, G), (Discriminator, D)], ids=["G", "D"])
def initialise(request):
    """A network, its configuration, and the compiled function that initialises it from a key."""
    network, config = request.param
    return network, config, compiled(lambda key: initial_weights(network, config, key))


@pytest.fixture(scope="module")
def fresh(initialise):
    """Configuration and freshly initialised weights of a network."""
    network, config, weights = initialise
    return network, config, jax.device_get(weights(jax.random.key(0)))


def layout_of(config):
    return names.generator_layout(config) if isinstance(config, GeneratorConfig) else names.discriminator_layout(config)


def test_fresh_weights_fill_the_layout_in_float32(fresh):
    _, config, weights = fresh
    assert names.differences(weights, layout_of(config)) == []
    assert {leaf.dtype for leaf in weights.values()} == {np.dtype(np.float32)}


def test_fresh_weights_are_normal_with_equalised_learning_rate_as_the_official_ones(fresh):
    _, config, weights = fresh
    for name, leaf in weights.items():
        if not name.endswith("weight") and not name.endswith(("const", "noise_const")):
            continue
        deviation = 1 / config.mapping_lr_multiplier if name.startswith("mapping.fc") else 1
        assert np.std(leaf) == pytest.approx(deviation, rel=5 / np.sqrt(leaf.size)), name
        assert abs(np.mean(leaf)) < 5 * deviation / np.sqrt(leaf.size), name


def test_fresh_biases_noise_strengths_and_averages_start_at_zero_and_styles_at_one(fresh):
    _, _, weights = fresh
    for name, leaf in weights.items():
        if name.endswith(("bias", "noise_strength", "w_avg")):
            assert np.all(leaf == (1 if name.endswith("affine.bias") else 0)), name


def test_fresh_filters_are_the_normalised_taps(fresh):
    _, config, weights = fresh
    filters = {name: leaf for name, leaf in weights.items() if name.endswith("resample_filter")}
    assert filters
    for name, leaf in filters.items():
        np.testing.assert_array_equal(leaf, setup_filter(config.resample_filter), err_msg=name)


def test_one_key_gives_the_same_weights_again_and_another_key_others(initialise, fresh):
    weights, (again, other) = fresh[2], (initialise[2](jax.random.key(seed)) for seed in (0, 1))
    for name, leaf in weights.items():
        np.testing.assert_array_equal(leaf, again[name], err_msg=name)
    drawn = [name for name, leaf in weights.items() if leaf.size > 1 and np.std(leaf) > 0.5]
    assert all(np.any(weights[name] != other[name]) for name in drawn)
    assert len({np.ravel(weights[name])[0] for name in drawn}) == len(drawn)  # no two tensors share their draws


def test_an_assembled_network_holds_the_given_weights_uncopied_and_tells_buffers_from_parameters(fresh):
    network, config, weights = fresh
    weights = jax.tree.map(jnp.asarray, weights)
    state = nnx.to_flat_state(nnx.state(assemble(network, config, weights)))
    held = {".".join(map(str, path)): leaf for path, leaf in state}
    assert held.keys() == weights.keys()
    for name, leaf in held.items():
        assert leaf.get_value() is weights[name], name
        assert isinstance(leaf, Buffer if names.is_buffer(name) else nnx.Param), name


TINY = tiny_model(c_dim=3)


def mapped(z, c):
    return jax.eval_shape(lambda w, *a: generator(TINY.config.generator, w).mapping(*a), TINY.networks["G_ema"], z, c)


def test_a_conditional_network_without_labels_is_refused():
    z, c = jnp.zeros((2, 16)), jnp.zeros((2, 3))
    assert mapped(z, c).shape == (2, 16)
    with pytest.raises(ValueError, match=r"this network is conditional: labels c of shape \[n 3\] are missing"):
        mapped(z, None)


def test_a_mapping_ignores_the_length_of_z_and_follows_its_label():
    draw, labels = np.random.RandomState(0).randn(2, 16).astype(np.float32), np.eye(3, dtype=np.float32)
    run = compiled(lambda weights, z, c: generator(TINY.config.generator, weights).mapping(z, c))
    weights = TINY.networks["G_ema"]
    w = run(weights, draw, labels[:2])
    np.testing.assert_allclose(run(weights, 7 * draw, labels[:2]), w, atol=1e-4)
    assert np.abs(run(weights, draw, labels[1:]) - w).max() > 0.01


@pytest.mark.parametrize(
    "num_fp16_res, in_16_bits", [(0, (8, 16, 32, 64)), (2, (32, 64)), (4, (8, 16, 32, 64)), (9, (8, 16, 32, 64))]
)
def test_16_bit_blocks_are_those_the_model_names_or_all_from_8_where_it_names_none(num_fp16_res, in_16_bits):
    config = GeneratorConfig(img_resolution=64, num_fp16_res=num_fp16_res)
    assert tuple(r for r in config.resolutions if computes_in_16_bits(config, r)) == in_16_bits
