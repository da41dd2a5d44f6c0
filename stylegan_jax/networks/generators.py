"""Generators of every kind by their weights: the one table of which modules make up which kind."""

from typing import NamedTuple

from jax import Array
from jaxtyping import PRNGKeyArray

from stylegan_jax.config import GeneratorConfig
from stylegan_jax.networks.layers import Mapping, Weights, assemble, initial_weights
from stylegan_jax.networks.stylegan2 import Generator, Synthesis


class Modules(NamedTuple):
    """The classes of one kind of generator; each is made of (configuration, rngs)."""

    generator: type[Generator]
    mapping: type[Mapping]
    synthesis: type[Synthesis]


KINDS = {GeneratorConfig.kind: Modules(Generator, Mapping, Synthesis)}


def generator(config: GeneratorConfig, weights: Weights) -> Generator:
    """The generator that holds `weights` (official names, no network prefix)."""
    return assemble(KINDS[config.kind].generator, config, weights)


def mapping(config: GeneratorConfig, weights: Weights) -> Mapping:
    """The mapping network of a generator that holds `weights`, whatever else they name."""
    return assemble(KINDS[config.kind].mapping, config, below(weights, "mapping."))


def synthesis(config: GeneratorConfig, weights: Weights) -> Synthesis:
    """The synthesis network of a generator that holds `weights`, whatever else they name."""
    return assemble(KINDS[config.kind].synthesis, config, below(weights, "synthesis."))


def below(weights: Weights, prefix: str) -> Weights:
    """The tensors whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): leaf for name, leaf in weights.items() if name.startswith(prefix)}


def initial_generator(config: GeneratorConfig, key: PRNGKeyArray) -> dict[str, Array]:
    """Freshly initialised weights of a generator; see `layers.initial_weights`."""
    return initial_weights(KINDS[config.kind].generator, config, key)
