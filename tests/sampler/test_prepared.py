import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stylegan_jax.errors import InputError
from stylegan_jax.filters import setup_filter
from stylegan_jax.networks import ops
from stylegan_jax.sampler import batching, prepared, programs, run, winograd
from tests.golden_data import load_npz
from tests.golden_networks import compiled, model, nhwc
from tests.tiny_models import tiny_model

ODD = {"img_resolution": 32, "channel_table": (5, 7, 6, 3), "conv_clamp": 0.8, "num_fp16_res": 2}


def images(plan, config, weights, ws, *, form: prepared.Form = "strips", **options):
    def run(weights, ws):
        leaves = weights if plan == "plain" else prepared.prepare(prepared.lay_out(weights), form)
        return prepared.synthesise(plan, config, leaves, ws, form=form, **options)

    return np.asarray(compiled(run)(weights, ws))


def ws_of(config, n=3):
    return np.random.RandomState(1).standard_normal((n, config.num_ws, config.w_dim)).astype(np.float32)


def assert_same(found, expected, limit=1e-4):
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= limit * np.sqrt(np.mean(np.square(expected)))


@pytest.mark.parametrize(("form", "noise"), [("strips", "const"), ("shared", "random"), ("shared", "none")])
def test_both_plans_give_the_same_images(form, noise):
    tiny = tiny_model(**ODD)
    config, weights = tiny.config.generator, tiny.networks["G_ema"]
    noise = jax.random.split(jax.random.key(0), 3) if noise == "random" else noise
    expected = images("plain", config, weights, ws_of(config), noise=noise)
    assert_same(images("prepared", config, weights, ws_of(config), form=form, noise=noise), expected)


def test_images_taken_one_by_one_at_high_resolutions_are_the_same(monkeypatch):
    monkeypatch.setattr(prepared, "_ALONE", 32)
    tiny = tiny_model(img_resolution=32, img_channels=1)
    config, weights = tiny.config.generator, tiny.networks["G_ema"]
    noise = jax.random.split(jax.random.key(0), 2)
    expected = images("plain", config, weights, ws_of(config, 2), noise=noise)
    assert_same(images("prepared", config, weights, ws_of(config, 2), noise=noise), expected)


@pytest.mark.parametrize(("name", "form"), [("s01_skip32", "shared"), ("s02_auto64", "strips")])
def test_the_prepared_plan_makes_the_golden_images(name, form):
    stored, golden = load_npz(f"gen/{name}.gold.npz"), model(name)
    expected = nhwc(stored["img_const"])
    config, ws = golden.config.generator, stored["ws_psi1"][: len(expected)]
    assert_same(images("prepared", config, golden.networks["G_ema"], ws, form=form), expected)


def test_float16_of_both_plans_differ_by_rounding_alone():
    golden, stored = model("s02_auto64"), load_npz("gen/s02_auto64.gold.npz")
    config, weights, ws = golden.config.generator, golden.networks["G_ema"], stored["ws_psi1"][:2]
    exact = nhwc(stored["img_const"])[:2]
    error = {
        plan: np.abs(images(plan, config, weights, ws, form="shared", dtype=jnp.float16) - exact).max()
        for plan in ("plain", "prepared")
    }
    assert 0 < error["prepared"] <= 2 * error["plain"]


def test_a_blend_of_prepared_weights_is_the_prepared_blend():
    one, two = (tiny_model(seed, img_resolution=32).networks["G_ema"] for seed in (0, 1))
    mix = {name: 0.7 * one[name] + 0.3 * two[name] for name in one}
    first, second, expected = (prepared.prepared(weights, "strips") for weights in (one, two, mix))
    for name, leaf in expected.items():
        if not name.endswith((".square", ".peak")):
            mixed = jax.tree.map(lambda a, b: 0.7 * a + 0.3 * b, first[name], second[name])
            jax.tree.map(functools.partial(np.testing.assert_allclose, atol=3e-6, err_msg=name), mixed, leaf)


def test_layouts_move_numbers_and_change_none():
    weights = tiny_model().networks["G_ema"]
    laid_out = prepared.lay_out(weights)
    assert laid_out.keys() == {n.removeprefix("synthesis.") for n in weights if n.startswith("synthesis.")}
    for name, leaf in laid_out.items():
        np.testing.assert_array_equal(np.sort(leaf, None), np.sort(weights[f"synthesis.{name}"], None))


@pytest.mark.parametrize(("n", "h"), [(3, 8), (4, 16), (2, 64), (1, 128)])
def test_strips_equal_the_plain_operations(n, h):
    rng = np.random.RandomState(0)
    x, styles = rng.standard_normal((n, h, h, 5)).astype(np.float32), 1 + rng.rand(n, 5).astype(np.float32)
    weight = rng.standard_normal((7, 5, 3, 3)).astype(np.float32)
    taps = setup_filter((1, 3, 3, 1))

    @compiled
    def run(x, styles, weight):
        laid_out, scaled = weight.transpose(2, 3, 1, 0), x * styles[:, None, None]
        same = winograd.convolve(x, winograd.prepare_same(laid_out), styles, lambda y, group, row: y)
        up = winograd.upsample(x, winograd.prepare_up(laid_out), styles, lambda y, group, row: y)
        small = winograd.upsample_small(x, winograd.prepare_taps(laid_out), styles, lambda y, group, row: y)
        expected_up = ops.conv2d_resample(scaled, weight, taps, up=2, padding=1, flip_weight=False)
        return (same, ops.conv2d(scaled, weight, padding=1)), (up, expected_up), (small, expected_up)

    for found, expected in run(x, styles, weight):
        assert_same(found, expected, 5e-5)


@pytest.mark.parametrize(("points", "outputs", "taps"), [((0, 1, -1), 3, 2), ((0, 0.625, -0.625, 1.5, -1.5), 4, 3)])
def test_toom_cook_products_make_a_correlation(points, outputs, taps):
    output, weight, inputs = winograd.toom(points, outputs, taps)
    rng = np.random.RandomState(0)
    x, w = rng.standard_normal(outputs + taps - 1), rng.standard_normal(taps)
    np.testing.assert_allclose(output @ ((weight @ w) * (inputs @ x)), np.correlate(x, w, "valid"), atol=1e-12)


def test_auto_follows_the_work_of_one_image():
    config = dataclasses.replace(tiny_model().config.generator, img_resolution=256, channel_max=512)
    assert prepared.multiplications(config) == pytest.approx(45.1e9, rel=0.01)
    assert prepared.choose("auto", config) == "prepared"
    assert prepared.choose("auto", tiny_model().config.generator) == "plain"


@pytest.mark.parametrize("fields", [{"architecture": "resnet"}, {"activation": "relu"}, {"resample_filter": (1, 2, 1)}])
def test_models_without_a_prepared_plan_take_the_plain_one(fields):
    config = dataclasses.replace(tiny_model(**fields).config.generator, img_resolution=256, channel_max=512)
    assert prepared.choose("auto", config) == "plain"
    with pytest.raises(InputError, match="no prepared plan"):
        prepared.choose("prepared", config)


def test_prepared_images_are_the_same_on_any_number_of_devices():
    tiny = tiny_model()

    def pixels(**options):
        return np.concatenate(list(run.sample(tiny, range(3), batch=1, noise="random", **options)))

    one = pixels(devices=1, plan="prepared")
    np.testing.assert_array_equal(one, pixels(devices=3, plan="prepared"))
    plain = pixels(devices=1, plan="plain")
    assert np.abs(plain.astype(int) - one).max() <= 1


def test_settings_that_xla_does_not_know_are_left_out(monkeypatch):
    monkeypatch.setattr(prepared, "_BY_EIGEN", {"xla_cpu_no_such_setting": ""})
    prepared._is_known.cache_clear()
    try:
        assert prepared.compiler_options("prepared", "strips") == {}
    finally:
        prepared._is_known.cache_clear()


def test_the_prepared_plan_needs_no_communication():
    tiny = tiny_model()
    how = batching.choose(tiny.config.generator, batch=1, plan="prepared")
    place = programs.Placement(how)
    weights = place.prepare(place.replicate(tiny.networks["G_ema"]))
    arguments = weights, place.split(np.zeros((8, 6, 16), np.float32)), place.split(np.zeros(8, np.uint32))
    text = programs.synthesis_program(tiny.config.generator, how).lower(*arguments).compile().as_text()
    assert not any(word in text for word in ("all-gather", "all-reduce", "collective-permute", "all-to-all"))


def test_tf32_is_asked_for_by_convolutions_and_not_by_styles():
    tiny = tiny_model()
    how = batching.choose(tiny.config.generator, batch=1, devices=1, dtype="tf32")
    program = programs.synthesis_program(tiny.config.generator, how)
    text = program.lower(tiny.networks["G_ema"], np.zeros((1, 6, 16), np.float32), np.zeros(1, np.uint32)).as_text()
    assert "precision HIGH>" in text and "[HIGHEST, HIGHEST]" in text
