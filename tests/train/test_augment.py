import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stylegan_jax.train.augment import ada, warp
from stylegan_jax.train.augment.pipes import BLIT, COLOR, GEOMETRY, PRESETS, Pipe
from stylegan_jax.train.augment.wavelets import SYM2, SYM6, filter_bank
from tests import golden_data

FILE = "augment/augment.npz"
SINGLE = (*BLIT, *GEOMETRY, *COLOR, "imgfilter", "noise", "cutout")
PIPES = {name: dataclasses.replace(Pipe(), **{name: 1.0}) for name in SINGLE}
PIPES.update({name: PRESETS[name] for name in ("bg", "bgc", "bgcfnc")})
CASES = [f"{name}.rgb.p{q}" for name in PIPES for q in (0.2, 0.5, 0.9)]
CASES += [f"{name}.gray.p{q}" for name in (*COLOR, "bgc", "bgcfnc") for q in (0.2, 0.9)]
SHAPE = (24, 24, 3)


@pytest.fixture(scope="module")
def stored():
    return golden_data.load_npz(FILE)


def nhwc(x):
    return jnp.asarray(x.transpose(0, 2, 3, 1))


def nchw(x):
    return np.asarray(x).transpose(0, 3, 1, 2)


def check(actual, expected, key):
    error = np.abs(np.asarray(actual, np.float64) - expected).max()
    allowed = golden_data.tolerance(FILE, key, expected)
    assert np.shape(actual) == expected.shape
    assert error <= allowed, f"{key}: max error {error:.3g} exceeds {allowed:.3g}"


applied = jax.jit(ada.apply)


@pytest.mark.parametrize("case", CASES)
def test_each_percentile_yields_the_official_matrices_and_images(case, stored):
    name, kind, percentile = case.split(".", 2)
    images = nhwc(stored[f"in_{kind}"])[: len(stored[f"{case}.y"])]
    pixels = nhwc(stored[f"{case}.noise"]) if f"{case}.noise" in stored else None
    transforms = ada.at_percentile(PIPES[name], float(percentile[1:]), images.shape[1:], pixels)
    ours = {"G_inv": transforms.inverse, "C": transforms.color, "g": transforms.bands, "sigma": transforms.sigma}
    found = {letter: actual for letter, actual in ours.items() if actual is not None}
    assert set(found) == {letter for letter in ours if f"{case}.{letter}" in stored}
    for letter, actual in found.items():
        check(actual, stored[f"{case}.{letter}"].reshape(actual.shape), f"{case}.{letter}")
    every = jax.tree.map(lambda x: jnp.broadcast_to(x, (len(images), *x.shape[1:])), transforms)
    check(nchw(applied(every, images)), stored[f"{case}.y"], case)


def sampled(stored, p):
    letters = ("G_inv", "C", "g", "sigma", "cut_size", "cut_center")
    of = {letter: jnp.asarray(stored[f"sampled_p{p}.{letter}"]) for letter in letters}
    return ada.Transforms(
        inverse=of["G_inv"],
        color=of["C"],
        bands=of["g"],
        sigma=of["sigma"].reshape(-1),
        noise=nhwc(stored[f"sampled_p{p}.noise"]),
        cut_size=of["cut_size"].reshape(-1, 2),
        cut_center=of["cut_center"].reshape(-1, 2),
    )


@pytest.mark.parametrize("p", ["1.0", "0.6"])
def test_transforms_that_the_official_program_drew_yield_its_images(p, stored):
    transforms = sampled(stored, p)
    actual = applied(transforms, nhwc(stored["in_sampled"]))
    check(nchw(actual), stored[f"sampled_p{p}.y"], f"sampled_p{p}")


def test_the_path_for_large_images_gives_the_same(stored, monkeypatch):
    monkeypatch.setattr(warp, "_LARGEST_MATRIX", 0)
    images, inverse = nhwc(stored["in_sampled"]), jnp.asarray(stored["sampled_p1.0.G_inv"])
    by_adds = jax.jit(lambda x: warp.warp(x, inverse))(images)
    monkeypatch.undo()
    np.testing.assert_allclose(by_adds, jax.jit(lambda x: warp.warp(x, inverse))(images), atol=3e-6)


@pytest.mark.parametrize("moved", [0, 1, 3, 6])
def test_images_that_no_transform_moves_stay_as_they_are_however_many_others_move(stored, moved):
    images = nhwc(stored["in_sampled"])[:1].repeat(6, 0) * np.linspace(0.5, 1, 6, dtype=np.float32)[:, None, None, None]
    turned = jnp.array([[0.8, -0.6, 1.5], [0.6, 0.8, 0], [0, 0, 1]])
    at = np.array([4, 0, 5, 2, 1, 3])[:moved]
    inverse = jnp.eye(3)[None].repeat(6, 0).at[at].set(turned)
    result = np.asarray(jax.jit(warp.warp)(images, inverse))
    still = np.setdiff1d(np.arange(6), at)
    np.testing.assert_array_equal(result[still], np.asarray(images)[still])
    for i in at:
        np.testing.assert_allclose(result[i], warp.warp(images[i : i + 1], turned[None])[0], atol=3e-6)


def test_the_controller_follows_the_official_trajectory(stored):
    p = jnp.zeros(())
    for step, sign_mean in enumerate(stored["ada.signs_mean"]):
        p = ada.update_p(p, sign_mean, batch=64, interval=4, ada_kimg=500, target=0.6)
        np.testing.assert_allclose(p, stored["ada.p_after"][step], rtol=1e-6, atol=1e-9)


def test_wavelets_satisfy_the_equations_that_define_them(stored):
    for taps, moments in ((SYM2, 2), (SYM6, 6)):
        shifted = [np.dot(taps[2 * k :], taps[: taps.size - 2 * k]) for k in range(taps.size // 2)]
        np.testing.assert_allclose(shifted, np.eye(taps.size // 2)[0], atol=1e-11)
        signs, t = (-1.0) ** np.arange(taps.size), np.arange(taps.size) / taps.size
        np.testing.assert_allclose([np.sum(signs * taps * t**k) for k in range(moments)], 0, atol=1e-11)
        np.testing.assert_allclose(taps.sum(), np.sqrt(2), atol=1e-11)
    check(SYM6 / SYM6.sum(), stored["Hz_geom"], "Hz_geom")
    check(filter_bank(), stored["Hz_fbank"], "Hz_fbank")


def keys_of(*indices):
    return jax.vmap(jax.random.fold_in, (None, 0))(jax.random.key(3), jnp.array(indices))


drawn = jax.jit(functools.partial(ada.sample, shape=SHAPE), static_argnums=0)


def test_a_sample_is_augmented_alike_whoever_else_is_in_the_call():
    together = drawn(PRESETS["bgcfnc"], keys_of(0, 1, 2, 3), 0.8)
    alone = drawn(PRESETS["bgcfnc"], keys_of(2), 0.8)
    for one, all_ in zip(jax.tree.leaves(alone), jax.tree.leaves(together), strict=True):
        np.testing.assert_allclose(one[0], all_[2], rtol=1e-6, atol=1e-6)


def test_probabilities_are_strength_times_p():
    pipe = Pipe(xint=0.5, brightness=1, imgfilter=0.25, cutout=1)
    transforms = drawn(pipe, keys_of(*range(4000)), 0.6)
    assert np.mean(np.any(np.asarray(transforms.inverse) != np.eye(3), (1, 2))) == pytest.approx(0.3, abs=0.03)
    assert np.mean(np.asarray(transforms.color)[:, 0, 3] != 0) == pytest.approx(0.6, abs=0.03)
    assert np.mean(np.ptp(transforms.bands, 1) > 0.01) == pytest.approx(1 - 0.85**4, abs=0.03)
    assert np.mean(np.asarray(transforms.cut_size) > 0) == pytest.approx(0.6, abs=0.03)


def test_draws_have_the_official_spread():
    transforms = drawn(Pipe(brightness=1, contrast=1, scale=1), keys_of(*range(4000)), 1.0)
    color, scale = np.asarray(transforms.color), np.asarray(transforms.inverse)[:, 0, 0]
    assert np.std(np.log2(color[:, 0, 0])) == pytest.approx(0.5, rel=0.05)
    assert np.std(color[:, 0, 3] / color[:, 0, 0]) == pytest.approx(0.2, rel=0.05)
    assert np.std(np.log2(scale)) == pytest.approx(0.2, rel=0.05)


def test_changing_p_compiles_nothing_new():
    traces = []

    @jax.jit
    def traced(images, p):
        traces.append(p)
        return ada.apply(ada.sample(PRESETS["blit"], keys_of(0, 1), p, SHAPE), images)

    for p in (0.0, 0.3, 1.0):
        traced(jnp.ones((2, *SHAPE)), p)
    assert len(traces) == 1


def test_at_p_0_images_stay_as_they_are(stored):
    images = nhwc(stored["in_sampled"])[:4]
    transforms = drawn(PRESETS["bgcfnc"], keys_of(0, 1, 2, 3), 0.0)
    np.testing.assert_allclose(applied(transforms, images), images, atol=3e-6)


def test_an_empty_pipe_returns_the_images_themselves():
    images = jnp.ones((2, *SHAPE))
    assert ada.apply(drawn(Pipe(), keys_of(0, 1), 1.0), images) is images


def test_gradients_of_gradients_pass_through_every_transform(stored):
    images, transforms = nhwc(stored["in_sampled"]), sampled(stored, "1.0")

    def penalty(scale):
        gradient = jax.grad(lambda x: jnp.sum(jnp.tanh(scale * ada.apply(transforms, x))))(images)
        return jnp.sum(gradient**2)

    value_and_slope = jax.jit(jax.value_and_grad(penalty))
    estimate = (value_and_slope(1.01)[0] - value_and_slope(0.99)[0]) / 0.02
    np.testing.assert_allclose(value_and_slope(1.0)[1], estimate, rtol=2e-3)


def test_the_margin_of_a_batch_split_over_devices_is_that_of_the_whole_batch(stored):
    images, inverse = nhwc(stored["in_sampled"])[:4], jnp.asarray(stored["sampled_p1.0.G_inv"])[:4]
    mesh = jax.make_mesh((4,), ("batch",), axis_types=(jax.sharding.AxisType.Auto,))
    split = jax.sharding.PartitionSpec("batch")
    along = functools.partial(warp.warp, axis_name="batch")
    per_device = jax.jit(jax.shard_map(along, mesh=mesh, in_specs=(split, split), out_specs=split))
    np.testing.assert_allclose(per_device(images, inverse), jax.jit(warp.warp)(images, inverse), atol=1e-6)


def test_colour_augmentation_leaves_the_opacity_of_rgba_images_alone():
    transforms = drawn(Pipe(contrast=1), keys_of(0, 1), 1.0)
    images = jnp.asarray(np.random.RandomState(0).standard_normal((2, 8, 8, 4)), jnp.float32)
    found = ada.apply(transforms, images)
    np.testing.assert_array_equal(found[..., :3], ada.apply(transforms, images[..., :3]))
    np.testing.assert_array_equal(found[..., 3], images[..., 3])
    with pytest.raises(ValueError, match="5 channels"):
        ada.apply(transforms, jnp.ones((2, 8, 8, 5)))
