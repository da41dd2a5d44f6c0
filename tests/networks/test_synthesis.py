import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, Mesh, PartitionSpec

from stylegan_jax import names
from stylegan_jax.config import GeneratorConfig
from stylegan_jax.networks.generators import generator
from stylegan_jax.sampler import latents
from tests.golden_networks import compiled, in_both_modes
from tests.tiny_models import tiny_model

TINY = tiny_model(img_resolution=8)
CONFIG, WEIGHTS = TINY.config.generator, TINY.networks["G_ema"]
WS = np.random.RandomState(1).randn(16, CONFIG.num_ws, CONFIG.w_dim).astype(np.float32)


def synthesise(weights, ws, **options):
    return generator(CONFIG, weights).synthesis(ws, **options)


def test_no_noise_is_noise_of_zero_and_stored_noise_may_be_given_for_one_or_for_each():
    stored = {name.removeprefix("synthesis.")[:-12]: leaf for name, leaf in WEIGHTS.items() if "noise_const" in name}

    @compiled
    def run(weights, ws, images):
        zeros, each = ({name: f(image) for name, image in images.items()} for f in (jnp.zeros_like, lambda x: x[None]))
        return [synthesise(weights, ws, noise=noise) for noise in ("none", zeros, "const", images, each)]

    none, zeros, const, for_all, for_each = run(WEIGHTS, WS[:1], stored)
    np.testing.assert_allclose(none, zeros, atol=1e-6)
    np.testing.assert_allclose(const, for_all, atol=1e-6)
    np.testing.assert_allclose(const, for_each, atol=1e-6)
    assert np.abs(none - const).max() > 0.01


def test_the_drawn_noise_of_a_sample_follows_its_key_and_not_its_batch():
    @compiled
    def run(weights, ws, key):
        return synthesise(weights, ws, noise=key), synthesise(weights, ws[1:2], noise=jax.random.split(key, 3)[1:2])

    together, alone = run(WEIGHTS, np.repeat(WS[:1], 3, 0), jax.random.key(0))
    np.testing.assert_allclose(together[1:2], alone, atol=1e-5)
    assert min(np.abs(together[i] - together[i - 1]).max() for i in range(3)) > 0.01


def test_drawn_noise_is_standard_normal_and_new_for_every_layer_and_key():
    keys = jax.random.split(jax.random.key(1), 64)
    draws = compiled(lambda weights, keys: generator(CONFIG, weights).synthesis.draw_noise(keys))(WEIGHTS, keys)
    assert {name: image.shape[1:] for name, image in draws.items()} == {
        "b4.conv1": (4, 4),
        "b8.conv0": (8, 8),
        "b8.conv1": (8, 8),
    }
    flat = np.concatenate([np.asarray(image).reshape(64, -1) for image in draws.values()], 1)
    assert abs(flat.mean()) < 0.02 and abs(flat.std() - 1) < 0.02
    assert len(np.unique(flat)) > 0.99 * flat.size


def test_a_generator_maps_one_w_to_all_layers_and_steps_end_in_its_image():
    @compiled
    def run(weights, z):
        g = generator(CONFIG, weights)
        steps = list(g.synthesis.steps(latents.broadcast(g.mapping(z), CONFIG.num_ws)))
        assert [resolution for resolution, _, _ in steps] == [4, 8]
        return g(z), steps[-1][2]

    image, last = run(WEIGHTS, np.random.RandomState(2).randn(2, CONFIG.z_dim).astype(np.float32))
    np.testing.assert_array_equal(image, last)


def test_other_weights_need_no_other_program():
    traces = []

    @compiled
    def run(weights, ws):
        traces.append(len(ws))
        return synthesise(weights, ws)

    images = [run(tiny_model(seed, img_resolution=8).networks["G_ema"], WS[:1]) for seed in (0, 1, 2)]
    assert traces == [1]
    assert np.abs(images[0] - images[1]).max() > 0.01


def test_eight_devices_give_the_images_of_one_without_talking_to_each_other():
    mesh = Mesh(np.array(jax.devices()[:8]), ("batch",), axis_types=(AxisType.Auto,))
    split, whole = PartitionSpec("batch"), PartitionSpec()
    sharded = jax.jit(jax.shard_map(synthesise, mesh=mesh, in_specs=(whole, split), out_specs=split))
    program = sharded.lower(WEIGHTS, WS).compile()
    assert not re.findall(
        r"all-gather|all-reduce|all-to-all|collective-permute|reduce-scatter", program.as_text() or ""
    )
    alone = jax.jit(synthesise)
    pairs = [alone(WEIGHTS, WS[i : i + 2]) for i in range(0, 16, 2)]
    np.testing.assert_array_equal(sharded(WEIGHTS, WS), np.concatenate(pairs))


@pytest.mark.parametrize("architecture", ["skip", "resnet"])
def test_gradients_of_every_weight_equal_finite_differences(architecture):
    tiny = tiny_model(
        architecture=architecture, img_resolution=8, c_dim=2, activation="swish", mapping_activation="swish"
    )
    config, weights = tiny.config.generator, tiny.networks["G_ema"]
    draw, c = np.random.RandomState(3), jnp.eye(2)[jnp.array([0, 1, 1, 0])]
    z, probe = (jnp.asarray(draw.randn(*shape), jnp.float32) for shape in ((4, config.z_dim), (4, 8, 8, 3)))

    def mean(weights):
        return jnp.mean(generator(config, weights)(z, c) * probe)

    loss, grads = compiled(mean), compiled(jax.grad(mean))(weights)
    for name in [name for name in weights if not names.is_buffer(name)]:
        leaf, grad = weights[name], np.asarray(grads[name])
        step = 0.01 * np.linalg.norm(leaf) * grad / np.linalg.norm(grad)  # along the gradient, 1 % of the tensor
        rise = float(loss({**weights, name: leaf + step}) - loss({**weights, name: leaf - step}))
        assert rise / (2 * np.linalg.norm(step)) == pytest.approx(np.linalg.norm(grad), rel=0.02), name


SHAPES = [{"img_resolution": r} for r in (4, 8, 256, 1024)]
SHAPES += [{"img_resolution": r, "architecture": a} for r in (4, 32) for a in ("orig", "resnet")]
SHAPES += [{"img_resolution": 32, "img_channels": 1, "use_noise": False}, {"img_resolution": 16, "img_channels": 4}]
SHAPES += [
    {"img_resolution": 16, "z_dim": 0, "c_dim": 7, "w_avg_beta": None},
    {"img_resolution": 8, "mapping_layers": 1},
]
SHAPES += [{"img_resolution": 16, "resample_filter": taps} for taps in ((1, 2, 1), (0.1,) * 8, ((1, 2), (3, 4)), (1,))]
SHAPES += [{"img_resolution": 16, "channel_table": (40, 24, 20), "architecture": "resnet", "activation": "swish"}]


@pytest.mark.parametrize("fields", SHAPES, ids=str)
def test_every_configuration_makes_float32_images_of_its_size(fields):
    config = GeneratorConfig(**fields)
    z, c = (jax.ShapeDtypeStruct((2, size), jnp.float32) for size in (config.z_dim, config.c_dim))
    layout = names.generator_layout(config)
    weights = {name: jax.ShapeDtypeStruct(shape, jnp.float32) for name, shape in layout.items()}
    images = jax.eval_shape(lambda weights, z, c: generator(config, weights)(z, c), weights, z, c)
    assert images.shape == (2, config.img_resolution, config.img_resolution, config.img_channels)
    assert images.dtype == jnp.float32


def test_tree_mode_traces_the_very_same_program():
    z = jnp.ones((1, CONFIG.z_dim))
    programs = in_both_modes(lambda: jax.make_jaxpr(jax.grad(lambda w: generator(CONFIG, w)(z).sum()))(WEIGHTS))
    assert programs[0] == programs[1]
