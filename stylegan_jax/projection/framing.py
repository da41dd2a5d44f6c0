"""Where the face lies in the images of a model: FFHQ's square, or the mean places of four points."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from stylegan_jax.errors import InputError

Points = Float64[np.ndarray, "4 2"]
"""Image-left eye, image-right eye, image-left and image-right corner of the mouth; x and y in pixels of the upright
picture, the centre of the first pixel at 0, 0."""
Quad = Float64[np.ndarray, "4 2"]
"""The corners of a crop in its picture, in such pixels: upper left, lower left, lower right, upper right."""

_CORNERS = np.array([0, 1j, 1 + 1j, 1])


@dataclass(frozen=True)
class Framing:
    """Where the four points lie in the images that a model was trained on.

    Attributes:
      name: what notes call it.
      places: of the points, as shares of the side of the image; None for the square of FFHQ.
    """

    name: str
    places: tuple[tuple[float, float], ...] | None = None

    def quad(self, points: Points) -> Quad:
        """The square of a picture that puts its four points where the model's images have them."""
        return ffhq_quad(points) if self.places is None else _fitted(points, np.array(self.places))


def ffhq_quad(points: Points) -> Quad:
    """FFHQ's square: level with the eyes and upright with the mouth, of four eye distances or what the mouth needs."""
    left, right = points[:2]
    eyes, mouth = (left + right) / 2, points[2:].mean(0)
    across, down = right - left, mouth - eyes
    x = across - [-down[1], down[0]]
    x *= face_unit(points) * 2 / np.hypot(*x)
    y, centre = np.array([-x[1], x[0]]), eyes + 0.1 * down
    return np.stack([centre - x - y, centre - x + y, centre + x + y, centre + x - y])


def face_unit(points: Points) -> float:
    """How large a face is, in pixels: its eye distance, or 0.9 of the way from eyes to mouth if that is more."""
    across, down = points[1] - points[0], points[2:].mean(0) - points[:2].mean(0)
    return max(float(np.hypot(*across)), 0.9 * float(np.hypot(*down)))


def _fitted(points: Points, places: Float64[np.ndarray, "4 2"]) -> Quad:
    """The square under the similarity that takes the points nearest to their places, by least squares."""
    seen, wanted = _complex(points), _complex(places)
    from_seen, from_wanted = seen - seen.mean(), wanted - wanted.mean()
    turn = np.vdot(from_seen, from_wanted) / np.vdot(from_seen, from_seen)  # picture → image
    corners = (_CORNERS - wanted.mean()) / turn + seen.mean()
    return np.stack([corners.real, corners.imag], -1)


def _complex(points: Float64[np.ndarray, "4 2"]) -> np.ndarray:
    return points[:, 0] + 1j * points[:, 1]


def measured(faces: Iterable[tuple[Points, int, int]]) -> list[list[float]]:
    """Mean places of the points of faces in the largest centre squares of their pictures, and of the mirror images.

    Args:
      faces: points, and width and height of the picture, of each; one at least.
    """
    found = []
    for points, width, height in faces:
        side = min(width, height)
        places = (points + 0.5 - [(width - side) // 2, (height - side) // 2]) / side
        found += [places, np.stack([1 - places[[1, 0, 3, 2], 0], places[[1, 0, 3, 2], 1]], -1)]
    return np.round(np.mean(found, 0), 4).tolist()


FFHQ = Framing("ffhq")
PORTRAITS = Framing("portraits", ((0.3845, 0.4853), (0.6155, 0.4853), (0.3817, 0.7172), (0.6183, 0.7172)))
"""Of the data of the shipped pair, rows 8 to 232 of photographs of 225×275: means of what dlib finds in all 800, and
of their mirror images, which the pair has seen as well. The drawings were made in the same framing."""
_OF_DATA: dict[str, Framing] = dict.fromkeys(
    (
        "85a30e9f24197c06f88a99aa030c740787c46e16ded8969bc5932499634d12d1",  # portraits, 64×64
        "ee7708de52e9adf613709dc4136bbed0071bb6536ce6047c75a339ab3b40fcfa",  # portraits, 128×128
        "b8eefc3fac720d391dadb7010ae8b4ecdc56bd587d7f548bd2d40dee8d3439d1",  # toons, 64×64
        "3a4c77f3b1cd9096ff1647eb04cf01b9b0840e4456fe1da3b5ada518ab6f9190",  # toons, 128×128
    ),
    PORTRAITS,
)
"""SHA-256 of training pixels → framing: so a pair that is trained on, and what is blended from it, has it too."""
_DEEPEST = 8  # blends of blends that are asked


def of_model(lineage: Mapping[str, Any]) -> Framing:
    """The framing that a model's lineage states ("framing": "ffhq", or four pairs of shares), or that of its data.

    A blend has that of its first parent, since a photograph is projected in the base. What says nothing has FFHQ's.

    Raises InputError for a statement that is neither.
    """
    for _ in range(_DEEPEST):
        if (stated := lineage.get("framing")) is not None:
            return FFHQ if stated == FFHQ.name else _stated(stated, lineage)
        data, parents = lineage.get("data"), lineage.get("parents")
        if isinstance(data, Mapping) and str(data.get("sha256")) in _OF_DATA:
            return _OF_DATA[str(data["sha256"])]
        if not (isinstance(parents, list) and parents and isinstance(parents[0], Mapping)):
            break
        lineage = parents[0]
    return FFHQ


def _stated(stated: Any, lineage: Mapping[str, Any]) -> Framing:
    name = str(lineage.get("source"))
    try:
        places = np.array(stated, np.float64)
        if places.shape != (4, 2) or not ((places >= 0) & (places <= 1)).all() or np.ptp(places) < 0.01:
            raise ValueError
    except (ValueError, TypeError):
        what = "its framing is neither ffhq nor four places between 0 and 1"
        raise InputError(what, "pass --framing ffhq", file=name) from None
    return Framing(name, tuple((float(x), float(y)) for x, y in places))
