"""A photograph → the square that a face model was trained on: FFHQ's recipe, for the square of any framing."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64, UInt8
from PIL import Image, ImageFilter, ImageStat

from stylegan_jax.projection import landmarks
from stylegan_jax.projection.framing import FFHQ, Framing, Points, Quad
from stylegan_jax.projection.landmarks import Face

SUPERSAMPLING = 4
"""FFHQ's: its images of 1024 pixels were drawn at 4096. Encoders (e4e, PTI) drew theirs at the size itself: 1."""
LARGEST = 2048  # pixels of a crop's side
_LEAST_BORDER = 3  # pixels around the square


@dataclass(frozen=True, eq=False)
class Crop:
    """A square out of a photograph.

    Attributes:
      pixels: of the square.
      quad: its corners in the photograph, as drawn: to the rounding of sizes and half pixels of FFHQ's recipe.
      points: the face's, in the photograph; None where nobody looked for one.
    """

    pixels: UInt8[np.ndarray, "s s 3"]
    quad: Quad
    points: Points | None

    def to_json(self) -> dict[str, Any]:
        """Where it was cut, for the note of a file."""
        told = {"size": len(self.pixels), "quad": self.quad.round(3).tolist()}
        return told if self.points is None else {**told, "points": self.points.round(3).tolist()}


def align(
    picture: UInt8[np.ndarray, "h w 3"],
    face: Face,
    framing: Framing = FFHQ,
    *,
    size: int = 1024,
    supersampling: int = SUPERSAMPLING,
) -> Crop:
    """Turns, scales and cuts an upright picture so that a face lies as the framing has it.

    Args:
      picture: as `pictures.images.read` gives it.
      face: its points, in pixels of `picture`.
      framing: of the model.
      size: of the crop's side, in pixels.
      supersampling: how many times larger the square is drawn before it is shrunk to `size`.

    Raises InputError for points that can be no face of this picture.
    """
    height, width = picture.shape[:2]
    landmarks.check(face, width, height)
    pixels, quad = cut(picture, framing.quad(face.points), size, supersampling)
    return Crop(pixels, quad, face.points)


def centred(picture: UInt8[np.ndarray, "h w 3"], *, size: int = 1024) -> Crop:
    """The largest square in the middle of a picture, resized (Lanczos); nobody looks for a face."""
    height, width = picture.shape[:2]
    side = min(height, width)
    left, top = (width - side) // 2, (height - side) // 2
    square = Image.fromarray(picture[top : top + side, left : left + side])
    corners = np.array([[0, 0], [0, side], [side, side], [side, 0]]) + np.array([left, top]) - 0.5
    return Crop(np.asarray(square.resize((size, size), Image.Resampling.LANCZOS)), corners, None)


def cut(
    picture: UInt8[np.ndarray, "h w 3"], quad: Quad, size: int, supersampling: int = SUPERSAMPLING
) -> tuple[UInt8[np.ndarray, "s s 3"], Quad]:
    """The square under `quad` by FFHQ's recipe, and the quad as drawn.

    A large picture is shrunk first, what lies outside the picture is its reflection and fades to its median colour, the
    square is drawn by bilinear interpolation at `supersampling` times its size and shrunk from there (Lanczos).
    """
    image, quad, grown = _shrunk(Image.fromarray(picture), quad, size)
    drawn = (quad + 0.5) * grown - 0.5
    side = float(np.hypot(*(quad[3] - quad[0])))
    border = max(round(side * 0.1), _LEAST_BORDER)
    image, quad = _cut_out(image, quad, border)
    image, quad = _padded(image, quad, border, side)
    large = (size * supersampling, size * supersampling)
    corners = tuple((quad + 0.5).ravel().tolist())
    image = image.transform(large, Image.Transform.QUAD, corners, Image.Resampling.BILINEAR)
    return np.asarray(image.resize((size, size), Image.Resampling.LANCZOS)), drawn


def _shrunk(image: Image.Image, quad: Quad, size: int) -> tuple[Image.Image, Quad, Float64[np.ndarray, " 2"]]:
    """The picture by a whole number smaller, if its square is over four times `size`; what undoes it, along x and y.

    As in FFHQ, the quad is divided as it is: the centres of pixels move by up to half a (shrunk) pixel.
    """
    shrink = math.floor(np.hypot(*(quad[3] - quad[0])) / size / 2)
    if shrink <= 1:
        return image, quad, np.ones(2)
    smaller = max(round(image.width / shrink), 1), max(round(image.height / shrink), 1)
    grown = np.array(image.size) / smaller
    return image.resize(smaller, Image.Resampling.LANCZOS), quad / shrink, grown


def _cut_out(image: Image.Image, quad: Quad, border: int) -> tuple[Image.Image, Quad]:
    """The part of the picture under the quad's box and a border."""
    low, high = np.floor(quad.min(0)).astype(int) - border, np.ceil(quad.max(0)).astype(int) + border
    left, top = np.maximum(low, 0).tolist()
    right, bottom = np.minimum(high, image.size).tolist()
    return image.crop((left, top, right, bottom)), quad - [left, top]


def _padded(image: Image.Image, quad: Quad, border: int, side: float) -> tuple[Image.Image, Quad]:
    """Reflects the picture where the quad comes near its edge or leaves it, blurred and faded outward."""
    before = np.maximum(border - np.floor(quad.min(0)).astype(int), 0)
    after = np.maximum(np.ceil(quad.max(0)).astype(int) - image.size + border, 0)
    if max(*before, *after) <= border - 4:
        return image, quad
    before, after = (np.maximum(pad, max(round(side * 0.3), 1)) for pad in (before, after))
    pads = ((before[1], after[1]), (before[0], after[0]), (0, 0))
    padded = Image.fromarray(np.pad(np.asarray(image), pads, "reflect"))
    return _faded(padded, before, after, side * 0.02), quad + before


def _faded(image: Image.Image, before: np.ndarray, after: np.ndarray, sigma: float) -> Image.Image:
    """Blurs what was added to a picture, and some inside of the old edge, and fades the outermost to the median colour.

    The masks have 256 levels, and the Gaussian is Pillow's, of three boxes: within three levels of the recipe's floats.
    """
    across, down = (
        1 - np.minimum(np.arange(n) / low, np.arange(n)[::-1] / high)
        for n, low, high in zip(image.size, before, after, strict=True)
    )
    blurred = image.filter(ImageFilter.GaussianBlur(sigma))
    image = Image.composite(blurred, image, _mask(3 * across + 1, 3 * down + 1))
    median = Image.new("RGB", image.size, tuple(ImageStat.Stat(image).median))
    return Image.composite(median, image, _mask(across, down))


def _mask(across: Float64[np.ndarray, " w"], down: Float64[np.ndarray, " h"]) -> Image.Image:
    """The larger of a value for each column and one for each row, from 0 to 1, as an image of levels."""
    columns, rows = (np.rint(255 * value.clip(0, 1)).astype(np.uint8) for value in (across, down))
    return Image.fromarray(np.maximum(columns[None], rows[:, None]))
