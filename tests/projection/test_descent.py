"""Descents: the official projector's numbers, and what a batch may not change."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stylegan_jax.config import GeneratorConfig
from stylegan_jax.names import generator_layout
from stylegan_jax.projection.descent import Settings, State, _Places, _program, descend
from stylegan_jax.projection.latentspace import latent_space
from stylegan_jax.projection.losses import LOSSES, features_loss, ms_ssim, noise_penalty, scattering_loss
from stylegan_jax.projection.project import project, settings_of
from stylegan_jax.scores.features import pooled
from tests.golden_data import assert_close, load_npz
from tests.golden_networks import model
from tests.tiny_models import tiny_model

GOLDEN = "misc/projector.npz"


@pytest.fixture(scope="module")
def stored():
    return load_npz(GOLDEN)


def official_descent(stored, copies=1):
    """The golden's descent, `copies` times side by side."""
    official = model("s01_skip32")

    def features(images):
        small = pooled(images, 8).transpose(0, 3, 1, 2).reshape(len(images), -1)
        return jnp.dot(small, stored["P"], precision="highest")

    space = latent_space(official, samples=600)
    target = np.repeat(stored["target_uint8"].transpose(1, 2, 0)[None], copies, 0)
    noise = {
        name.removeprefix("noise0.").removesuffix(".noise_const"): np.repeat(value[None], copies, 0)
        for name, value in stored.items()
        if name.startswith("noise0.")
    }
    draws = stored["w_noise_draws"]
    steps = descend(
        official,
        target,
        features_loss(features),
        space,
        Settings(steps=20),
        noise=noise,
        draws=lambda step: np.repeat(draws[step][None, None], copies, 0),
    )
    return space, [jax.device_get(step) for step in steps]


def test_the_latent_space_is_measured_as_the_official_projector_does(stored):
    space = latent_space(model("s01_skip32"), samples=600)
    np.testing.assert_allclose(space.mean, stored["w_avg"].ravel(), rtol=0, atol=1e-5)
    np.testing.assert_allclose(space.std, stored["w_std"], rtol=1e-5)


def test_every_step_equals_the_official_projector(stored):
    _, steps = official_descent(stored)
    assert_close(np.stack([step.w[0, 0] for step in steps]), GOLDEN, "w_out64", stored)
    found = np.stack([(step.distance[0], step.loss[0]) for step in steps])
    np.testing.assert_allclose(found, stored["dist_loss64"], rtol=1e-4)


def test_images_side_by_side_do_not_disturb_each_other(stored):
    _, alone = official_descent(stored)
    _, both = official_descent(stored, copies=2)
    for one, two in zip(alone, both, strict=True):
        np.testing.assert_allclose(two.w[1], one.w[0], atol=2e-4)


def test_a_descent_comes_nearer():
    tiny = tiny_model(img_resolution=16)
    target = np.random.RandomState(0).randint(0, 256, (3, 16, 16, 3), np.uint8)
    settings = Settings(steps=30, space="w+", noise_weight=None, prior=0.03)
    steps = list(descend(tiny, target, scattering_loss(), latent_space(tiny, samples=200), settings))
    assert (steps[-1].loss < steps[0].loss).all()
    assert steps[-1].w.shape == (3, tiny.config.generator.num_ws, 16)


def test_in_p_n_the_models_own_w_are_of_unit_variance():
    tiny = tiny_model()
    space = latent_space(tiny, samples=500)
    assert space.whiten.shape == (16, 16) and np.isfinite(space.whiten).all()


def test_the_noise_penalty_is_that_of_its_definition():
    noise = np.random.RandomState(0).randn(2, 16, 16)
    total = 0
    for size in (noise, noise.reshape(2, 8, 2, 8, 2).mean((2, 4))):
        for axis in (1, 2):
            total = total + np.square((size * np.roll(size, 1, axis)).mean((1, 2)))
    np.testing.assert_allclose(noise_penalty(jnp.asarray(noise, jnp.float32)), total, rtol=1e-5)


def tiny_descent(n, **options):
    tiny = tiny_model(img_resolution=16)
    targets = np.random.RandomState(0).randint(0, 256, (n, 16, 16, 3), np.uint8)
    settings = Settings(steps=6, space="w+", noise_weight=options.pop("noise_weight", None), prior=0.03)
    return descend(tiny, targets, scattering_loss(), latent_space(tiny, samples=200), settings, **options)


def test_many_images_go_in_parts_and_each_goes_as_it_would_alone():
    places = _Places.for_images(42, tiny_model().config.generator)
    assert (places.mesh.size, places.parts, places.size) == (8, 2, 3)
    many, few = list(tiny_descent(42)), list(tiny_descent(2))
    assert many[-1].w.shape == (42, 6, 16) and many[-1].loss.shape == (42,)
    np.testing.assert_allclose(many[-1].w[:2], few[-1].w, atol=2e-4)
    assert np.ptp(many[-1].w[:, 0, 0]) > 0.01


@pytest.mark.parametrize("noise_weight", [None, 1e5])
def test_a_descent_that_goes_on_comes_to_the_same_bits(noise_weight):
    whole = list(tiny_descent(42, noise_weight=noise_weight))
    half = tiny_descent(42, noise_weight=noise_weight)
    standing = [next(half) for _ in range(3)][-1].standing()
    rest = list(tiny_descent(42, noise_weight=noise_weight, begun=standing))
    assert standing.step == 3 and len(rest) == 3
    np.testing.assert_array_equal(rest[-1].w, whole[-1].w)
    np.testing.assert_array_equal(rest[-1].loss, whole[-1].loss)


def test_similarity_is_that_of_the_windows_one_by_one():
    """MS-SSIM on one scale, by its definition."""
    random = np.random.RandomState(0)
    a = random.uniform(-1, 1, (2, 16, 16, 1))
    b = np.clip(a + 0.4 * random.randn(*a.shape), -1, 1)
    window = np.exp(-np.square(np.arange(11) - 5) / (2 * 1.5**2))
    window = np.outer(window, window) / window.sum() ** 2
    contrast, luminance = np.zeros(2), np.zeros(2)
    for i, y, x in itertools.product(range(2), range(6), range(6)):
        one, two = (each[i, y : y + 11, x : x + 11, 0] for each in (a, b))
        mean_one, mean_two = (window * one).sum(), (window * two).sum()
        spread = (window * one**2).sum() - mean_one**2 + (window * two**2).sum() - mean_two**2
        shared = (window * one * two).sum() - mean_one * mean_two
        contrast[i] += (2 * shared + 0.06**2) / (spread + 0.06**2) / 36
        luminance[i] += (2 * mean_one * mean_two + 0.02**2) / (mean_one**2 + mean_two**2 + 0.02**2) / 36
    found = ms_ssim(jnp.asarray(a, jnp.float32), jnp.asarray(b, jnp.float32))
    np.testing.assert_allclose(found, contrast * luminance, rtol=1e-4)


def test_of_a_grey_picture_the_luma_alone_is_compared():
    tiny = tiny_model(img_resolution=16)
    shades = np.random.RandomState(0).randint(0, 256, (2, 16, 16, 1), np.uint8).repeat(3, -1)
    made = project(tiny, shades, settings_of(steps=12))
    assert np.ptp(made.images.astype(int), axis=-1).max() > 20, "the colours are the model's"
    shift = np.array([0.587, -0.299, 0], np.float32)  # of another colour, and the same luma
    leaves = {**tiny.networks["G_ema"]}
    leaves["synthesis.b16.torgb.bias"] = leaves["synthesis.b16.torgb.bias"] + shift
    moved = project(dataclasses.replace(tiny, networks={"G_ema": leaves}), shades, settings_of(steps=12))
    np.testing.assert_allclose(moved.ws, made.ws, atol=1e-3)
    both = np.concatenate([shades[:1], np.random.RandomState(1).randint(0, 256, (1, 16, 16, 3), np.uint8)])
    np.testing.assert_allclose(project(tiny, both, settings_of(steps=12)).ws[0], made.ws[0], atol=1e-3)


@pytest.mark.slow
def test_a_face_of_256_pixels_takes_half_a_gigabyte_and_sixteen_go_one_after_the_other():
    config, settings, loss = GeneratorConfig(img_resolution=256), settings_of(), LOSSES["scattering"]()
    places = _Places.for_images(16, config)
    assert places.size == 1 and places.parts * places.mesh.size == 16
    mesh = _Places.for_images(1, config).mesh
    program = _program(config, loss, settings, mesh)
    layout = {k: s for k, s in generator_layout(config).items() if k.startswith("synthesis.")}
    weights = {name: jax.ShapeDtypeStruct(shape, np.float32) for name, shape in layout.items()}
    w, d = jax.ShapeDtypeStruct((1, config.num_ws, config.w_dim), np.float32), config.w_dim
    prior = jax.ShapeDtypeStruct((d,), np.float32), jax.ShapeDtypeStruct((d, d), np.float32)
    wanted = jax.eval_shape(program.describe, jax.ShapeDtypeStruct((1, 256, 256, 3), np.uint8)), None
    rate = jax.ShapeDtypeStruct((2,), np.float32)
    compiled = program.step.lower(weights, prior, wanted, State({"w": w}, {"w": w}, {"w": w}), w, rate).compile()
    assert compiled.memory_analysis().temp_size_in_bytes < 600e6
