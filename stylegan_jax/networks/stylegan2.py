"""The StyleGAN2 generator: mapping network and synthesis network (architectures skip, orig and resnet)."""

import math
from collections.abc import Iterator, Sequence
from collections.abc import Mapping as MappingType
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Key

from stylegan_jax.config import SQUARE, GeneratorConfig, Size, size_at
from stylegan_jax.filters import DEFAULT_FILTER, setup_filter
from stylegan_jax.names import first_w
from stylegan_jax.networks import ops
from stylegan_jax.networks.layers import (
    Buffer,
    Linear,
    Mapping,
    Rngs,
    computes_in_16_bits,
    drawn,
    filter_buffer,
    normal,
    zeros,
)
from stylegan_jax.networks.precision import product_precision, widen
from stylegan_jax.networks.resampling import upsample2d

NoiseImages = Literal["const", "none"] | MappingType[str, Float[Array, "..."]]
"""Stored buffers, nothing, or images by layer (`b8.conv0`), `[h w]` or `[n h w]`."""
NoiseInput = NoiseImages | Key[Array, "*keys"]
"""The same, or fresh draws from a key (or from one key per sample)."""
Styles = Float[Array, "n d"]
Features = Float[Array, "n h w i"]
NewFeatures = Float[Array, "n h2 w2 o"]
Image = Float[Array, "n h3 w3 rgb"]


class SynthesisLayer(nnx.Module):
    """Modulated 3×3 convolution, noise, bias, activation."""

    def __init__(self, config: GeneratorConfig, name: str, resolution: int, inputs: int, *, up: int, rngs: Rngs):
        taps = config.resample_filter if up == 2 else DEFAULT_FILTER
        self.affine = Linear(config.w_dim, inputs, rngs=rngs, bias_init=1.0)
        self.weight = normal(rngs, (config.channels(resolution), inputs, 3, 3))
        self.bias = zeros((config.channels(resolution),))
        self.resample_filter = filter_buffer(taps)
        if config.use_noise:
            self.noise_strength = zeros(())
            self.noise_const = Buffer(drawn(rngs, size_at(resolution, config.const_size)))
        self.name, self.resolution, self.up, self.taps = name, resolution, up, taps
        self.act, self.conv_clamp, self.use_noise = config.activation, config.conv_clamp, config.use_noise

    def __call__(self, x: Features, w: Styles, noise: NoiseImages = "const", *, gain: float = 1.0) -> NewFeatures:
        """Applies the layer in the dtype of `x`; `gain` scales the activation's gain and the clamp."""
        x = ops.modulated_conv2d(
            x,
            self.weight[...],
            self.affine(w),
            noise=self.noise(noise),
            up=self.up,
            f=setup_filter(self.taps),
            padding=1,
            flip_weight=self.up == 1,  # the up-sampling layer is a true convolution, unlike every other one
        )
        clamp = None if self.conv_clamp is None else self.conv_clamp * gain
        return ops.bias_act(x, self.bias[...], act=self.act, gain=ops.ACTIVATIONS[self.act].gain * gain, clamp=clamp)

    def noise(self, source: NoiseImages) -> Array | None:
        """The noise image(s) of this layer times the learned strength; None where there is none."""
        if not self.use_noise or (isinstance(source, str) and source == "none"):
            return None
        image = self.noise_const[...] if isinstance(source, str) else jnp.asarray(source[self.name])
        return image * self.noise_strength[...]


class ToRGB(nnx.Module):
    """Modulated 1×1 convolution to image channels: no noise, no demodulation."""

    def __init__(self, config: GeneratorConfig, resolution: int, *, rngs: Rngs):
        inputs = config.channels(resolution)
        self.affine = Linear(config.w_dim, inputs, rngs=rngs, bias_init=1.0)
        self.weight = normal(rngs, (config.img_channels, inputs, 1, 1))
        self.bias = zeros((config.img_channels,))
        self.conv_clamp = config.conv_clamp

    def __call__(self, x: Features, w: Styles) -> Float[Array, "n h w rgb"]:
        """Features → image in the dtype of `x`."""
        weight = self.weight[..., 0, 0]
        styles = self.affine(w) / math.sqrt(weight.shape[1])
        # The modulated matrix is tiny: one for each sample costs less than scaling the features.
        matrices = (styles[:, None, :] * weight).astype(x.dtype)
        rgb = jnp.einsum("nhwi,noi->nhwo", x, matrices, precision=product_precision())
        return ops.bias_act(rgb, self.bias[...], clamp=self.conv_clamp)


class ResampledSkip(nnx.Module):
    """1×1 convolution with resampling, no bias: the shortcut of a resnet block, scaled by √½."""

    def __init__(self, inputs: int, outputs: int, taps: tuple, *, rngs: Rngs, up: int = 1, down: int = 1):
        self.weight = normal(rngs, (outputs, inputs, 1, 1))
        self.resample_filter = filter_buffer(taps)
        self.up, self.down, self.taps = up, down, taps

    def __call__(self, x: Features) -> NewFeatures:
        """Applies the shortcut; in float32 at least, so that the sum with the other branch is rounded once."""
        weight = (self.weight[...] / math.sqrt(self.weight.shape[1])).astype(x.dtype)
        y = ops.conv2d_resample(x, weight, setup_filter(self.taps), up=self.up, down=self.down)
        return widen(y) * math.sqrt(0.5)


class SynthesisBlock(nnx.Module):
    """One resolution: (up-sampling convolution,) convolution, and, where the architecture has it, ToRGB."""

    def __init__(self, config: GeneratorConfig, resolution: int, *, rngs: Rngs):
        inputs, outputs = config.channels(max(resolution // 2, 4)), config.channels(resolution)
        name = f"b{resolution}"
        if resolution == 4:
            self.const = normal(rngs, (outputs, *config.const_size))
        else:
            self.conv0 = SynthesisLayer(config, f"{name}.conv0", resolution, inputs, up=2, rngs=rngs)
        self.conv1 = SynthesisLayer(config, f"{name}.conv1", resolution, outputs, up=1, rngs=rngs)
        self.has_torgb = config.architecture == "skip" or resolution == config.img_resolution
        if self.has_torgb:
            self.torgb = ToRGB(config, resolution, rngs=rngs)
        self.is_resnet = config.architecture == "resnet" and resolution > 4
        if self.is_resnet:
            self.skip = ResampledSkip(
                config.channels(resolution // 2), outputs, config.resample_filter, rngs=rngs, up=2
            )
        self.resample_filter = filter_buffer(config.resample_filter)
        self.resolution, self.taps = resolution, config.resample_filter
        self.in_16_bits = computes_in_16_bits(config, resolution)

    def __call__(
        self,
        x: Features | None,
        img: Image | None,
        ws: Float[Array, "n l d"],
        *,
        noise: NoiseImages = "const",
        dtype: DTypeLike = jnp.float32,
    ) -> tuple[NewFeatures, Float[Array, "n h2 w2 rgb"] | None]:
        """(features, image) of the block below → those of this one; the image is float32, `ws` the whole network's."""
        dtype = dtype if self.in_16_bits else jnp.float32
        x, w = self.features(x, ws, noise, dtype), first_w(self.resolution) + (1 if self.resolution == 4 else 2)
        if img is not None:
            img = upsample2d(img, setup_filter(self.taps))
        if self.has_torgb:
            rgb = self.torgb(x, ws[:, w]).astype(jnp.float32)
            img = rgb if img is None else img + rgb
        return x, img

    def features(
        self, x: Features | None, ws: Float[Array, "n l d"], noise: NoiseImages, dtype: DTypeLike
    ) -> NewFeatures:
        """The block without its image branch."""
        w = first_w(self.resolution)
        if x is None:
            const = self.const[...].transpose(1, 2, 0)[None].astype(dtype)
            return self.conv1(jnp.broadcast_to(const, (ws.shape[0], *const.shape[1:])), ws[:, w], noise)
        x = x.astype(dtype)
        y = self.conv0(x, ws[:, w], noise)
        if self.is_resnet:
            y = self.conv1(y, ws[:, w + 1], noise, gain=math.sqrt(0.5))
            return (self.skip(x) + widen(y)).astype(dtype)
        return self.conv1(y, ws[:, w + 1], noise)


class Synthesis(nnx.Module):
    """ws → image."""

    def __init__(self, config: GeneratorConfig, *, rngs: Rngs):
        for resolution in config.resolutions:
            setattr(self, f"b{resolution}", SynthesisBlock(config, resolution, rngs=rngs))
        self.resolutions, self.num_ws, self.const_size = config.resolutions, config.num_ws, config.const_size

    def __call__(
        self, ws: Float[Array, "n l d"], *, noise: NoiseInput = "const", dtype: DTypeLike = jnp.float32
    ) -> Float[Array, "n h w rgb"]:
        """Synthesises images, nominally in [-1, 1] and not clamped.

        Args:
          ws: one w per layer.
          noise: "const", "none", a PRNG key (or one per sample), or {layer name: image}.
          dtype: of the convolutions from `num_fp16_res` on; styles, demodulation and the image stay float32.
        """
        *_, (_, _, img) = self.steps(ws, noise=noise, dtype=dtype)
        assert img is not None
        return img

    def steps(
        self, ws: Float[Array, "n l d"], *, noise: NoiseInput = "const", dtype: DTypeLike = jnp.float32
    ) -> Iterator[tuple[int, Array, Array | None]]:
        """Yields (resolution, features, image) after each block."""
        if not isinstance(noise, str | MappingType):
            noise = self.draw_noise(noise if noise.ndim else jax.random.split(noise, ws.shape[0]))
        x = img = None
        for resolution in self.resolutions:
            x, img = getattr(self, f"b{resolution}")(x, img, ws, noise=noise, dtype=dtype)
            yield resolution, x, img

    def draw_noise(self, keys: Key[Array, " n"]) -> dict[str, Float[Array, "n h w"]]:
        """N(0, 1) for every layer, one key per sample, so that a sample's noise does not depend on its batch."""
        return draw_noise(self.resolutions, keys, self.const_size)


def noise_layers(resolutions: Sequence[int]) -> dict[str, int]:
    """The layers that take noise, `b8.conv0`, …, and the resolution of their images."""
    return {f"b{r}.{name}": r for r in resolutions for name in ("conv0", "conv1") if r > 4 or name == "conv1"}


def draw_noise(
    resolutions: Sequence[int], keys: Key[Array, " n"], const_size: Size = SQUARE
) -> dict[str, Float[Array, "n h w"]]:
    """`Synthesis.draw_noise` of a network with these resolutions."""
    layers = {name: size_at(r, const_size) for name, r in noise_layers(resolutions).items()}
    sizes = [height * width for height, width in layers.values()]
    draws = jax.vmap(lambda key: jax.random.normal(key, (sum(sizes),)))(keys)
    images = jnp.split(draws, np.cumsum(sizes)[:-1], 1)
    return {name: image.reshape(-1, *size) for (name, size), image in zip(layers.items(), images, strict=True)}


class Generator(nnx.Module):
    """z (and labels) → images. Truncation lies outside, in `latents`."""

    def __init__(self, config: GeneratorConfig, *, rngs: Rngs):
        self.mapping = Mapping(config, rngs=rngs)
        self.synthesis = Synthesis(config, rngs=rngs)

    def __call__(
        self,
        z: Float[Array, "n z"],
        c: Float[Array, "n c"] | None = None,
        *,
        noise: NoiseInput = "const",
        dtype: DTypeLike = jnp.float32,
    ) -> Float[Array, "n h w rgb"]:
        """Images of latents without truncation; arguments as in `Synthesis`."""
        w = self.mapping(z, c)
        ws = jnp.broadcast_to(w[:, None], (w.shape[0], self.synthesis.num_ws, w.shape[1]))
        return self.synthesis(ws, noise=noise, dtype=dtype)
