"""The arithmetic of StyleGAN2 on NHWC arrays: convolutions with resampling or modulation, activations, statistics."""

import itertools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Float

from stylegan_jax.config import ACTIVATION_GAINS, LRELU_SLOPE
from stylegan_jax.networks.precision import product_precision, widen
from stylegan_jax.networks.resampling import Images, Ints, Taps, aligned, per_side, upfirdn2d

Inputs = Float[Array, "n h w i"]
Outputs = Float[Array, "n h2 w2 o"]
_NHWC = ("NHWC", "HWIO", "NHWC")  # HWIO kernels make the gradients a third faster on CPU


def conv2d(
    x: Inputs, weight: Float[Array, "o i2 k l"], *, stride: int = 1, padding: Ints = 0, groups: int = 1
) -> Outputs:
    """Correlation, as torch's conv2d."""
    x0, x1, y0, y1 = per_side(padding)
    hwio, sides = weight.transpose(2, 3, 1, 0), ((y0, y1), (x0, x1))
    options: dict[str, Any] = {
        "dimension_numbers": _NHWC,
        "feature_group_count": groups,
        "precision": product_precision(),
    }
    return lax.conv_general_dilated(x, hwio, (stride,) * 2, sides, **options)


@jax.custom_jvp
def transposed_conv2d(x: Inputs, weight: Float[Array, "o i k k"]) -> Outputs:
    """Transposed convolution with stride 2, no padding: `h` → `2·h + k - 2`."""
    return _zero_insertion(x, weight)


def _transposed_conv2d_jvp(primals: tuple[Array, Array], tangents: tuple[Any, Any]) -> tuple[Array, Array]:
    """XLA's own gradient of the weights is 5 to 10 times slower on CPU than that of a sum over the taps."""
    (x, weight), (dx, dweight) = primals, tangents
    y = transposed_conv2d(x, weight)
    terms = [] if isinstance(dx, SymbolicZero) else [_zero_insertion(dx, weight)]
    terms += [] if isinstance(dweight, SymbolicZero) else [_tap_by_tap(x, dweight)]
    return y, sum(terms[1:], terms[0]) if terms else jnp.zeros_like(y)


transposed_conv2d.defjvp(_transposed_conv2d_jvp, symbolic_zeros=True)


def _zero_insertion(x: Inputs, weight: Float[Array, "o i k k"]) -> Outputs:
    side = weight.shape[-1] - 1, weight.shape[-1] - 1
    hwio = jnp.flip(weight, (2, 3)).transpose(2, 3, 1, 0)
    options: dict[str, Any] = {"lhs_dilation": (2, 2), "dimension_numbers": _NHWC, "precision": product_precision()}
    return lax.conv_general_dilated(x, hwio, (1, 1), (side, side), **options)


def _tap_by_tap(x: Inputs, weight: Float[Array, "o i k k"]) -> Outputs:
    """The same as one product for each tap, its pixels spread apart."""
    k, zero = weight.shape[-1], jnp.zeros((), x.dtype)
    terms = []
    for row, column in itertools.product(range(k), range(k)):
        product = lax.dot_general(x, weight[:, :, row, column], (((3,), (1,)), ((), ())), precision=product_precision())
        spread = (row, k - 1 - row, 1), (column, k - 1 - column, 1)
        terms.append(lax.pad(product, zero, [(0, 0, 0), *spread, (0, 0, 0)]))
    return sum(terms[1:], terms[0])


def conv2d_resample(
    x: Inputs,
    weight: Float[Array, "o i2 k k"],
    f: Taps = None,
    *,
    up: int = 1,
    down: int = 1,
    padding: Ints = 0,
    groups: int = 1,
    flip_weight: bool = True,
) -> Outputs:
    """Convolution with FIR up- or down-sampling around it.

    `padding` is that of the up-sampled image; `flip_weight` False is a true convolution, True torch's correlation.
    """
    k = weight.shape[-1]
    p = aligned(padding, f, up=up if up > 1 else 0, down=down if down > 1 else 0)
    correlate = weight if flip_weight else jnp.flip(weight, (2, 3))
    if up > 1:
        if up == 2 and k > 1 and groups == 1:
            x = transposed_conv2d(x, jnp.flip(correlate, (2, 3)))
            x = upfirdn2d(x, f, padding=[p[0] - k + 1, p[1] - k + 2, p[2] - k + 1, p[3] - k + 2], gain=up**2)
        elif k == 1:
            x = upfirdn2d(conv2d(x, correlate, groups=groups), f, up=up, padding=p, gain=up**2)
        else:
            x = conv2d(upfirdn2d(x, f, up=up, padding=p, gain=up**2), correlate, groups=groups)
        return upfirdn2d(x, f, down=down) if down > 1 else x
    if down > 1 and k == 1:
        return conv2d(upfirdn2d(x, f, down=down, padding=p), correlate, groups=groups)
    if down > 1:
        return conv2d(upfirdn2d(x, f, padding=p), correlate, stride=down, groups=groups)
    return conv2d(x, correlate, padding=p, groups=groups)


def modulated_conv2d(
    x: Inputs,
    weight: Float[Array, "o i k k"],
    styles: Float[Array, "n i"],
    *,
    noise: Float[Array, "h2 w2"] | Float[Array, "n h2 w2"] | None = None,
    up: int = 1,
    down: int = 1,
    f: Taps = None,
    padding: int = 0,
    demodulate: bool = True,
    flip_weight: bool = True,
) -> Outputs:
    """Scales the input channels by `styles`, convolves, and restores unit variance (StyleGAN2, eq. 1-3).

    The weights stay shared by the batch: x·s → convolution → ·d, with d = rsqrt(s² @ Σ_k w² + 1e-8) in float32,
    so that the operation partitions over devices. Then `noise` is added: one image for all samples or one for each.
    The result has the dtype of `x`.
    """
    dtype = x.dtype
    if dtype == jnp.float16 and demodulate:  # float16 overflows otherwise; demodulation cancels both factors
        weight = weight / (jnp.max(jnp.abs(weight), (1, 2, 3), keepdims=True) * math.sqrt(weight[0].size))
        styles = styles / jnp.max(jnp.abs(styles), 1, keepdims=True)
    x = x * styles[:, None, None, :].astype(dtype)
    x = widen(conv2d_resample(x, weight.astype(dtype), f, up=up, down=down, padding=padding, flip_weight=flip_weight))
    if demodulate:
        x = x * demodulation(weight, styles)[:, None, None, :]
    if noise is not None:
        x = x + (noise[..., None] if noise.ndim == 3 else noise[None, :, :, None])
    return x.astype(dtype)


def demodulation(weight: Float[Array, "o i k k"], styles: Float[Array, "n i"]) -> Float[Array, "n o"]:
    """The factors that restore unit variance: 1 / sqrt(Σ (w·s)² + 1e-8)."""
    squares = jnp.sum(jnp.square(weight), (2, 3)).T
    # Always true float32: the product is small, and its errors would scale whole channels.
    return lax.rsqrt(jnp.dot(jnp.square(styles), squares, precision="highest") + 1e-8)


class Activation(NamedTuple):
    """A function of (x, alpha) and the defaults that go with it."""

    function: Callable[[Array, float], Array]
    alpha: float
    gain: float


_FUNCTIONS: dict[str, Callable[[Array, float], Array]] = {
    "linear": lambda x, a: x,
    "relu": lambda x, a: jax.nn.relu(x),
    "lrelu": lambda x, a: jnp.where(x >= 0, x, x * a),
    "tanh": lambda x, a: jnp.tanh(x),
    "sigmoid": lambda x, a: jax.nn.sigmoid(x),
    "elu": lambda x, a: jax.nn.elu(x),
    "selu": lambda x, a: jax.nn.selu(x),
    "softplus": lambda x, a: jax.nn.softplus(x),
    "swish": lambda x, a: jax.nn.sigmoid(x) * x,
}
ACTIVATIONS = {
    name: Activation(function, LRELU_SLOPE if name == "lrelu" else 0, ACTIVATION_GAINS[name])
    for name, function in _FUNCTIONS.items()
}


def bias_act(
    x: Float[Array, "n *s c"],
    b: Float[Array, " c"] | None = None,
    *,
    act: str = "linear",
    alpha: float | None = None,
    gain: float | None = None,
    clamp: float | None = None,
) -> Float[Array, "n *s c"]:
    """Bias → activation → gain → clamp to ±`clamp`; `alpha` and `gain` default to the activation's own."""
    chosen, y = ACTIVATIONS[act], widen(x)
    y = y if b is None else y + b.astype(y.dtype)
    y = chosen.function(y, chosen.alpha if alpha is None else alpha) * (chosen.gain if gain is None else gain)
    return (y if clamp is None else jnp.clip(y, -clamp, clamp)).astype(x.dtype)


def dense(
    x: Float[Array, "n i"],
    weight: Float[Array, "o i"],
    bias: Float[Array, " o"] | None = None,
    *,
    act: str = "linear",
    lr_multiplier: float = 1,
) -> Float[Array, "n o"]:
    """Fully connected layer with equalised learning rate: the gains lr/√i and lr are applied at run time."""
    x = lax.dot_general(x, weight, (((1,), (1,)), ((), ())), precision="highest")  # no transposed copy of the weight
    x = x * (lr_multiplier / math.sqrt(weight.shape[1]))
    return bias_act(x, None if bias is None else bias * lr_multiplier, act=act)


def normalize_2nd_moment(x: Float[Array, "n d"]) -> Float[Array, "n d"]:
    """Scales each row to a mean square of 1."""
    return x * lax.rsqrt(jnp.mean(jnp.square(x), 1, keepdims=True) + 1e-8)


def minibatch_stddev(x: Images, group_size: int | None = 4, num_channels: int = 1) -> Float[Array, "n h w c2"]:
    """Appends the standard deviation over groups of samples as `num_channels` last channels.

    Samples of one group lie n/group_size apart. Raises ValueError where `n` is not a multiple of the group.
    """
    n, h, w, c = x.shape
    size = n if group_size is None else min(group_size, n)
    if n % size:
        raise ValueError(f"minibatch stddev: a batch of {n} does not split into groups of {size}")
    groups = x.reshape(size, n // size, h, w, num_channels, c // num_channels)
    y = jnp.sqrt(jnp.var(groups, 0) + 1e-8).mean((1, 2, 4))[:, None, None]
    return jnp.concatenate([x, jnp.tile(y, (size, h, w, 1))], -1)
