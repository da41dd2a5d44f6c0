import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stylegan_jax.filters import setup_filter
from stylegan_jax.networks import ops
from stylegan_jax.networks.resampling import downsample2d, filter2d, upsample2d
from tests.golden_networks import compiled, nchw
from tests.golden_operations import CASES, cases, check, inputs, options, outputs, stored, taps
from tests.networks.test_resampling import FIR


def activated(case, x, b=None):
    return ops.bias_act(x, b, **options(case, "act", "alpha", "gain", "clamp"))


def convolved(case, x, w):
    return ops.conv2d_resample(x, w, taps(case), **options(case, "up", "down", "padding", "groups", "flip_weight"))


def modulated(case, x, w, styles, noise=None, dtype=jnp.float32):
    noise = noise[:, 0] if noise is not None and noise.ndim == 4 else noise
    arguments = options(case, "up", "down", "padding", "demodulate", "flip_weight")
    return ops.modulated_conv2d(x.astype(dtype), w, styles, noise=noise, f=taps(case), **arguments)


def modulated_in_float16(case, **arrays):
    return modulated(case, **arrays, dtype=jnp.float16).astype(jnp.float32)


def with_statistic(case, x):
    return ops.minibatch_stddev(x, CASES[case]["group_size"], CASES[case]["num_channels"])


def connected(case, x, w, b=None):
    return ops.dense(x, w, b, act=CASES[case]["activation"], lr_multiplier=CASES[case]["lr_multiplier"])


def convolution_layer(case, x, w, b=None):
    """Equalised learning rate, resampling convolution, and an activation whose gain and clamp the caller scales."""
    spec, (up, down) = CASES[case], (CASES[case].get("up", 1), CASES[case].get("down", 1))
    act, clamp, gain = spec.get("activation", "linear"), spec.get("conv_clamp"), spec["gain"]
    w, f = w / np.float32(np.sqrt(w[0].size)), setup_filter((1, 3, 3, 1))
    x = ops.conv2d_resample(x, w, f, up=up, down=down, padding=w.shape[-1] // 2, flip_weight=up == 1)
    clamp = None if clamp is None else clamp * gain
    return ops.bias_act(x, b, act=act, gain=ops.ACTIVATIONS[act].gain * gain, clamp=clamp)


@cases("bias_act")
def test_bias_act_equals_the_official_one(case):
    check(case, outputs(activated, "bias_act")[case])


@cases("conv2d_resample")
def test_conv2d_resample_equals_the_official_one(case):
    check(case, outputs(convolved, "conv2d_resample")[case])


@cases("modulated_conv2d")
def test_modulated_conv2d_equals_the_official_one(case):
    check(case, outputs(modulated, "modulated_conv2d")[case])


@pytest.mark.parametrize("case", [f"modulated_conv2d.{i:02}" for i in (0, 1, 2, 3, 6, 7)])
def test_modulated_conv2d_in_float16_errs_at_most_twice_as_much_as_the_official_one(case):
    exact, official = stored()[f"{case}.y"], stored()[f"{case}.y_fp16"]
    ours = nchw(outputs(modulated_in_float16, "modulated_conv2d")[case])
    assert np.abs(ours - exact).max() <= 2 * np.abs(official - exact).max()


@cases("normalize_2nd_moment")
def test_normalize_2nd_moment_equals_the_official_one(case):
    check(case, compiled(ops.normalize_2nd_moment)(inputs(case)["x"]))


@cases("minibatch_std")
def test_minibatch_stddev_equals_the_official_one(case):
    check(case, outputs(with_statistic, "minibatch_std")[case])


@cases("fully_connected")
def test_dense_equals_the_official_fully_connected_layer(case):
    check(case, outputs(connected, "fully_connected")[case])


@cases("conv2d_layer")
def test_conv2d_resample_and_bias_act_make_the_official_convolution_layer(case):
    check(case, outputs(convolution_layer, "conv2d_layer")[case])


def test_every_golden_case_of_the_operations_belongs_to_a_test():
    known = {*FIR, "setup_filter", "bias_act", "conv2d_resample", "modulated_conv2d", "normalize_2nd_moment"}
    known |= {"minibatch_std", "fully_connected", "conv2d_layer"}
    assert {case.split(".")[0] for case in CASES} == known and len(CASES) == 98


def penalty_on_gradients(loss):
    """The sum of squares of the gradients, as R1 and path length penalise them."""

    def penalty(*arguments):
        return sum(jnp.sum(jnp.square(g)) for g in jax.grad(loss, range(len(arguments)))(*arguments))

    return penalty


@pytest.mark.parametrize("kernel, size", [(3, 5), (4, 3)])
def test_transposed_conv2d_has_the_derivatives_of_the_convolution_it_stands_for(kernel, size):
    def plain(x, weight):
        weight, sides = jnp.flip(weight, (2, 3)).transpose(2, 3, 1, 0), ((kernel - 1, kernel - 1),) * 2
        layout = ("NHWC", "HWIO", "NHWC")
        return jax.lax.conv_general_dilated(x, weight, (1, 1), sides, (2, 2), dimension_numbers=layout)

    def outcome(convolve, x, weight):
        def loss(x, weight):
            y = convolve(x, weight)
            return jnp.sum(jnp.sin(y) * jax.random.normal(jax.random.key(0), y.shape))

        first = jax.value_and_grad(loss, (0, 1))(x, weight)
        pushed = [jax.jvp(lambda *a: convolve(*a), (x, weight), (x, weight))[1]]
        pushed += [jax.jvp(lambda a: convolve(a, weight), (x,), (x,))[1]]
        pushed += [jax.jacfwd(lambda scale: convolve(x, scale * weight))(jnp.ones(()))]
        return first, jax.grad(penalty_on_gradients(loss), (0, 1))(x, weight), pushed

    draw = np.random.RandomState(3)
    x, weight = draw.randn(2, size, size + 1, 3).astype(np.float32), draw.randn(4, 3, kernel, kernel).astype(np.float32)
    ours, expected = compiled(lambda *a: (outcome(ops.transposed_conv2d, *a), outcome(plain, *a)))(x, weight)
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5 * np.abs(b).max())


@pytest.mark.parametrize("demodulate", [True, False])
def test_up_sampling_modulated_conv2d_has_true_first_and_second_derivatives(demodulate):
    def loss(x, weight, styles):
        options = {"up": 2, "padding": 1, "flip_weight": False, "demodulate": demodulate}
        return jnp.sum(jnp.sin(ops.modulated_conv2d(x, weight, styles, f=setup_filter((1, 3, 3, 1)), **options)))

    def slopes(at, along):
        """Of the loss and of the penalty on its gradients: by autodiff, by central differences."""
        for function in (loss, penalty_on_gradients(loss)):
            grads = jax.grad(function, (0, 1, 2))(*at)
            ends = [function(*(a + step * d for a, d in zip(at, along, strict=True))) for step in (1e-6, -1e-6)]
            yield sum(jnp.vdot(g, d) for g, d in zip(grads, along, strict=True)), (ends[0] - ends[1]) / 2e-6

    draw = np.random.RandomState(4)
    with jax.enable_x64(True):
        at, along = ([draw.randn(*shape) for shape in ((2, 3, 3, 2), (2, 2, 3, 3), (2, 2))] for _ in range(2))
        for exact, measured in compiled(lambda at, along: list(slopes(at, along)))(at, along):
            np.testing.assert_allclose(exact, measured, rtol=1e-6)


def test_modulated_conv2d_equals_a_convolution_with_weights_made_for_each_sample():
    draw = np.random.RandomState(5)
    x, weight, styles = (draw.randn(*shape).astype(np.float32) for shape in ((3, 6, 6, 4), (5, 4, 3, 3), (3, 4)))
    each = weight[None] * styles[:, None, :, None, None]
    each = each / np.sqrt(np.square(each).sum((2, 3, 4), keepdims=True) + 1e-8)

    @compiled
    def run(x, weight, styles, each):
        singles = [ops.conv2d(x[i : i + 1], each[i], padding=1) for i in range(3)]
        return ops.modulated_conv2d(x, weight, styles, padding=1), jnp.concatenate(singles)

    modulated, expected = run(x, weight, styles, each)
    np.testing.assert_allclose(modulated, expected, atol=1e-5)


def test_modulated_conv2d_in_16_bits_survives_huge_styles_and_keeps_its_dtype():
    draw = np.random.RandomState(6)
    x, weight, styles = (draw.randn(*shape).astype(np.float32) for shape in ((2, 4, 4, 64), (3, 64, 3, 3), (2, 64)))

    dtypes = (jnp.float32, jnp.float16, jnp.bfloat16)
    run = compiled(lambda x, w, styles: [ops.modulated_conv2d(x.astype(d), w, styles, padding=1) for d in dtypes])
    exact, *in_16_bits = run(x, weight, 1e5 * styles)
    for dtype, y in zip(dtypes[1:], in_16_bits, strict=True):
        assert y.dtype == dtype
        np.testing.assert_allclose(y.astype(np.float32), exact, atol=0.05)


def test_minibatch_stddev_refuses_a_batch_that_its_groups_do_not_divide():
    with pytest.raises(ValueError, match="a batch of 6 does not split into groups of 4"):
        ops.minibatch_stddev(jnp.zeros((6, 4, 4, 2)), group_size=4)


def test_minibatch_stddev_groups_samples_that_lie_apart_and_not_neighbours():
    x = np.array([0, 10, 0, 10], np.float32)[:, None, None, None] * np.ones((4, 2, 2, 1), np.float32)
    pairs, whole = compiled(lambda x: [ops.minibatch_stddev(x, group_size=n)[..., -1] for n in (2, 4)])(x)
    np.testing.assert_allclose(pairs, 1e-4, rtol=1e-3)  # samples 0 and 2 are equal, and so are 1 and 3
    np.testing.assert_allclose(whole, 5, rtol=1e-6)


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16, jnp.float32])
def test_activations_and_resampling_keep_the_dtype_of_their_input(dtype):
    def outputs(x, bias):
        f = setup_filter((1, 3, 3, 1))
        yield from (operation(x, f) for operation in (upsample2d, downsample2d, filter2d))
        yield from (ops.bias_act(x, bias, act=act, clamp=1.0) for act in ops.ACTIVATIONS)

    x, bias = jax.ShapeDtypeStruct((1, 4, 4, 2), dtype), jax.ShapeDtypeStruct((2,), jnp.float32)
    assert {y.dtype for y in jax.eval_shape(lambda x, bias: list(outputs(x, bias)), x, bias)} == {jnp.dtype(dtype)}
