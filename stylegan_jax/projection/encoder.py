"""The encoder: a small network that sees a picture, and beside it what the model makes of its last answer.

It answers in P_N, so that an answer of length near one is something the model makes, and as e4e does: one place for
the first layer, and for every further layer how far it is from there ("Designing an Encoder for StyleGAN Image
Manipulation", Tov et al. 2021). The second picture is ReStyle's (Alaluf et al. 2021): the network may be asked again.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from stylegan_jax.config import GeneratorConfig, resolutions_up_to
from stylegan_jax.names import flatten
from stylegan_jax.networks import ops
from stylegan_jax.networks.layers import Buffer, Linear, Rngs, Weights, assemble, normal, zeros
from stylegan_jax.projection.latentspace import from_p_n
from stylegan_jax.scores.features import pooled
from stylegan_jax.storage import checkpoint

LARGEST_SEEN = 256
"""Pixels of a side: larger pictures are shrunk to it."""
SMALLEST = 16
Images = Float[Array, "n r r c"]
Places = Float[Array, "n l k"]
"""In the first directions of P_N, for every layer."""


@dataclass(frozen=True, kw_only=True)
class EncoderConfig:
    """What an encoder is.

    Attributes:
      resolution: of the model's images.
      img_channels, num_ws, w_dim: of the model.
      rank: in how many directions of P_N it answers, those in which w varies most; in the others it says the mean.
      width: feature maps at the resolution that it sees; twice as many at each half.
      most: feature maps of a layer at most.
      features: numbers between the convolutions and the answers.
    """

    resolution: int
    img_channels: int
    num_ws: int
    w_dim: int
    rank: int
    width: int = 16
    most: int = 128
    features: int = 256

    @classmethod
    def for_generator(cls, config: GeneratorConfig) -> "EncoderConfig":
        """Of a usual size for a generator."""
        wide = max(128, config.w_dim // 2)
        return cls(
            resolution=config.img_resolution,
            img_channels=config.img_channels,
            num_ws=config.num_ws,
            w_dim=config.w_dim,
            rank=min(config.w_dim, wide // 2),
            most=wide,
            features=2 * wide,
        )

    @property
    def seen(self) -> int:
        """Pixels of a side that it sees."""
        return min(self.resolution, LARGEST_SEEN)

    def channels(self, resolution: int) -> int:
        """Feature maps."""
        return min(self.width * (self.seen // resolution), self.most)


class Conv(nnx.Module):
    """Convolution with equalised learning rate, bias and leaky ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, rngs: Rngs, stride: int = 1, act: str = "lrelu"):
        self.weight = normal(rngs, (outputs, inputs, kernel, kernel))
        self.bias = zeros((outputs,))
        self.stride, self.act = stride, act

    def __call__(self, x: Float[Array, "n h w i"]) -> Float[Array, "n h2 w2 o"]:
        """Applies the layer."""
        weight = self.weight[...] / math.sqrt(self.weight[0].size)
        x = ops.conv2d(x, weight, stride=self.stride, padding=weight.shape[-1] // 2)
        return ops.bias_act(x, self.bias[...], act=self.act)


class Block(nnx.Module):
    """Two convolutions, the second of which halves the size, beside a shortcut."""

    def __init__(self, inputs: int, outputs: int, *, rngs: Rngs):
        self.conv0 = Conv(inputs, inputs, 3, rngs=rngs)
        self.conv1 = Conv(inputs, outputs, 3, rngs=rngs, stride=2)
        self.skip = Conv(inputs, outputs, 1, rngs=rngs, act="linear")

    def __call__(self, x: Float[Array, "n h w i"]) -> Float[Array, "n h2 w2 o"]:
        """Features at half the size."""
        y = self.conv1(self.conv0(x))
        return (y + self.skip(pooled(x, x.shape[1] // 2))) * math.sqrt(0.5)


class Encoder(nnx.Module):
    """(picture, what the model makes of the last answer) → what to add to that answer."""

    def __init__(self, config: EncoderConfig, *, rngs: Rngs):
        self.resolutions = tuple(reversed(resolutions_up_to(config.seen)[1:]))
        self.stem = Conv(2 * config.img_channels, config.channels(config.seen), 3, rngs=rngs)
        for r in self.resolutions:
            setattr(self, f"b{r}", Block(config.channels(r), config.channels(r // 2), rngs=rngs))
        narrow = config.channels(4) // 2
        self.squeeze = Conv(config.channels(4), narrow, 1, rngs=rngs)
        self.fc = Linear(16 * narrow, config.features, rngs=rngs, act="lrelu")
        self.first = Linear(config.features, config.rank, rngs=rngs)
        self.further = Linear(config.features, (config.num_ws - 1) * config.rank, rngs=rngs)
        for head in (self.first, self.further):  # the first answer of all is the mean
            head.weight = zeros(head.weight[...].shape)
        self.center = Buffer(jnp.zeros(config.w_dim))
        self.unwhiten = Buffer(jnp.zeros((config.rank, config.w_dim)))
        self.rank = config.rank

    def __call__(self, picture: Images, shown: Images) -> Places:
        """Looks at pictures in [-1, 1] of the size that the configuration says it sees."""
        x = self.stem(jnp.concatenate([picture, shown], -1))
        for r in self.resolutions:
            x = getattr(self, f"b{r}")(x)
        x = self.fc(self.squeeze(x).reshape(len(x), -1))
        first, further = self.first(x)[:, None], self.further(x).reshape(len(x), -1, self.rank)
        return jnp.concatenate([first, first + further], 1)

    def ws(self, places: Places) -> Float[Array, "n l d"]:
        """What an answer means."""
        return from_p_n(places, self.center[...], self.unwhiten[...])


def encoder(config: EncoderConfig, weights: Weights) -> Encoder:
    """The encoder that holds `weights`."""
    return assemble(Encoder, config, weights)


def layout(config: EncoderConfig) -> dict[str, tuple[int, ...]]:
    """Name → shape of every tensor; ValueError for a resolution that there is not."""
    state = nnx.split(nnx.eval_shape(lambda: Encoder(config, rngs=None)))[1]
    return {name: leaf.shape for name, leaf in flatten(nnx.to_pure_dict(state)).items()}


def as_seen(images: Images) -> Float[Array, "n s s c"]:
    """Pictures shrunk to the size that an encoder sees."""
    return images if images.shape[1] <= LARGEST_SEEN else pooled(images, LARGEST_SEEN)


@dataclass(frozen=True, eq=False)
class EncoderFile:
    """An encoder in memory.

    Attributes:
      config: of the network.
      weights: name → array.
      model_sha256: `checkpoint.fingerprint` of the model that it was trained for.
      lineage: how it was made.
    """

    config: EncoderConfig
    weights: Mapping[str, np.ndarray]
    model_sha256: str
    lineage: Mapping[str, Any]

    @property
    def sha256(self) -> str:
        """Of names and values: equal for equal weights."""
        return checkpoint.digest(self.weights)
