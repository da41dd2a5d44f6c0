"""Directions in w, z or style channels, and edits along them: w + strength · scale · v in some layers."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float

from stylegan_jax import values
from stylegan_jax.errors import InputError, shown

Vector = Float[np.ndarray, "l d"]
Space = Literal["w", "z", "style"]
SPACES: tuple[Space, ...] = ("w", "z", "style")
_MOST_LAYERS = 10_000
_CHANNEL = re.compile(r".+:\d{1,9}")


@dataclasses.dataclass(frozen=True, eq=False)
class Directions:
    """Vectors in the w of a model, one for each layer, or one in its z or its style channels.

    Attributes:
      names: one for each, none twice.
      vectors: float32, `[k num_ws w_dim]`; of z `[k 1 z_dim]`; of style channels `[k 1 s]`, in the order of a
        `stylespace.Shift`.
      scales: what an edit of strength 1 is long: of ours, a standard deviation along the vector, which has length 1 in
        each layer; of other programs' files 1, the vector as it is.
      layers: where an edit moves w unless it names other layers.
      card: plain data that tells how they were found: space (w, if it is not there), method, model, the hash of its
        mapping network, …
    """

    names: tuple[str, ...]
    vectors: Float[np.ndarray, "k l d"]
    scales: Float[np.ndarray, " k"]
    layers: Bool[np.ndarray, "k l"]
    card: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def space(self) -> Space:
        """What they move."""
        return self.card.get("space", "w")

    def edit(self, name: str, strength: float, layers: Sequence[int] | None = None) -> Vector:
        """What an edit adds to w in each layer, or to z or the styles.

        Args:
          name: of the direction.
          strength: how far, in scales; negative is the other way.
          layers: indices into ws; by default the direction's own.

        Raises InputError for a name or a layer that is not here.
        """
        if name not in self.names:
            raise InputError("no such direction", f"use {_listed(self.names)}", file=shown(name))
        index, count = self.names.index(name), self.vectors.shape[1]
        chosen = self.layers[index]
        if layers is not None and self.space != "w":
            raise InputError(
                "a direction in z or in style channels takes no layers", "leave them out", file=shown(name)
            )
        if layers is not None:
            if wrong := [layer for layer in layers if layer >= count]:
                raise InputError(f"the model has no layer {wrong[0]}", f"use 0 to {count - 1}", file=shown(name))
            chosen = np.isin(np.arange(count), layers)
        step = np.float32(strength * self.scales[index]) * self.vectors[index]
        return np.where(chosen[:, None], step, np.float32(0))


@dataclasses.dataclass(frozen=True)
class Edit:
    """`NAME=2.5` or `NAME=2.5:0-3`: a direction, how far, and in which layers."""

    name: str
    strength: float
    layers: tuple[int, ...] | None = None

    @property
    def text(self) -> str:
        """The form that `parse_edit` reads."""
        where = "" if self.layers is None else f":{','.join(map(str, self.layers))}"
        return f"{self.name}={self.strength:g}{where}"


def parse_edit(text: str) -> Edit:
    """Reads `NAME=STRENGTH` or `NAME=STRENGTH:LAYERS`; InputError for anything else."""
    name, equals, rest = text.rpartition("=")
    strength, colon, layers = rest.partition(":")
    if not equals or not name:
        raise InputError("is no edit", "write NAME=2.5, or NAME=2.5:0-3 for some layers", file=f"--edit {shown(text)}")
    chosen = tuple(values.seeds(layers, f"--edit {name}={strength}: layers", most=_MOST_LAYERS)) if colon else None
    return Edit(name, values.number(strength, f"--edit {name}", low=-1000, high=1000), chosen)


def parse_style(text: str) -> Edit:
    """Reads `LAYER:CHANNEL=STRENGTH`, such as `b64.conv1:137=+5`; InputError for anything else."""
    name, equals, strength = text.rpartition("=")
    if not equals or not _CHANNEL.fullmatch(name):
        what, file = "is no edit of a style channel", f"--style {shown(text)}"
        raise InputError(what, "write LAYER:CHANNEL=STRENGTH, such as b16.conv1:7=5", file=file)
    return Edit(name, values.number(strength, f"--style {name}", low=-1000, high=1000))


def _listed(names: Sequence[str], most: int = 12) -> str:
    return ", ".join(map(shown, names[:most])) + (", …" if len(names) > most else "")
