"""What both networks are built of: fully connected layers, the mapping network, buffers, assembly from weights."""

import functools
import itertools
from collections.abc import Callable, Hashable
from collections.abc import Mapping as MappingType
from typing import TypeVar

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, PRNGKeyArray

from stylegan_jax.config import ConvConfig, DiscriminatorConfig, GeneratorConfig, embed_width
from stylegan_jax.filters import Filter, setup_filter
from stylegan_jax.names import flatten, unflatten
from stylegan_jax.networks import ops

Weights = MappingType[str, jax.typing.ArrayLike]
"""Official name → array, one network: the pytree that is blended, jitted and saved."""

Network = TypeVar("Network", bound=nnx.Module)

Rngs = nnx.Rngs | None
"""What initial weights are drawn from; None where only names and shapes are wanted, which is quick."""


class Buffer(nnx.Variable):
    """State that travels with the weights but is not trained: `w_avg`, `noise_const`, `resample_filter`."""


def filter_buffer(taps: Filter) -> Buffer:
    """The normalised filter as official files store it; the networks compute with the configuration's taps."""
    return Buffer(jnp.asarray(setup_filter(taps)))


def normal(rngs: Rngs, shape: tuple[int, ...], scale: float = 1.0) -> nnx.Param:
    """A parameter drawn from N(0, scale²)."""
    return nnx.Param(drawn(rngs, shape) * scale)


def drawn(rngs: Rngs, shape: tuple[int, ...]) -> Float[Array, "..."]:
    """N(0, 1)."""
    return jnp.zeros(shape) if rngs is None else jax.random.normal(rngs.params(), shape)


def zeros(shape: tuple[int, ...], value: float = 0.0) -> nnx.Param:
    """A parameter that starts at `value`."""
    return nnx.Param(jnp.full(shape, value, jnp.float32))


class Linear(nnx.Module):
    """Fully connected layer with equalised learning rate, always in float32."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        rngs: Rngs,
        act: str = "linear",
        lr_multiplier: float = 1.0,
        bias_init: float = 0.0,
    ):
        self.weight = normal(rngs, (outputs, inputs), 1 / lr_multiplier)
        self.bias = zeros((outputs,), bias_init)
        self.act, self.lr_multiplier = act, lr_multiplier

    def __call__(self, x: Float[Array, "n i"]) -> Float[Array, "n o"]:
        """Applies the layer."""
        return ops.dense(x, self.weight[...], self.bias[...], act=self.act, lr_multiplier=self.lr_multiplier)


class Mapping(nnx.Module):
    """(z, c) → w. The discriminator's label mapping is the same network with z_dim 0 and no `w_avg`."""

    def __init__(self, config: GeneratorConfig | DiscriminatorConfig, *, rngs: Rngs):
        if config.c_dim > 0:
            self.embed = Linear(config.c_dim, embed_width(config), rngs=rngs)
        widths = config.mapping_widths
        act, rate = config.mapping_activation, config.mapping_lr_multiplier
        for i, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
            setattr(self, f"fc{i}", Linear(inputs, outputs, rngs=rngs, act=act, lr_multiplier=rate))
        if isinstance(config, GeneratorConfig) and config.w_avg_beta is not None:
            self.w_avg = Buffer(jnp.zeros(config.w_dim))
        self.depth, self.c_dim, self.inputs = config.mapping_layers, config.c_dim, widths[0]

    def __call__(self, z: Float[Array, "n z"] | None, c: Float[Array, "n c"] | None = None) -> Float[Array, "n d"]:
        """Maps normalised latents and one-hot labels to w.

        Raises:
          ValueError: a conditional network without labels.
        """
        inputs = [ops.normalize_2nd_moment(z.astype(jnp.float32))] if z is not None and z.shape[1] > 0 else []
        if self.c_dim > 0:
            if c is None:
                raise ValueError(f"this network is conditional: labels c of shape [n {self.c_dim}] are missing")
            inputs.append(ops.normalize_2nd_moment(self.embed(c.astype(jnp.float32))))
        x = jnp.concatenate(inputs, 1)
        for i in range(self.depth):
            x = getattr(self, f"fc{i}")(x)
        return x


def computes_in_16_bits(config: ConvConfig, resolution: int) -> bool:
    """Whether a block follows a 16-bit `dtype`: those of `num_fp16_res`, or all from 8×8 where a model names none."""
    return resolution >= (config.fp16_resolution if config.num_fp16_res else 8)


@functools.lru_cache(maxsize=64)
def _graph(network: type[nnx.Module], config: Hashable) -> nnx.GraphDef:
    return nnx.split(nnx.eval_shape(lambda: network(config, rngs=None)))[0]  # type: ignore[call-arg]


def assemble(network: type[Network], config: Hashable, weights: Weights) -> Network:
    """A network that holds `weights`; nothing is initialised, computed or copied. Cheap enough to run inside jit.

    The names and shapes are taken as they are: files are checked when they are read (`checkpoint.load`).
    """
    return nnx.merge(_graph(network, config), unflatten(weights))


def initial_weights(network: type[nnx.Module], config: Hashable, key: PRNGKeyArray) -> dict[str, Array]:
    """Freshly initialised weights as a flat dict; N(0, 1) with equalised learning rate, as the official programs do."""
    return flatten(_initialiser(network, config)(key))


@functools.lru_cache(maxsize=8)
def _initialiser(network: type[nnx.Module], config: Hashable) -> Callable[[PRNGKeyArray], dict]:
    """The compiled initialisation: compiling takes far longer than running."""

    def init(key: PRNGKeyArray) -> dict:
        return nnx.to_pure_dict(nnx.split(network(config, rngs=nnx.Rngs(params=key)))[1])  # type: ignore[call-arg]

    return jax.jit(init)
