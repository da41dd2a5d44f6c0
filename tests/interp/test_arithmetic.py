"""One tensor mixed, and trees of them: exact at the ends, differentiable, compiled once."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interp.alphas import alpha_table, resolve_sources
from interp.arithmetic import mix_leaves, mix_trees
from interp.schedules import constant, inverted, only, smooth, swap
from stylegan_jax.names import is_buffer, resolution_of
from stylegan_jax.networks.generators import generator
from tests.golden_networks import compiled
from tests.interp.leaves import POISON, assert_same_bits, f32, weights
from tests.tiny_models import tiny_model


@pytest.mark.parametrize("jitted", [False, True])
def test_a_share_of_0_or_1_gives_the_bits_of_its_source_whatever_the_other_holds(jitted):
    mix = jax.jit(mix_leaves) if jitted else mix_leaves
    other = POISON[::-1].copy()
    assert_same_bits(mix(POISON, [other], f32([0])), POISON)
    assert_same_bits(mix(POISON, [other], f32([1])), other)
    third = np.full_like(POISON, np.nan)
    assert_same_bits(mix(POISON, [other, third], f32([0, 0])), POISON)
    assert_same_bits(mix(POISON, [other, third], f32([1, 0])), other)


def test_a_model_with_no_share_contributes_nothing_to_a_mixture_of_others():
    bad, one, two = (np.full(3, x, np.float32) for x in (np.nan, 1, 3))
    np.testing.assert_array_equal(mix_leaves(bad, [one, two], f32([0.25, 0.75])), np.full(3, 2.5))
    np.testing.assert_array_equal(mix_leaves(one, [bad, two], f32([0, 0.5])), np.full(3, 2))


@pytest.mark.parametrize("alpha", [-0.5, 0.3, 1.5])
def test_between_and_beyond_the_ends_it_is_the_plain_formula(alpha):
    a, b = f32([1, -2, 3]), f32([5, 7, -11])
    np.testing.assert_allclose(mix_leaves(a, [b], f32([alpha])), (1 - alpha) * a + alpha * b, rtol=1e-6)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_the_gradient_is_the_plain_formulas_at_the_ends_too(alpha):
    a, b, weight = f32([1, -2]), f32([5, 7]), f32([0.5, 2])
    loss = lambda alphas, a, b: jnp.sum(mix_leaves(a, [b], alphas) * weight)  # noqa: E731
    by_alpha, by_a, by_b = jax.jit(jax.grad(loss, (0, 1, 2)))(f32([alpha]), a, b)
    np.testing.assert_allclose(by_alpha, [np.sum((b - a) * weight)], rtol=1e-6)
    np.testing.assert_allclose(by_a, (1 - alpha) * weight, rtol=1e-6)
    np.testing.assert_allclose(by_b, alpha * weight, rtol=1e-6)


def test_an_image_has_forward_mode_derivatives_in_alpha(base, transfer):
    config = base.config.generator
    rng = np.random.RandomState(0)
    ws, along = rng.standard_normal((1, config.num_ws, config.w_dim)), rng.standard_normal((1, 16, 16, 3))
    ws, along = ws.astype(np.float32), along.astype(np.float32)

    def image(alpha):
        alphas = {name: alpha[None] for name in weights(base) if not is_buffer(name)}
        mixed = {**weights(base), **mix_trees(weights(base), [weights(transfer)], alphas)}
        return generator(config, mixed).synthesis(jnp.asarray(ws))

    @compiled
    def derivatives(alpha):
        direction = jnp.ones(())
        pushed = jax.jvp(image, (alpha,), (direction,))[1]
        linear = jax.linearize(image, alpha)[1](direction)
        pulled = jax.vjp(image, alpha)[1](jnp.asarray(along))[0]
        return pushed, jax.jacfwd(image)(alpha), linear, pulled

    pushed, jacobian, linear, pulled = derivatives(f32(0.3))
    assert np.abs(pushed).max() > 0.1
    for found in (jacobian, linear):
        np.testing.assert_allclose(found, pushed, atol=1e-5 * np.abs(pushed).max())
    np.testing.assert_allclose(np.vdot(pushed, along), pulled, rtol=1e-4)
    ends = [compiled(image)(f32(0.3 + step)) for step in (0.002, -0.002)]
    error = np.linalg.norm(pushed - (ends[0] - ends[1]) / 0.004)
    assert error < 0.02 * np.linalg.norm(pushed)


def test_the_core_compiles_once_for_every_alpha_schedule_and_r_swap(base, transfer):
    names = [n for n in weights(base) if resolution_of(n) and not is_buffer(n)]
    runs = []
    for schedule in (swap(4), swap(16), inverted(swap(8)), smooth(8, 0.5), constant(0.0), constant(0.3), only(16)):
        table = alpha_table(names, [schedule], resolve_sources([schedule], None, None, None))
        alphas = {name: f32(alpha) for name, alpha in table.items()}
        mix_trees({n: weights(base)[n] for n in names}, [{n: weights(transfer)[n] for n in names}], alphas)
        runs.append(mix_trees._cache_size())  # pyright: ignore
    assert len(set(runs)) == 1


def test_alpha_is_differentiable_through_the_generator():
    base, transfer = (tiny_model(seed, img_resolution=8) for seed in (1, 2))
    config = base.config.generator
    ws = jax.random.normal(jax.random.key(0), (1, config.num_ws, config.w_dim))
    names = [n for n in weights(base) if resolution_of(n) and not is_buffer(n)]

    @jax.jit
    def brightness(alpha):
        alphas = {name: alpha[None] for name in names}
        mixed = {**weights(base), **mix_trees(weights(base), [weights(transfer)], alphas)}
        return generator(config, mixed).synthesis(ws).mean()

    slope = jax.grad(brightness)(jnp.float32(0))
    step = (brightness(jnp.float32(1e-2)) - brightness(jnp.float32(-1e-2))) / 2e-2
    assert slope == pytest.approx(float(step), rel=0.02)
