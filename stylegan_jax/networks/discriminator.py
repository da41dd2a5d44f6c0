"""The StyleGAN2 discriminator (architectures resnet, skip and orig)."""

import math

import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from stylegan_jax.config import DiscriminatorConfig
from stylegan_jax.filters import DEFAULT_FILTER, Filter, setup_filter
from stylegan_jax.networks import ops
from stylegan_jax.networks.layers import (
    Linear,
    Mapping,
    Rngs,
    Weights,
    assemble,
    computes_in_16_bits,
    filter_buffer,
    normal,
    zeros,
)
from stylegan_jax.networks.precision import widen
from stylegan_jax.networks.resampling import downsample2d
from stylegan_jax.networks.stylegan2 import Features, Image, NewFeatures, ResampledSkip


class Conv2d(nnx.Module):
    """Convolution with equalised learning rate, bias and activation, down-sampling if asked."""

    def __init__(
        self,
        config: DiscriminatorConfig,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        rngs: Rngs,
        down: int = 1,
        clamp: bool = True,
    ):
        self.taps: Filter = config.resample_filter if down == 2 else DEFAULT_FILTER
        self.weight = normal(rngs, (outputs, inputs, kernel, kernel))
        self.bias = zeros((outputs,))
        self.resample_filter = filter_buffer(self.taps)
        self.down, self.padding, self.act = down, kernel // 2, config.activation
        self.conv_clamp = config.conv_clamp if clamp else None

    def __call__(self, x: Features, *, gain: float = 1.0) -> NewFeatures:
        """Applies the layer in the dtype of `x`; `gain` scales the activation's gain and the clamp."""
        weight = self.weight[...] / math.sqrt(self.weight[0].size)
        f = setup_filter(self.taps)
        x = ops.conv2d_resample(x, weight.astype(x.dtype), f, down=self.down, padding=self.padding)
        clamp = None if self.conv_clamp is None else self.conv_clamp * gain
        return ops.bias_act(x, self.bias[...], act=self.act, gain=ops.ACTIVATIONS[self.act].gain * gain, clamp=clamp)


class DiscriminatorBlock(nnx.Module):
    """One resolution: (fromrgb,) convolution, down-sampling convolution, and the shortcut of a resnet."""

    def __init__(self, config: DiscriminatorConfig, resolution: int, *, rngs: Rngs):
        inputs, outputs = config.channels(resolution), config.channels(resolution // 2)
        self.has_fromrgb = config.architecture == "skip" or resolution == config.img_resolution
        if self.has_fromrgb:
            self.fromrgb = Conv2d(config, config.img_channels, inputs, 1, rngs=rngs)
        self.conv0 = Conv2d(config, inputs, inputs, 3, rngs=rngs)
        self.conv1 = Conv2d(config, inputs, outputs, 3, rngs=rngs, down=2)
        if config.architecture == "resnet":
            self.skip = ResampledSkip(inputs, outputs, config.resample_filter, rngs=rngs, down=2)
        self.resample_filter = filter_buffer(config.resample_filter)
        self.architecture, self.taps = config.architecture, config.resample_filter
        self.in_16_bits = computes_in_16_bits(config, resolution)

    def __call__(
        self, x: Features | None, img: Image | None, *, dtype: DTypeLike = jnp.float32
    ) -> tuple[NewFeatures, Float[Array, "n h4 w4 rgb"] | None]:
        """(features, image) at this resolution → (features, image) at half of it."""
        dtype = dtype if self.in_16_bits else jnp.float32
        if self.has_fromrgb:
            assert img is not None
            y = self.fromrgb(img.astype(dtype))
            x = y if x is None else x.astype(dtype) + y
            img = downsample2d(img, setup_filter(self.taps)) if self.architecture == "skip" else None
        assert x is not None
        x = x.astype(dtype)
        if self.architecture == "resnet":
            y = self.conv1(self.conv0(x), gain=math.sqrt(0.5))
            return (self.skip(x) + widen(y)).astype(dtype), img
        return self.conv1(self.conv0(x)), img


class Epilogue(nnx.Module):
    """The 4×4 end: minibatch standard deviation, convolution, two fully connected layers; always float32."""

    def __init__(self, config: DiscriminatorConfig, *, rngs: Rngs):
        channels = config.channels(4)
        self.has_fromrgb = config.architecture == "skip"
        if self.has_fromrgb:
            self.fromrgb = Conv2d(config, config.img_channels, channels, 1, rngs=rngs, clamp=False)
        self.conv = Conv2d(config, channels + config.mbstd_num_channels, channels, 3, rngs=rngs)
        self.fc = Linear(channels * 16, channels, rngs=rngs, act=config.activation)
        self.out = Linear(channels, config.cmap_features or 1, rngs=rngs)
        self.group_size, self.num_channels = config.mbstd_group_size, config.mbstd_num_channels

    def __call__(self, x: Features, img: Image | None, cmap: Float[Array, "n m"] | None) -> Float[Array, "n 1"]:
        """Features at 4×4 → logits."""
        x = self.with_stddev(x, img)
        x = self.conv(x).transpose(0, 3, 1, 2)  # the stored matrix counts channels first
        x = self.out(self.fc(x.reshape(x.shape[0], -1)))
        return x if cmap is None else jnp.sum(x * cmap, 1, keepdims=True) / math.sqrt(cmap.shape[1])

    def with_stddev(self, x: Features, img: Image | None) -> NewFeatures:
        """The epilogue's input with the minibatch statistic as last channels."""
        x = x.astype(jnp.float32)
        if self.has_fromrgb:
            assert img is not None
            x = x + self.fromrgb(img.astype(jnp.float32))
        return ops.minibatch_stddev(x, self.group_size, self.num_channels) if self.num_channels else x


class Discriminator(nnx.Module):
    """Images (and labels) → logits."""

    def __init__(self, config: DiscriminatorConfig, *, rngs: Rngs):
        self.resolutions = tuple(reversed(config.resolutions[1:]))
        for resolution in self.resolutions:
            setattr(self, f"b{resolution}", DiscriminatorBlock(config, resolution, rngs=rngs))
        self.is_conditional = config.c_dim > 0
        if self.is_conditional:
            self.mapping = Mapping(config, rngs=rngs)
        self.b4 = Epilogue(config, rngs=rngs)

    def __call__(
        self,
        img: Float[Array, "n r r rgb"],
        c: Float[Array, "n c"] | None = None,
        *,
        dtype: DTypeLike = jnp.float32,
    ) -> Float[Array, "n 1"]:
        """Scores images: above 0 means real.

        Args:
          img: dynamic range [-1, 1].
          c: one-hot labels; needed by a conditional network.
          dtype: of the convolutions from `num_fp16_res` on.
        """
        x, rest = None, img
        for resolution in self.resolutions:
            x, rest = getattr(self, f"b{resolution}")(x, rest, dtype=dtype)
        assert x is not None
        return self.b4(x, rest, self.mapping(None, c) if self.is_conditional else None)


def discriminator(config: DiscriminatorConfig, weights: Weights) -> Discriminator:
    """The discriminator that holds `weights` (official names, no network prefix)."""
    return assemble(Discriminator, config, weights)
