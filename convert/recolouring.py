"""A model in other colours: grey, RGB, or RGBA, by changing its ToRGB and `fromrgb` alone."""

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from stylegan_jax.config import ConvConfig, ModelConfig
from stylegan_jax.errors import InputError
from stylegan_jax.storage.checkpoint import Model

CHANNELS = {"grey": 1, "rgb": 3, "rgba": 4}
LUMINANCE = (0.299, 0.587, 0.114)
Tensors = Mapping[str, np.ndarray]


class Map(NamedTuple):
    """An affine map of colours, exact for every pixel."""

    matrix: Float[np.ndarray, "new old"]
    offset: Float[np.ndarray, " new"]

    def then(self, other: "Map") -> "Map":
        """This one, and another after it."""
        return Map(other.matrix @ self.matrix, other.matrix @ self.offset + other.offset)


_TO_RGB = {
    1: Map(np.ones((3, 1)), np.zeros(3)),
    3: Map(np.eye(3), np.zeros(3)),
    4: Map(np.eye(3, 4), np.zeros(3)),
}
_FROM_RGB = {
    1: Map(np.array([LUMINANCE]), np.zeros(1)),
    3: _TO_RGB[3],
    4: Map(np.eye(4, 3), np.array([0.0, 0, 0, 1])),
}
"""Numbers of channels → to RGB, from RGB: grey is repeated, of RGB the luminance; alpha is dropped, or opaque."""


def recoloured(model: Model, colours: str) -> tuple[Model, list[str]]:
    """The model with other colours ("grey", "rgb", "rgba"), and a line for what is lost.

    Its pictures are the old ones: their luminance, grey ones repeated, RGB ones opaque. Its discriminator judges a
    picture as the old one judged it in the old colours; alpha does not count until training makes it.

    Raises InputError for other words, and for a model that is none of the three.
    """
    if colours not in CHANNELS:
        raise InputError("no such colours", f"choose among {', '.join(CHANNELS)}", file=f"--channels {colours}")
    old, new = model.config.generator.img_channels, CHANNELS[colours]
    if old not in _TO_RGB:
        raise InputError(
            f"this model has {old} channels, neither grey nor RGB", "leave --channels out", file=f"--channels {colours}"
        )
    if new == old:
        return model, []
    notes = ["alpha is left out: what was transparent shows its colour"] if old == 4 else []
    discriminator = model.config.discriminator
    config = ModelConfig(
        generator=dataclasses.replace(model.config.generator, img_channels=new),
        discriminator=None if discriminator is None else dataclasses.replace(discriminator, img_channels=new),
    )
    there, back = _TO_RGB[old].then(_FROM_RGB[new]), _TO_RGB[new].then(_FROM_RGB[old])
    networks = {
        network: _judging(leaves, back) if network == "D" else _making(leaves, there, config.generator)
        for network, leaves in model.networks.items()
    }
    return dataclasses.replace(model, config=config, networks=networks), notes


def _making(leaves: Tensors, colours: Map, config: ConvConfig) -> dict[str, np.ndarray]:
    """A generator whose every ToRGB makes the new colours.

    The offset is the last one's alone: what lies below is enlarged, which fades at the border.
    """
    changed = dict(leaves)
    for name, leaf in leaves.items():
        if name.endswith((".torgb.weight", ".torgb.bias")):
            changed[name] = np.tensordot(colours.matrix, leaf.astype(np.float64), 1).astype(leaf.dtype)
    last = f"synthesis.b{config.img_resolution}.torgb.bias"
    changed[last] = (changed[last] + colours.offset).astype(leaves[last].dtype)
    return changed


def _judging(leaves: Tensors, back: Map) -> dict[str, np.ndarray]:
    """A discriminator whose every `fromrgb` first maps the new colours `back` to the old ones.

    A stored weight counts by the root of its number of inputs.
    """
    changed = dict(leaves)
    old, new = back.matrix.shape
    for name, leaf in leaves.items():
        if name.endswith("fromrgb.weight"):
            weight, bias = leaf[:, :, 0, 0].astype(np.float64) / np.sqrt(old), name.replace("weight", "bias")
            changed[name] = (weight @ back.matrix * np.sqrt(new))[:, :, None, None].astype(leaf.dtype)
            changed[bias] = (leaves[bias] + weight @ back.offset).astype(leaves[bias].dtype)
    return changed
