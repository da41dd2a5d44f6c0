"""Puts an image that was made from a crop back into its photograph."""

import numpy as np
from jaxtyping import Float, Float32, Float64, UInt8
from PIL import Image, ImageFilter

from stylegan_jax.projection.align import Crop
from stylegan_jax.projection.framing import Quad, face_unit

_WHOLE, _NOTHING = 0.7, 1.2  # distances from the points' hull in eye distances: where the mask is 1, and 0
_INNER = 0.15  # share of the side: how far inside the square the hull lies where there are no points
_EDGE = 0.1  # share of the side over which the mask falls to 0 at the edge of the square
_SAME = 6.0  # levels: an image that differs less than this on average shows what the photograph shows
_NEAR = 1 / 64  # share of the side: the neighbourhood over which that is asked
_CLOCKWISE = [0, 3, 2, 1]  # of a quad's corners
_ROWS = 256  # that are worked on at once


def paste(
    photograph: UInt8[np.ndarray, "h w 3"],
    made: UInt8[np.ndarray, "n n 3"],
    crop: Crop,
    within: Float[np.ndarray, "m m"] | None = None,
) -> UInt8[np.ndarray, "h w 3"]:
    """The photograph with `made` in place of what `crop` shows.

    The mask is 1 over the hull of the face's points and around it, falls off smoothly, and is 0 at the square's edge;
    outside the photograph's bytes stay. Colours are moved so that those under the mask's border agree with the
    photograph's. A crop is often coarser than its photograph: where `made` shows what the crop shows, the photograph's
    own detail stays, so that an untouched crop changes nothing.

    Args:
      photograph: of any size.
      made: what was made of the crop.
      crop: where it lies in the photograph.
      within: what of `made` is wanted, from 0 to 1, which the mask is multiplied by; all by default.
    """
    size = max(len(made), len(crop.pixels))
    made, seen = (_resized(image, size) for image in (made, crop.pixels))
    wanted = None if within is None else _levels(within, size)
    made = _matched(made, seen, _shares(_mask_of_crop(crop, size), wanted))
    same = _sameness(made, seen)
    side = float(np.hypot(*(crop.quad[3] - crop.quad[0])))
    drawn_size = min(size, max(round(side), 1))
    placed = [_edged(_resized(image, drawn_size)) for image in (made, seen, same)]
    limits = None if wanted is None else _edged(_levels(wanted / np.float32(255), drawn_size))
    result = photograph.copy()
    left, first = np.maximum(np.floor(crop.quad.min(0)), 0).astype(int).tolist()
    right, last = np.minimum(np.ceil(crop.quad.max(0)) + 1, photograph.shape[1::-1]).astype(int).tolist()
    for top in range(first, last, _ROWS):
        box = (left, top, right, min(top + _ROWS, last))
        part = result[box[1] : box[3], box[0] : box[2]]
        weight = mask(crop, *_pixels(box))
        weight = weight if limits is None else _shares(weight, _drawn(limits, crop.quad, box))
        part[:] = _blended(part, [_drawn(image, crop.quad, box) for image in placed], weight)
    return result


def mask(crop: Crop, x: Float64[np.ndarray, " w"], y: Float64[np.ndarray, " h"]) -> Float32[np.ndarray, "h w"]:
    """How much of a made image shows at the photograph's pixels in columns `x` and rows `y`: from 0 to 1."""
    corners, points = crop.quad, crop.points
    side = float(np.hypot(*(corners[3] - corners[0])))
    if points is None:
        hull, whole, nothing = (corners + (corners.mean(0) - corners) * 2 * _INNER)[_CLOCKWISE], 0.0, _INNER * side
    else:
        unit = face_unit(points)
        hull, whole, nothing = points[[0, 1, 3, 2]], _WHOLE * unit, _NOTHING * unit
    inside = -_distance(x, y, corners[_CLOCKWISE], signed=True)
    falling = (nothing - _distance(x, y, hull)) / np.float32(nothing - whole)
    return _smooth(np.minimum(falling, inside / np.float32(_EDGE * side)))


def _levels(share: Float[np.ndarray, "m m"], size: int) -> UInt8[np.ndarray, "s s"]:
    """A mask as an image of another size; bilinear, so that nothing swings beyond what is 0."""
    levels = np.rint(share * 255).astype(np.uint8)
    return np.asarray(Image.fromarray(levels).resize((size, size), Image.Resampling.BILINEAR))


def _shares(weight: Float32[np.ndarray, "h w"], levels: UInt8[np.ndarray, "h w"] | None) -> Float32[np.ndarray, "h w"]:
    """A mask times another, which is an image; None is all."""
    return weight if levels is None else weight * (levels / np.float32(255))


def _smooth(share: Float32[np.ndarray, "h w"]) -> Float32[np.ndarray, "h w"]:
    """0 up to 0, 1 from 1 on, and level at both ends."""
    share = share.clip(0, 1)
    return share * share * (3 - 2 * share)


def _distance(
    x: Float64[np.ndarray, " w"], y: Float64[np.ndarray, " h"], hull: Quad, *, signed: bool = False
) -> Float32[np.ndarray, "h w"]:
    """From a convex hull, clockwise as seen, in pixels: 0 inside; `signed`: of the straight lines, negative inside."""
    found = np.full((len(y), len(x)), np.inf, np.float32)
    outside = -found
    for start, end in zip(hull, np.roll(hull, -1, 0), strict=True):
        length = float(np.hypot(*(end - start)))
        along = (end - start) / length
        across, down = x - start[0], y[:, None] - start[1]
        off = (across * along[1]).astype(np.float32) - (down * along[0]).astype(np.float32)  # positive outside
        outside = np.maximum(outside, off)
        if not signed:
            way = (across * along[0]).astype(np.float32) + (down * along[1]).astype(np.float32)
            beyond = way - way.clip(0, length)  # past one of the ends
            found = np.minimum(found, beyond * beyond + off * off)
    return outside if signed else np.where(outside > 0, np.sqrt(found), np.float32(0))


def _mask_of_crop(crop: Crop, size: int) -> Float32[np.ndarray, "s s"]:
    """The mask at the crop's own pixels."""
    corner, across, down = crop.quad[0], crop.quad[3] - crop.quad[0], crop.quad[1] - crop.quad[0]
    to_crop = np.linalg.inv(np.stack([across, down], -1)) * size
    points = None if crop.points is None else (crop.points - corner) @ to_crop.T - 0.5
    quad = (crop.quad - corner) @ to_crop.T - 0.5
    return mask(Crop(crop.pixels, quad, points), *_pixels((0, 0, size, size)))


def _pixels(box: tuple[int, int, int, int]) -> tuple[Float64[np.ndarray, " w"], Float64[np.ndarray, " h"]]:
    return np.arange(box[0], box[2], dtype=np.float64), np.arange(box[1], box[3], dtype=np.float64)


def _matched(
    made: UInt8[np.ndarray, "s s 3"], seen: UInt8[np.ndarray, "s s 3"], weight: Float32[np.ndarray, "s s"]
) -> UInt8[np.ndarray, "s s 3"]:
    """`made`, its colours moved by the mean difference to the crop under the border of the mask.

    One shift for all: what differs from place to place there is mostly drawing, and would tint the face.
    """
    border = 4 * weight * (1 - weight)
    shift = np.einsum("hw,hwc->c", border, seen.astype(np.float64) - made) / max(border.sum(), 1e-12)
    return np.rint(made + shift).clip(0, 255).astype(np.uint8)


def _sameness(made: UInt8[np.ndarray, "s s 3"], seen: UInt8[np.ndarray, "s s 3"]) -> UInt8[np.ndarray, "s s"]:
    """255 where two images show the same, 0 where they differ."""
    apart = np.abs(made.astype(np.float64) - seen).mean(-1) * 255 / _SAME
    near = ImageFilter.GaussianBlur(_NEAR * len(made))
    return 255 - np.asarray(Image.fromarray(apart.clip(0, 255).astype(np.uint8)).filter(near))


def _resized(image: UInt8[np.ndarray, "n n *c"], size: int) -> UInt8[np.ndarray, "s s *c"]:
    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.LANCZOS))


def _edged(image: UInt8[np.ndarray, "s s *c"]) -> Image.Image:
    """With its edge repeated twice, for an interpolation that looks so far."""
    return Image.fromarray(np.pad(image, ((2, 2), (2, 2), *[(0, 0)] * (image.ndim - 2)), "edge"))


def _drawn(edged: Image.Image, quad: Quad, box: tuple[int, int, int, int]) -> UInt8[np.ndarray, "h w *c"]:
    """What a box of the photograph shows of the image that lies over `quad` (bicubic)."""
    size, corner = edged.width - 4, quad[0] + 0.5
    to_image = np.linalg.inv(np.stack([quad[3] - quad[0], quad[1] - quad[0]], -1)) * size
    shift = to_image @ (np.array(box[:2]) - corner) + 2
    data = (*to_image[0], shift[0], *to_image[1], shift[1])
    wide, high = box[2] - box[0], box[3] - box[1]
    return np.asarray(edged.transform((wide, high), Image.Transform.AFFINE, data, Image.Resampling.BICUBIC))


def _blended(
    photograph: UInt8[np.ndarray, "h w 3"], drawn: list[np.ndarray], weight: Float32[np.ndarray, "h w"]
) -> UInt8[np.ndarray, "h w 3"]:
    """Where the image shows the same as the crop, the change is what the two differ in; elsewhere all of it."""
    made, seen, same = (image.astype(np.float32) for image in drawn)
    change = made - photograph + same[..., None] / np.float32(255) * (photograph - seen)
    return np.rint(photograph + weight[..., None] * change).clip(0, 255).astype(np.uint8)
