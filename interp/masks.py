"""Masks of pictures: where a blend shows, and where the base stays. A picture's grey or alpha, or a soft ellipse."""

import dataclasses
import hashlib
import math
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from interp.argument_errors import ArgumentError
from interp.recipes import Recipe
from stylegan_jax.config import SQUARE, GeneratorConfig, Size, size_at
from stylegan_jax.errors import InputError
from stylegan_jax.pictures import masks

INVERT = ":invert"
_ELLIPSE = "write ellipse=0.5,0.46,0.34,0.42:soft=0.25: centre, half-axes and softness in shares of the picture"


@dataclasses.dataclass(frozen=True)
class Ellipse:
    """A soft ellipse; the default lies over the head of an aligned face.

    Attributes:
      x, y: centre, from the upper left corner, in shares of the picture's sides.
      width, height: half-axes, in shares of the shorter side: heads are as wide in a picture that is wider.
      soft: half the width of the border in shares of the half-axes.
    """

    x: float = 0.5
    y: float = 0.46
    width: float = 0.34
    height: float = 0.42
    soft: float = 0.25

    def draw(self, size: Size) -> Float32[np.ndarray, "h w"]:
        """1 inside, 0 outside, level at both ends of the border, which is one pixel wide at least."""
        y, x = ((np.arange(side) + 0.5) / side for side in size)
        height, width = (axis * (min(size) / side) for axis, side in zip((self.height, self.width), size, strict=True))
        distance = np.hypot((x - self.x) / width, (y[:, None] - self.y) / height)
        soft = max(self.soft, 0.5 / (min(size) * min(self.width, self.height)))
        share = ((1 + soft - distance) / (2 * soft)).clip(0, 1)
        return (share * share * (3 - 2 * share)).astype(np.float32)


def parse_ellipse(text: str) -> Ellipse | None:
    """`ellipse` or `ellipse=X,Y,WIDTH,HEIGHT:soft=S` → the ellipse; None for what is the path of a picture.

    Raises InputError for numbers that make none.
    """
    head, *options = text.split(":")
    name, equals, numbers = head.partition("=")
    if name != "ellipse":
        return None
    names = [field.name for field in dataclasses.fields(Ellipse)]
    given = dict(zip(names, numbers.split(","), strict=False)) if equals else {}
    given |= {key: value for key, _, value in (option.partition("=") for option in options)}
    try:
        ellipse = Ellipse(**{key: float(value) for key, value in given.items()})
    except (TypeError, ValueError):
        raise ArgumentError("mask", text, "no ellipse", _ELLIPSE) from None
    shares = [getattr(ellipse, name) for name in names]
    complete = not equals or len(numbers.split(",")) == 4
    if not (complete and all(map(math.isfinite, shares)) and max(map(abs, shares)) <= 4):
        raise ArgumentError("mask", text, "no ellipse", _ELLIPSE)
    if min(ellipse.width, ellipse.height) < 0.01 or not 0 <= ellipse.soft <= 1:
        raise ArgumentError("mask", text, "half-axes are 0.01 or more, softness is 0 to 1", _ELLIPSE)
    return ellipse


@dataclasses.dataclass(frozen=True, eq=False)
class Mask:
    """Where a blend shows.

    Attributes:
      text: as a recipe names it.
      values: 1 where the blend shows, 0 where the base stays, of the size of the models' images.
      at: the only resolution at which features are mixed; None for all.
      sha256: of the file; None for an ellipse.
      const_size: of the models' learned input.
    """

    text: str
    values: Float32[np.ndarray, "H W"]
    at: int | None = None
    sha256: str | None = None
    const_size: Size = SQUARE

    def pyramid(self) -> dict[int, Float32[np.ndarray, "_ _"]]:
        """Resolution → the mask, averaged over each of its pixels; ones where nothing is to be mixed."""
        scale, found = len(self.values) // self.const_size[0], {}
        for i in range(scale.bit_length()):
            r, (height, width) = 4 << i, size_at(4 << i, self.const_size)
            cells = self.values.reshape(height, scale >> i, width, scale >> i)
            found[r] = np.ones((height, width), np.float32) if self.at not in (None, r) else cells.mean((1, 3))
        return found

    @property
    def said(self) -> str:
        """What a command prints."""
        share = f"mask {self.text}: the blend shows on {self.values.mean():.0%} of each picture"
        if self.at is not None:
            return f"{share}; features are mixed at {self.at}×{self.at} alone"
        return f"{share}, the base on the rest"

    def kept_by(self, recipe: Recipe) -> Recipe:
        """The recipe with the mask's name and hash."""
        return dataclasses.replace(recipe, mask=self.text, mask_at=self.at, mask_sha256=self.sha256)


def mask_of(recipe: Recipe, config: GeneratorConfig, beside: Path | None = None) -> Mask | None:
    """The mask of a recipe for its models; None if it has none.

    Args:
      recipe: its `mask` is a text form of an ellipse, or a path, which is looked for beside the recipe first.
      config: of the base.
      beside: the folder of the recipe.

    Raises InputError for what is no mask, and for a file that is not the one of the recipe.
    """
    text, at = recipe.mask, recipe.mask_at
    if text is None:
        return None
    if at is not None and at not in config.resolutions:
        known = f"{', '.join(map(str, config.resolutions[:2]))}, … {config.img_resolution}"
        raise ArgumentError("mask_at", at, "not a resolution of these models", f"use {known}")
    path = text.removesuffix(INVERT)
    inverted, ellipse, size, sha256 = path != text, parse_ellipse(path), config.image_size, None
    if ellipse is not None:
        values = ellipse.draw(size)
    else:
        place = _found(path, beside)
        if recipe.mask_sha256 is not None and not place.is_file():
            remedy = "put it beside the recipe, or name it as mask where it is"
            raise ArgumentError("mask", path, "the recipe's mask is not there", remedy)
        data = masks.contents(place)
        sha256 = hashlib.sha256(data).hexdigest()
        _check_hash(recipe, sha256, path)
        values = masks.drawn(data, size, path)
        path = _name_in_recipe(path)
    values = 1 - values if inverted else values
    return Mask(path + INVERT * inverted, values, at, sha256, config.const_size)


def _found(path: str, beside: Path | None) -> Path:
    """Where a file lies now: by its path or its name, beside the recipe or here; as models are looked for."""
    folders = [Path()] if beside is None else [beside, Path()]
    tried = [*(folder / path for folder in folders), *(folder / Path(path).name for folder in folders)]
    return next((each for each in tried if each.is_file()), Path(path))


def _check_hash(recipe: Recipe, sha256: str, path: str) -> None:
    if recipe.mask_sha256 in (None, sha256):
        return
    what = f"is not the mask of the recipe: its SHA-256 is {sha256[:12]}…, not {str(recipe.mask_sha256)[:12]}…"
    raise InputError(what, "find that file, or name this one as mask", file=path)


def _name_in_recipe(path: str) -> str:
    """A path that says nothing of this machine, else the file's name alone; it is looked for beside the recipe."""
    of_this_machine = Path(path).is_absolute() or path.startswith("~") or ".." in Path(path).parts
    return Path(path).name if of_this_machine else path
