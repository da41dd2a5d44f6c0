"""StyleSpace (Wu et al. 2021): the scales that affine layers make of w, and weights whose styles are moved.

A style channel has the name of its layer and a number, `b64.conv1:137`. Styles are A·w + b: what is added to a channel
may as well be added to its b, so that no network knows of it and nothing compiles anew.
"""

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Float

from stylegan_jax.config import GeneratorConfig
from stylegan_jax.errors import InputError
from stylegan_jax.names import layout
from stylegan_jax.networks.layers import Weights

_BIAS = ".affine.bias"
Shift = Float[np.ndarray, " s"]
"""What is added to every style channel of a generator, the lowest resolution first."""


@functools.lru_cache(maxsize=32)
def layers(config: GeneratorConfig) -> dict[str, int]:
    """Layer, such as `b64.conv1` → how many style channels it has, in the order of a `Shift`."""
    biases = {name: shape for name, shape in layout(config).items() if name.endswith(_BIAS)}
    return {name.removeprefix("synthesis.").removesuffix(_BIAS): shape[0] for name, shape in biases.items()}


def count(config: GeneratorConfig) -> int:
    """How many style channels a generator has."""
    return sum(layers(config).values())


def pieces(config: GeneratorConfig, shift: Shift) -> Iterator[tuple[str, Float[np.ndarray, " i"]]]:
    """Each layer's part of a shift; InputError for a shift of another generator."""
    if len(shift) != count(config):
        what = f"an edit of {len(shift)} style channels, this model has {count(config)}"
        raise InputError(what, "use models whose layers are equally wide")
    ends = np.cumsum([*layers(config).values()])
    return zip(layers(config), np.split(shift, ends[:-1]), strict=True)


def moved(weights: Weights, config: GeneratorConfig, shift: Shift | None) -> dict[str, Any]:
    """The leaves of a generator, or of its synthesis in any plan, that a shift changes; those it leaves are left out.

    Raises InputError for a shift of another generator.
    """
    changed: dict[str, Any] = {}
    for layer, piece in [] if shift is None else pieces(config, shift):
        name = f"{layer}{_BIAS}" if f"{layer}{_BIAS}" in weights else f"synthesis.{layer}{_BIAS}"
        if piece.any():
            changed[name] = np.asarray(weights[name]) + piece
    return changed
