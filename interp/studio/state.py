"""What a page shows, as data: a recipe, and where between three seeds its w lies."""

import dataclasses
from typing import Any

from interp import recipes
from interp.recipes import Recipe
from stylegan_jax.errors import InputError
from stylegan_jax.storage import schema

MOST_PICTURES = 16


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pad:
    """A point in the plane through the w of three seeds: w_0 + x·(w_1 − w_0) + y·(w_2 − w_0).

    Attributes:
      seeds: the three.
      x, y: 0 … 1 is between them.
    """

    seeds: tuple[int, int, int]
    x: float = 0.0
    y: float = 0.0

    @property
    def shares(self) -> tuple[float, float, float]:
        """Of each seed's w in the point's."""
        return 1 - self.x - self.y, self.x, self.y


@dataclasses.dataclass(frozen=True, kw_only=True)
class State:
    """What a page shows: the blend of a recipe for its seeds or ws, or for a point of the pad."""

    recipe: Recipe
    pad: Pad | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain data, which `from_json` reads."""
        data = self.recipe.to_json()
        return data if self.pad is None else {**data, "pad": dataclasses.asdict(self.pad)}


_SEED = schema.Number(0, (1 << 32) - 1, whole=True)
_PAD = schema.Table(
    {"seeds": schema.ListOf(_SEED, 3, 3), "x": schema.Number(-10, 10), "y": schema.Number(-10, 10)},
    required=("seeds", "x", "y"),
)


def from_json(data: Any) -> State:
    """The state that a page or a picture describes; InputError for anything else. A page shows G_ema alone."""
    fields = dict(data) if isinstance(data, dict) else data
    pad = fields.pop("pad", None) if isinstance(fields, dict) else None
    recipe = dataclasses.replace(recipes.from_json(fields), networks=Recipe.networks)
    if pad is None:
        return State(recipe=recipe)
    if wrong := schema.faults(pad, _PAD):
        raise InputError(f"is no point of the pad: {', '.join(wrong)}", "write seeds, x and y")
    first, second, third = pad["seeds"]
    return State(recipe=recipe, pad=Pad(seeds=(first, second, third), x=float(pad["x"]), y=float(pad["y"])))
