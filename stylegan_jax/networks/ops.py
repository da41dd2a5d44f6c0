"""The arithmetic of StyleGAN2 on NHWC arrays: FIR resampling, modulated convolution, activations."""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Float

from stylegan_jax.config import Filter

Taps = np.ndarray | None
AnyTaps = Filter | Sequence | Taps
Ints = int | Sequence[int]
"""One number for both axes or (x, y); padding also (x0, x1, y0, y1)."""
Images = Float[Array, "n h w c"]
NewImages = Float[Array, "n h2 w2 c"]
Inputs = Float[Array, "n h w i"]
Outputs = Float[Array, "n h2 w2 o"]
_NHWC = ("NHWC", "HWIO", "NHWC")  # HWIO kernels make the gradients a third faster on CPU


def widen(x: Array) -> Array:
    """16-bit arrays as float32, in which sums and gains are computed (√2 and 0.2 have no 16-bit form)."""
    return x if x.dtype.itemsize > 2 else x.astype(jnp.float32)


def precision() -> str | None:
    """That of products: float32 is true float32 on every backend, unless `jax.default_matmul_precision` says otherwise.

    JAX's own default is ten bits on GPUs and seven on TPUs.
    """
    config: Any = jax.config
    return None if config.jax_default_matmul_precision else "highest"


def setup_filter(
    taps: AnyTaps, *, normalize: bool = True, flip_filter: bool = False, gain: float = 1, separable: bool | None = None
) -> np.ndarray:
    """FIR taps → float32 filter, `[k]` if separable (default: from 8 taps on), else the outer product `[k k]`."""
    f = np.asarray([1.0] if taps is None else taps, np.float64)
    if f.ndim == 1 and not (f.size >= 8 if separable is None else separable):
        f = np.outer(f, f)
    f = f / f.sum() if normalize else f
    f = np.flip(f) if flip_filter else f
    return (f * gain ** (f.ndim / 2)).astype(np.float32)


def upfirdn2d(
    x: Images, f: Taps, *, up: Ints = 1, down: Ints = 1, padding: Ints = 0, flip_filter: bool = False, gain: float = 1
) -> NewImages:
    """Inserts `up - 1` zeros after each pixel, pads (or crops), convolves with `f`, keeps every `down`-th pixel.

    Args:
      f: `[k]` (separable) or `[kh kw]`, a concrete array; None is the identity. True convolution unless `flip_filter`.
      padding: in pixels of the up-sampled image; negative crops.
    """
    upx, _, upy, _ = _sides(up)
    downx, _, downy, _ = _sides(down)
    x0, x1, y0, y1 = _sides(padding)
    f, parts = np.ones((1, 1)) if f is None else np.asarray(f, np.float64), []
    for column, row in zip(*_separate(f if flip_filter else np.flip(f)), strict=True):
        part = _fir(x, column * math.sqrt(gain), axis=1, up=upy, down=downy, before=y0, after=y1)
        parts.append(_fir(part, row * math.sqrt(gain), axis=2, up=upx, down=downx, before=x0, after=x1))
    return sum(parts[1:], parts[0]).astype(x.dtype)


def _sides(value: Ints) -> tuple[int, int, int, int]:
    if isinstance(value, int):
        return value, value, value, value
    x0, x1, y0, y1 = value if len(value) == 4 else (value[0], value[0], value[1], value[1])
    return x0, x1, y0, y1


def _separate(f: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Filters (columns, rows) whose outer products add up to `f`: one pair where `f` has rank 1."""
    if f.ndim == 1:
        return f[None], f[None]
    pivot = f[np.unravel_index(np.argmax(np.abs(f)), f.shape)]
    column, row = f[:, np.argmax(np.abs(f).max(0))], f[np.argmax(np.abs(f).max(1))]
    if pivot != 0 and np.allclose(np.outer(column, row) / pivot, f, rtol=1e-6, atol=0):
        scale = math.sqrt(abs(pivot))  # keeps the two factors of one size, so that neither over- nor underflows
        return column[None] / scale * np.sign(pivot), row[None] / scale
    return np.eye(len(f)), f


def _fir(x: Array, f: np.ndarray, *, axis: int, up: int, down: int, before: int, after: int) -> Array:
    """`upfirdn2d` along one axis as a sum of shifted slices, phase by phase, so that no inserted zero is ever read."""
    size, taps = x.shape[axis], len(f)
    total = (size * up + before + after - taps) // down + 1
    phases, stride = up // math.gcd(up, down), down // math.gcd(up, down)
    steps = -(-total // phases)
    # Output phases·q + r reads tap k from input stride·q + (r·down + k - before) / up, where that is whole.
    reads = [
        [((r * down + k - before) // up, f[k]) for k in range(taps) if (r * down + k - before) % up == 0 and f[k] != 0]
        for r in range(phases)
    ]
    offsets = [offset for phase in reads for offset, _ in phase] or [0]
    low = max(0, -min(offsets))
    span = stride * (steps - 1) + 1
    high = max(0, max(offsets) + span - size)
    x = lax.pad(x, jnp.zeros((), x.dtype), [(low, high, 0) if a == axis else (0, 0, 0) for a in range(x.ndim)])
    untouched = widen(jnp.zeros((*x.shape[:axis], steps, *x.shape[axis + 1 :]), x.dtype))

    def phase(entries: list[tuple[int, float]]) -> Array:
        slices = ((widen(lax.slice_in_dim(x, low + at, low + at + span, stride, axis)), tap) for at, tap in entries)
        return sum((pixels * np.asarray(tap, pixels.dtype) for pixels, tap in slices), untouched)

    joined = jnp.stack([phase(entries) for entries in reads], axis + 1)
    joined = joined.reshape(*x.shape[:axis], steps * phases, *x.shape[axis + 1 :])
    return lax.slice_in_dim(joined, 0, total, 1, axis)


def _aligned(padding: Ints, f: Taps, *, up: int = 0, down: int = 0) -> tuple[int, int, int, int]:
    """`padding` plus what keeps an image in place when `f` takes it `up` and `down`; 0 leaves a step out."""
    sides = list(_sides(padding))
    for axis, n in enumerate((1, 1) if f is None else (f.shape[-1], f.shape[0])):
        sides[2 * axis] += ((n + up - 1) // 2 if up else 0) + ((n - down + 1) // 2 if down else 0)
        sides[2 * axis + 1] += ((n - up) // 2 if up else 0) + ((n - down) // 2 if down else 0)
    return _sides(sides)


def upsample2d(
    x: Images, f: Taps, *, up: int = 2, padding: Ints = 0, flip_filter: bool = False, gain: float = 1
) -> NewImages:
    """Up-samples by `up`; output pixel 0 is aligned with input pixel 0 as in the official programs."""
    return upfirdn2d(x, f, up=up, padding=_aligned(padding, f, up=up), flip_filter=flip_filter, gain=gain * up**2)


def downsample2d(
    x: Images, f: Taps, *, down: int = 2, padding: Ints = 0, flip_filter: bool = False, gain: float = 1
) -> NewImages:
    """Filters and keeps every `down`-th pixel."""
    return upfirdn2d(x, f, down=down, padding=_aligned(padding, f, down=down), flip_filter=flip_filter, gain=gain)


def filter2d(x: Images, f: Taps, *, padding: Ints = 0, flip_filter: bool = False, gain: float = 1) -> NewImages:
    """Filters without changing the size (at padding 0)."""
    return upfirdn2d(x, f, padding=_aligned(padding, f, up=1), flip_filter=flip_filter, gain=gain)


def conv2d(
    x: Inputs, weight: Float[Array, "o i2 k l"], *, stride: int = 1, padding: Ints = 0, groups: int = 1
) -> Outputs:
    """Correlation, as torch's conv2d."""
    x0, x1, y0, y1 = _sides(padding)
    hwio, sides = weight.transpose(2, 3, 1, 0), ((y0, y1), (x0, x1))
    options: dict[str, Any] = {"dimension_numbers": _NHWC, "feature_group_count": groups, "precision": precision()}
    return lax.conv_general_dilated(x, hwio, (stride,) * 2, sides, **options)


@jax.custom_jvp
def transposed_conv2d(x: Inputs, weight: Float[Array, "o i k k"]) -> Outputs:
    """Transposed convolution with stride 2, no padding: `h` → `2·h + k - 2`."""
    return _zero_insertion(x, weight)


def _transposed_conv2d_jvp(primals: tuple[Array, Array], tangents: tuple[Any, Any]) -> tuple[Array, Array]:
    """XLA's own gradient of the weights is 5 to 10 times slower on CPU than that of a sum over the taps."""
    (x, weight), (dx, dweight) = primals, tangents
    y = transposed_conv2d(x, weight)
    parts = [] if isinstance(dx, SymbolicZero) else [_zero_insertion(dx, weight)]
    parts += [] if isinstance(dweight, SymbolicZero) else [_tap_by_tap(x, dweight)]
    return y, sum(parts[1:], parts[0]) if parts else jnp.zeros_like(y)


transposed_conv2d.defjvp(_transposed_conv2d_jvp, symbolic_zeros=True)


def _zero_insertion(x: Inputs, weight: Float[Array, "o i k k"]) -> Outputs:
    side = weight.shape[-1] - 1, weight.shape[-1] - 1
    hwio = jnp.flip(weight, (2, 3)).transpose(2, 3, 1, 0)
    options: dict[str, Any] = {"lhs_dilation": (2, 2), "dimension_numbers": _NHWC, "precision": precision()}
    return lax.conv_general_dilated(x, hwio, (1, 1), (side, side), **options)


def _tap_by_tap(x: Inputs, weight: Float[Array, "o i k k"]) -> Outputs:
    """The same as one product for each tap, its pixels spread apart."""
    k, zero = weight.shape[-1], jnp.zeros((), x.dtype)
    parts = []
    for row, column in itertools.product(range(k), range(k)):
        product = lax.dot_general(x, weight[:, :, row, column], (((3,), (1,)), ((), ())), precision=precision())
        spread = (row, k - 1 - row, 1), (column, k - 1 - column, 1)
        parts.append(lax.pad(product, zero, [(0, 0, 0), *spread, (0, 0, 0)]))
    return sum(parts[1:], parts[0])


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
    p = _aligned(padding, f, up=up if up > 1 else 0, down=down if down > 1 else 0)
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
    return lax.rsqrt(jnp.dot(jnp.square(styles), squares, precision="highest") + 1e-8)


class Activation(NamedTuple):
    """A function of (x, alpha) and the defaults that go with it."""

    function: Callable[[Array, float], Array]
    alpha: float
    gain: float


ACTIVATIONS = {
    "linear": Activation(lambda x, a: x, 0, 1),
    "relu": Activation(lambda x, a: jax.nn.relu(x), 0, math.sqrt(2)),
    "lrelu": Activation(lambda x, a: jnp.where(x >= 0, x, x * a), 0.2, math.sqrt(2)),
    "tanh": Activation(lambda x, a: jnp.tanh(x), 0, 1),
    "sigmoid": Activation(lambda x, a: jax.nn.sigmoid(x), 0, 1),
    "elu": Activation(lambda x, a: jax.nn.elu(x), 0, 1),
    "selu": Activation(lambda x, a: jax.nn.selu(x), 0, 1),
    "softplus": Activation(lambda x, a: jax.nn.softplus(x), 0, 1),
    "swish": Activation(lambda x, a: jax.nn.sigmoid(x) * x, 0, math.sqrt(2)),
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
