"""Edits of style channels, against a generator written with its styles as an argument."""

import jax.numpy as jnp
import numpy as np
import pytest

from stylegan_jax.editing.channels import styles_of
from stylegan_jax.errors import InputError
from stylegan_jax.filters import setup_filter
from stylegan_jax.names import first_w
from stylegan_jax.networks import generators, ops
from stylegan_jax.networks.resampling import upsample2d
from stylegan_jax.pictures.images import to_uint8
from stylegan_jax.sampler import batching, map_seeds, programs, sample, sample_ws, stylespace
from stylegan_jax.sampler.run import sample_shifts
from stylegan_jax.storage.checkpoint import fingerprint
from tests.tiny_models import tiny_model

LAYERS = ["b4.conv1", "b4.torgb", "b8.conv0", "b8.conv1", "b8.torgb", "b16.conv0", "b16.conv1", "b16.torgb"]
FILTER = setup_filter((1, 3, 3, 1))


@pytest.fixture(scope="module")
def model():
    return tiny_model(1)


@pytest.fixture(scope="module")
def ws(model):
    return map_seeds(model, range(3))


def some_shift(model, *layers, size=2.0):
    """Random numbers in the channels of some layers, none in the others."""
    config, rng = model.config.generator, np.random.RandomState(5)
    parts = [size * rng.randn(n) if name in layers else np.zeros(n) for name, n in stylespace.layers(config).items()]
    return np.concatenate(parts).astype(np.float32)


def on_device(weights):
    return {name: jnp.asarray(leaf) for name, leaf in weights.items()}


def drawn(model, styles):
    """The images of styles `[n s]`: nothing of w or of an affine layer is in here."""
    config, weights = model.config.generator, model.networks["G_ema"]
    ends = np.cumsum([*stylespace.layers(config).values()])[:-1]
    styles = dict(zip(stylespace.layers(config), np.split(styles.astype(np.float32), ends, 1), strict=True))

    def layer(name, x, up):
        at = f"synthesis.{name}."
        noise = weights[f"{at}noise_const"] * weights[f"{at}noise_strength"]
        options = {"noise": jnp.asarray(noise), "up": up, "f": FILTER, "padding": 1, "flip_weight": up == 1}
        x = ops.modulated_conv2d(x, jnp.asarray(weights[f"{at}weight"]), jnp.asarray(styles[name]), **options)
        return ops.bias_act(x, jnp.asarray(weights[f"{at}bias"]), act="lrelu", gain=np.sqrt(2))

    x, image = None, None
    for r in config.resolutions:
        if x is None:
            const = jnp.asarray(weights["synthesis.b4.const"]).transpose(1, 2, 0)
            x = jnp.broadcast_to(const, (len(styles["b4.conv1"]), *const.shape))
        else:
            x = layer(f"b{r}.conv0", x, 2)
        x = layer(f"b{r}.conv1", x, 1)
        matrix = weights[f"synthesis.b{r}.torgb.weight"][..., 0, 0]
        scaled = styles[f"b{r}.torgb"] / np.sqrt(matrix.shape[1])
        rgb = jnp.einsum("nhwi,oi,ni->nhwo", x, matrix, scaled, precision="highest")
        rgb = rgb + weights[f"synthesis.b{r}.torgb.bias"]
        image = rgb if image is None else upsample2d(image, FILTER) + rgb
    return image


def test_channels_are_those_of_every_affine_layer_from_the_lowest_resolution_on(model):
    config = model.config.generator
    assert list(stylespace.layers(config)) == LAYERS
    weights = model.networks["G_ema"]
    assert all(len(weights[f"synthesis.{name}.affine.bias"]) == n for name, n in stylespace.layers(config).items())


def test_styles_are_what_affine_layers_make_of_each_layers_w(model, ws):
    layered = np.random.RandomState(0).randn(*ws.shape).astype(np.float32)
    weights, pieces = model.networks["G_ema"], dict(stylespace.pieces(model.config.generator, np.arange(64.0)))
    places = {"b4.conv1": 0, "b4.torgb": 1, "b8.conv0": first_w(8), "b8.conv1": 2, "b8.torgb": 3, "b16.torgb": 5}
    found = styles_of(model, layered)
    for name, place in places.items():
        weight, bias = (weights[f"synthesis.{name}.affine.{leaf}"] for leaf in ("weight", "bias"))
        expected = layered[:, place] @ weight.T / np.sqrt(16) + bias
        np.testing.assert_allclose(found[:, pieces[name].astype(int)], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("plan", ["plain", "prepared"])
@pytest.mark.parametrize("layer", ["b4.conv1", "b8.conv0", "b8.torgb", "b16.conv1", "b16.torgb"])
def test_a_shift_is_added_to_the_styles_of_its_layer(model, ws, layer, plan):
    shift = some_shift(model, layer)
    expected = np.asarray(to_uint8(drawn(model, styles_of(model, ws) + shift)))
    found = np.concatenate([*sample_ws(model, ws, shift=shift, plan=plan)])
    assert np.abs(found.astype(int) - expected).max() <= 1 and (found == expected).mean() > 0.99
    plain = np.concatenate([*sample_ws(model, ws, plan=plan)])
    assert (found != plain).mean() > 0.01


def test_a_shift_moves_pictures_before_they_are_rounded(model, ws):
    shift = some_shift(model, "b8.conv1")
    weights, config = model.networks["G_ema"], model.config.generator
    found = generators.synthesis(config, on_device({**weights, **stylespace.moved(weights, config, shift)}))(
        jnp.asarray(ws)
    )
    np.testing.assert_allclose(found, np.asarray(drawn(model, styles_of(model, ws) + shift)), atol=2e-4)


@pytest.mark.parametrize("plan", ["plain", "prepared"])
def test_a_shift_of_nothing_changes_no_bit(model, ws, plan):
    nothing = np.zeros(64, np.float32)
    assert stylespace.moved(model.networks["G_ema"], model.config.generator, nothing) == {}
    plain, same = (np.concatenate([*sample_ws(model, ws, plan=plan, shift=shift)]) for shift in (None, nothing))
    np.testing.assert_array_equal(same, plain)


def test_the_model_itself_is_left_as_it_is(model):
    before = fingerprint(model)
    list(sample(model, range(2), shift=some_shift(model, "b8.conv0")))
    assert fingerprint(model) == before


def test_no_shift_compiles_anew(model, ws):
    config = model.config.generator
    list(sample_ws(model, ws))
    program = programs.synthesis_program(config, batching.choose(config))
    before = program._cache_size()
    for layer in LAYERS:
        list(sample_ws(model, ws, shift=some_shift(model, layer)))
    list(sample_shifts(model, ws, [some_shift(model, layer) for layer in LAYERS]))
    assert program._cache_size() == before


def test_many_shifts_of_the_same_ws_are_each_what_it_is_alone(model):
    ws = map_seeds(model, range(11))
    shifts = [np.zeros(64, np.float32), *(some_shift(model, layer) for layer in LAYERS)]
    for shift, found in zip(shifts, sample_shifts(model, ws, shifts), strict=True):
        np.testing.assert_array_equal(found, np.concatenate([*sample_ws(model, ws, shift=shift)]))


def test_a_shift_of_another_generator_is_refused(model, ws):
    with pytest.raises(InputError, match="an edit of 3 style channels, this model has 64"):
        list(sample_ws(model, ws, shift=np.ones(3, np.float32)))


def test_an_edit_of_z_is_added_before_the_mapping_network(model):
    config, step = model.config.generator, np.linspace(-1, 1, 16, dtype=np.float32)
    z = np.concatenate([np.random.RandomState(seed).randn(1, 16) for seed in range(3)]).astype(np.float32)
    w = generators.mapping(config, on_device(model.networks["G_ema"]))(jnp.asarray(z + step))
    found = map_seeds(model, range(3), z_step=step)
    np.testing.assert_allclose(found, np.repeat(np.asarray(w)[:, None], 6, 1), atol=1e-5)
    images = np.concatenate([*sample(model, range(3), z_step=step)])
    assert np.abs(images.astype(int) - np.concatenate([*sample_ws(model, found)])).max() <= 1


def test_an_edit_of_the_z_of_another_model_is_refused(model):
    with pytest.raises(InputError, match="an edit of z with 8 numbers, this model takes 16"):
        map_seeds(model, range(2), z_step=np.zeros(8, np.float32))
