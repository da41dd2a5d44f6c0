"""Forms of the generator for inference: `plain`, the module as it stands, and `prepared`, its weights transformed once.

Both give the same images within 1e-4 of their RMS. On CPUs the prepared form runs every 3×3 convolution from 16×16 as
`strips`; elsewhere it scales the inputs, shares the weights and filters by shifted sums, so that demodulation, noise,
bias and activation are one fusion behind each convolution.
"""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Key

from stylegan_jax.config import SQUARE, GeneratorConfig, size_at
from stylegan_jax.errors import InputError
from stylegan_jax.filters import DEFAULT_FILTER, setup_filter
from stylegan_jax.names import first_w, layer_name, resolution_of
from stylegan_jax.networks import generators, ops
from stylegan_jax.networks.layers import Weights, computes_in_16_bits
from stylegan_jax.networks.precision import product_precision, widen
from stylegan_jax.networks.resampling import filter2d, upsample2d
from stylegan_jax.networks.stylegan2 import draw_noise
from stylegan_jax.sampler import winograd

Plan = Literal["plain", "prepared"]
Choice = Literal["auto", "plain", "prepared"]
Form = Literal["strips", "shared"]
Tree = dict[str, Any]  # arrays

WORTH = 1e9
"""Multiplications of one image from which the prepared form is faster by enough to repay its compilation."""
_SMALL = 32  # resolution to which up-sampling by nine taps pays
_ALONE = 128  # resolution from which a CPU takes one image after the other: the cache holds no more
_LRELU = ops.ACTIVATIONS["lrelu"]
Features = Float[Array, "n h w i"]
Styles = Float[Array, "n i"]
Latents = Float[Array, "n d"]
Matrices = Float[Array, "n i rgb"] | None
Noise = Literal["const", "none"] | Mapping[str, Float[Array, "..."]]
_NHWC = ("NHWC", "HWIO", "NHWC")


def choose(choice: Choice, config: GeneratorConfig) -> Plan:
    """The plan for a model; `auto` follows the work of one image alone, never how many are wanted: both forms agree but
    for single levels, and an image is the same in every job.

    Raises InputError where the prepared plan is asked for by name and does not cover the model.
    """
    if choice == "prepared" and not covers(config):
        what = "this model has no prepared plan: only square ones of skip, lrelu and [1, 3, 3, 1] have"
        raise InputError(what, "use --plan plain")
    if choice != "auto":
        return choice
    return "prepared" if covers(config) and multiplications(config) >= WORTH else "plain"


def covers(config: GeneratorConfig) -> bool:
    """Whether the prepared plan exists for a model."""
    ordinary = config.activation == "lrelu" and config.resample_filter == DEFAULT_FILTER
    skips = config.kind == GeneratorConfig.kind and config.architecture == "skip"
    return skips and ordinary and config.img_resolution >= 8 and config.const_size == SQUARE  # strips are of 4 pixels


def multiplications(config: GeneratorConfig) -> float:
    """Of the 3×3 convolutions of one image, those that up-sample counted at their lower resolution."""
    rows = [(r, config.channels(r), config.channels(max(r // 2, 4))) for r in config.resolutions]
    pixels = {r: math.prod(size_at(r, config.const_size)) for r in config.resolutions}
    return sum(9.0 * o * (pixels[r] * o + (pixels[r // 2] * i if r > 4 else 0)) for r, o, i in rows)


def form_on(platform: str, dtype: DTypeLike) -> Form:
    """Strips on CPUs, in float32; 16 bits gain nothing there."""
    return "strips" if platform == "cpu" and jnp.dtype(dtype) == jnp.float32 else "shared"


def compiler_options(plan: Plan, form: Form) -> dict[str, str]:
    """What `jax.jit` should tell XLA. Strips are products of small matrices, a third faster by Eigen than by YNNPACK.

    Nothing where this version of XLA does not know the setting.
    """
    return _BY_EIGEN if plan == "prepared" and form == "strips" and _is_known() else {}


_BY_EIGEN = {"xla_cpu_experimental_ynn_fusion_type": ""}


@functools.cache
def _is_known() -> bool:
    try:
        jax.jit(jnp.negative, compiler_options=_BY_EIGEN).lower(0.0).compile()
    except jax.errors.JaxRuntimeError:
        return False
    return True


def lay_out(weights: Weights) -> Tree:
    """The synthesis network, without its prefix, 3×3 weights as [k k i o]: the same numbers, ready to be blended."""
    named = synthesis_of(weights).items()
    return {name: jnp.transpose(leaf, (2, 3, 1, 0)) if _is_conv(name) else leaf for name, leaf in named}


def synthesis_of(weights: Weights) -> Tree:
    """The tensors of the synthesis network, without its prefix."""
    return dict(generators.below(weights, "synthesis."))


def _is_conv(name: str) -> bool:
    return name.endswith((".conv0.weight", ".conv1.weight"))


def prepare(laid_out: Tree, form: Form) -> Tree:
    """The weights as `synthesise` takes them; cheap enough to run for every frame of a moving α.

    Linear in the weights (a blend of prepared ones is the prepared blend) but for `square` and `peak`, by which 3×3
    convolutions demodulate: Σ w² over the taps, and the largest |w| of each output, which only float16 needs.
    """
    tree = dict(laid_out)
    for name in filter(_is_conv, laid_out):
        weight, layer = laid_out[name], name.removesuffix(".weight")
        squares = jnp.square(weight).reshape(9, *weight.shape[2:])
        tree[f"{layer}.square"] = sum(squares[1:], squares[0])  # XLA reduces leading axes ten times as slowly on CPUs
        if form == "shared":
            tree[f"{layer}.peak"] = jnp.max(jnp.abs(weight), (0, 1, 2))
        elif kind := _kind_on_cpu(name):
            tree[name] = kind[0](weight)
    return tree


def _kind_on_cpu(name: str) -> tuple[Callable[..., Any], Callable[..., Any]] | None:
    """How a CPU prepares the weights of a 3×3 convolution and runs it; None: as any other convolution."""
    resolution = resolution_of(name) or 4
    if layer_name(name) != "conv0":
        return (winograd.prepare_same, winograd.convolve) if resolution > 4 else None
    if resolution <= _SMALL:
        return winograd.prepare_taps, winograd.upsample_small
    return winograd.prepare_up, winograd.upsample


@functools.partial(jax.jit, static_argnames="form")
def prepared(weights: Weights, form: Form) -> Tree:
    """`prepare` of the official weights, compiled."""
    return prepare(lay_out(weights), form)


def synthesise(
    plan: Plan,
    config: GeneratorConfig,
    weights: Weights,
    ws: Float[Array, "n l d"],
    *,
    form: Form = "shared",
    noise: Literal["const", "none"] | Key[Array, " n"] = "const",
    dtype: DTypeLike = jnp.float32,
) -> Float[Array, "n h w rgb"]:
    """Images by either plan; arguments as those of `Synthesis`.

    Args:
      plan: says what `weights` are: a generator's by official names, or what `prepare` made of them in `form`.
    """
    if plan == "plain":
        return generators.synthesis(config, weights)(ws, noise=noise, dtype=dtype)
    network = Network(config, weights, form, dtype)
    images = noise if isinstance(noise, str) else draw_noise(config.resolutions, noise)
    low = [r for r in config.resolutions if form == "shared" or r < _ALONE]
    x, img = network.blocks(low, None, None, ws, images)
    high = config.resolutions[len(low) :]
    if not high:
        return img
    own = {} if isinstance(images, str) else images

    def one(parts: tuple) -> Array:
        x, img, ws, own = jax.tree.map(lambda a: a[None], parts)
        return network.blocks(high, x, img, ws, own or images)[1][0]

    return lax.map(one, (x, img, ws, own))


class Network(NamedTuple):
    """The prepared synthesis network, block by block."""

    config: GeneratorConfig
    weights: Mapping[str, Any]
    form: Form
    dtype: DTypeLike

    def blocks(
        self, resolutions: Sequence[int], x: Any, img: Any, ws: Float[Array, "n l d"], noise: Noise
    ) -> tuple[Any, Any]:
        """(features, image) of the block below the first → those of the last one; no features at full resolution."""
        for r in resolutions:
            index = first_w(r)
            dtype = self.dtype if computes_in_16_bits(self.config, r) else jnp.float32
            if r == 4:
                const = jnp.asarray(self.weights["b4.const"]).transpose(1, 2, 0).astype(dtype)
                x = jnp.broadcast_to(const, (len(ws), *const.shape))
            else:
                x = self.layer(f"b{r}.conv0", x.astype(dtype), ws[:, index], noise)[0]
                index += 1
            rgb = self.rgb_matrices(r, ws[:, index + 1])
            last = r == self.config.img_resolution
            x, rgb = self.layer(f"b{r}.conv1", x, ws[:, index], noise, rgb=rgb, only_rgb=last)
            assert rgb is not None
            rgb = ops.bias_act(rgb, self.weights[f"b{r}.torgb.bias"], clamp=self.config.conv_clamp)
            img = rgb if img is None else upsample2d(img, setup_filter(DEFAULT_FILTER)) + rgb
        return x, img

    def styles(self, layer: str, w: Latents) -> Styles:
        """The scales of a layer's input channels."""
        return ops.dense(w, self.weights[f"{layer}.affine.weight"], self.weights[f"{layer}.affine.bias"])

    def rgb_matrices(self, resolution: int, w: Latents) -> Float[Array, "n i rgb"]:
        """The modulated 1×1 convolution of a block to image channels: tiny, so one for each sample."""
        weight = jnp.asarray(self.weights[f"b{resolution}.torgb.weight"])[:, :, 0, 0]
        styles = self.styles(f"b{resolution}.torgb", w) / math.sqrt(weight.shape[1])
        return styles[:, :, None] * weight.T

    def layer(
        self, name: str, x: Features, w: Latents, noise: Noise, *, rgb: Matrices = None, only_rgb: bool = False
    ) -> tuple[Array | None, Array | None]:
        """Modulated convolution, noise, bias, activation → features and, with matrices `rgb`, their colours."""
        weight, up, styles = self.weights[f"{name}.weight"], ".conv0" in name, self.styles(name, w)
        square = self.weights[f"{name}.square"]
        if x.dtype == jnp.float16:  # float16 overflows otherwise; demodulation cancels both factors
            scale = 1 / (self.weights[f"{name}.peak"] * math.sqrt(math.prod(weight.shape[:3])))
            weight, square = weight * scale, square * scale**2
            styles = styles / jnp.max(jnp.abs(styles), 1, keepdims=True)
        factors = lax.rsqrt(jnp.dot(jnp.square(styles), square, precision="highest") + 1e-8)
        bias, image = jnp.asarray(self.weights[f"{name}.bias"]), self._noise(name, noise)
        finish = _Finish(
            factors * _LRELU.gain, image, bias * _LRELU.gain, self.config.conv_clamp, x.dtype, rgb, only_rgb
        )
        if self.form == "strips" and (kind := _kind_on_cpu(name)):
            return kind[1](x, weight, styles, finish)
        x = x * styles[:, None, None].astype(x.dtype)
        return finish(_convolved(x, weight.astype(x.dtype), up), 0, 0)

    def _noise(self, name: str, noise: Noise) -> Float[Array, "m r r"] | None:
        if not self.config.use_noise or noise == "none":
            return None
        image = jnp.asarray(self.weights[f"{name}.noise_const"])[None] if noise == "const" else noise[name]
        return image * (self.weights[f"{name}.noise_strength"] * _LRELU.gain)


class _Finish(NamedTuple):
    """What follows a convolution: demodulation, noise, bias, leaky ReLU, clamp, colours.

    The gain of the leaky ReLU is in factors, noise and bias already: a positive factor may as well come before it, and
    costs nothing there.
    """

    factors: Float[Array, "n o"]
    noise: Float[Array, "m r r"] | None
    bias: Float[Array, " o"]
    clamp: float | None
    dtype: DTypeLike
    rgb: Matrices
    only_rgb: bool

    def __call__(self, y: Features, first: Any, row: Any) -> tuple[Array | None, Array | None]:
        """Of some rows of some images; `first` is the first of the images, `row` that of the rows."""
        n, rows = y.shape[:2]
        y = widen(y) * _some(self.factors, first, n)[:, None, None]
        if self.noise is not None:
            image = _some(self.noise, first, n)
            y = y + lax.dynamic_slice_in_dim(image, row, rows, 1)[..., None]
        y = y + self.bias
        y = jnp.maximum(y, _LRELU.alpha * y)  # leaky ReLU without a branch
        y = (y if self.clamp is None else jnp.clip(y, -self.clamp, self.clamp)).astype(self.dtype)
        if self.rgb is None:
            return y, None
        matrices = _some(self.rgb, first, n).astype(y.dtype)
        options: dict[str, Any] = {"preferred_element_type": jnp.float32, "precision": product_precision()}
        colours = jnp.einsum("nhwi,nio->nhwo", y, matrices, **options)
        return None if self.only_rgb else y, colours


def _some(rows: Array, first: Any, n: int) -> Array:
    """`n` rows from `first` on, or the only one, which all images share."""
    return rows if len(rows) == 1 or len(rows) == n else lax.dynamic_slice_in_dim(rows, first, n, 0)


def _convolved(x: Features, weight: Float[Array, "k l i o"], up: bool) -> Float[Array, "n h2 w2 o"]:
    """3×3 correlation, or the filtered transposed convolution (stride 2), as one convolution and shifted sums."""
    side, dilation = (2, 2) if up else (1, 1), (2, 2) if up else (1, 1)
    weight = jnp.flip(weight, (0, 1)) if up else weight
    options: dict[str, Any] = {"dimension_numbers": _NHWC, "precision": product_precision()}
    y = lax.conv_general_dilated(x, weight, (1, 1), (side, side), lhs_dilation=dilation, **options)
    return filter2d(y, setup_filter(DEFAULT_FILTER), padding=(-1, 0, -1, 0), gain=4) if up else y
