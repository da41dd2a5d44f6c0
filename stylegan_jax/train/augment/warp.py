"""Affine warps as the official augmentation does them: reflect, double the size, sample bilinearly, halve."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int

from stylegan_jax.filters import setup_filter
from stylegan_jax.networks.resampling import downsample2d, upsample2d
from stylegan_jax.train.augment.wavelets import SYM6

# One matrix product per axis is 4 times faster than shifted adds on a CPU, forward and backward together, but its
# cost per pixel grows with the size.
_LARGEST_MATRIX = 256
_TAPS = setup_filter(SYM6)
_REACH = _TAPS.size // 4  # how far the filter reaches, in pixels of the image

Images = Float[Array, "n h w c"]
"""A batch in [-1, 1]."""
Margins = Int[Array, "side=2 axis=2"]


def warp(images: Images, inverse: Float[Array, "n 3 3"], *, axis_name: str | None = None) -> Images:
    """Moves the content of the images; linear in the images and differentiable any number of times.

    The official program reflects by what the most displaced sample of the batch needs, and beyond that reads zeros;
    here the frame has its largest size and the margin is data, so that no value of `inverse` recompiles.

    Args:
      inverse: output → input, homogeneous (x, y, 1), in pixels from the centre of the image.
      axis_name: the mesh axis over which the rest of the batch lies, if the margin shall not depend on the devices.
    """
    height, width = images.shape[1:3]
    margins = _margins(inverse, height, width, axis_name)
    moved = jnp.any(inverse != jnp.eye(3), (1, 2))

    def warped(at: Array | slice) -> Images:
        """Those images; the filters would give the ones that are not moved back as they are."""
        found = _halve(_sample(_double(images[at], margins), inverse[at], height, width))
        return jnp.where(moved[at, None, None, None], found, images[at])

    def half() -> Images:
        at = jnp.argsort(~moved)[: len(images) // 2]
        return images.at[at].set(warped(at), unique_indices=True)

    # ADA mostly rests where few images are moved, and on CPUs a warp costs as much as the discriminator.
    whole = functools.partial(warped, slice(None))
    return lax.cond(jnp.sum(moved) <= len(images) // 2, half, whole) if len(images) > 1 else whole()


def _margins(inverse: Float[Array, "n 3 3"], height: int, width: int, axis_name: str | None) -> Margins:
    """Pixels to reflect before and after the image along (x, y): as far as the warped corners and the filters reach."""
    x, y = (width - 1) / 2, (height - 1) / 2
    corners = np.array([[-x, -y, 1], [x, -y, 1], [x, y, 1], [-x, y, 1]], np.float32)
    warped = jnp.einsum("nij,kj->nki", inverse[:, :2], corners, precision="highest")
    furthest = jnp.stack([-warped.min((0, 1)), warped.max((0, 1))])
    if axis_name is not None:
        furthest = lax.pmax(furthest, axis_name)
    margins = furthest + (2 * _REACH - np.array([x, y], np.float32))
    return jnp.ceil(jnp.clip(margins, 0, np.array([width - 1, height - 1], np.float32))).astype(jnp.int32)


def _double(images: Images, margins: Margins) -> Float[Array, "n h2 w2 c"]:
    """Images reflected by their size - 1 on each side, zero outside `margins`, doubled; in a ring of one zero."""
    height, width = images.shape[1:3]
    rows, columns = (_inside(size, margins[:, axis]) for size, axis in ((height, 1), (width, 0)))
    if max(height, width) <= _LARGEST_MATRIX:
        return _along_both(images, _doubling(height, rows), _doubling(width, columns))
    frame = jnp.pad(images, ((0, 0), (height - 1, height - 1), (width - 1, width - 1), (0, 0)), "reflect")
    inside = (rows[:, None] & columns[None, :])[None, ..., None]
    doubled = upsample2d(frame * inside, _TAPS) * inside.repeat(2, 1).repeat(2, 2)
    return jnp.pad(doubled, ((0, 0), (1, 1), (1, 1), (0, 0)))


def _inside(size: int, margin: Int[Array, " 2"]) -> Array:
    """Which of the 3·size - 2 pixels of the largest frame are in the one that the official program would use."""
    at = jnp.arange(3 * size - 2) - (size - 1)
    return (at >= -margin[0]) & (at < size + margin[1])


def _doubling(size: int, inside: Array) -> Float[Array, "doubled size"]:
    """The matrix that reflects and doubles one axis: three copies of the filter matrix, folded onto each other."""
    frame = 3 * size - 2
    tap = np.arange(2 * frame)[:, None] - 2 * np.arange(frame) + 2 * _REACH - 1
    # Every other pixel of the doubled axis is a new zero: twice the filter keeps the brightness.
    filters = np.where((tap >= 0) & (tap < _TAPS.size), 2 * _TAPS[np.clip(tap, 0, _TAPS.size - 1)], 0)
    filters = jnp.asarray(filters) * inside * inside.repeat(2)[:, None]
    # Reflected pixels are those of the image itself: their columns are added to these, so no frame is ever built.
    before, middle, after = jnp.split(filters, [size - 1, 2 * size - 1], 1)
    folded = middle + jnp.pad(before[:, ::-1], ((0, 0), (1, 0))) + jnp.pad(after[:, ::-1], ((0, 0), (0, 1)))
    return jnp.pad(folded, ((1, 1), (0, 0)))


def _sample(doubled: Float[Array, "n h2 w2 c"], inverse: Array, height: int, width: int) -> Float[Array, "n h3 w3 c"]:
    """Bilinear samples at twice the resolution, where the filter that halves them will look."""
    x, y = ((np.arange(2 * (size + 2 * _REACH)) + 1) / 2 - size / 2 - _REACH for size in (width, height))
    grid = np.stack(np.broadcast_arrays(x[None, :], y[:, None], 1), -1).astype(np.float32)
    # From the centre, where coordinates are smallest, so that rounding moves no sample by more than 1e-5 pixels.
    at = 2 * jnp.einsum("nij,hwj->nhwi", inverse[:, :2], grid, precision="highest")
    centre = np.array([3 * width - 2, 3 * height - 2], np.float32)
    # Whatever lies outside reads the ring of zeros, and no index leaves the array: JAX would move it to the edge.
    at = jnp.clip(at, -centre, centre + 1)
    corner = jnp.floor(at)
    fx, fy = jnp.moveaxis(at - corner, -1, 0)
    weights = (1 - fy) * (1 - fx), (1 - fy) * fx, fy * (1 - fx), fy * fx
    windows = _windows(doubled, (corner + centre).astype(jnp.int32))
    # Written out: as a product it would be millions of 1×4 by 4×c ones.
    return sum((weight[..., None] * windows[..., k, :] for k, weight in enumerate(weights)), jnp.zeros(()))


def _windows(images: Images, corners: Int[Array, "n y x 2"]) -> Float[Array, "n y x 4 c"]:
    """The 2×2 pixels from each corner (x, y) on, row by row."""
    channels = images.shape[-1]

    # One gather of 2×2 slices, and one scatter in the gradient, instead of four of each.
    def window(image: Array, corner: Array) -> Array:
        return lax.dynamic_slice(image, (corner[1], corner[0], 0), (2, 2, channels)).reshape(4, channels)

    over_row = jax.vmap(window, (None, 0))
    over_image = jax.vmap(over_row, (None, 0))
    return jax.vmap(over_image)(images, corners)


def _halve(images: Images) -> Float[Array, "n h2 w2 c"]:
    """Filters with the reversed filter, keeps every other pixel, and crops what the filter needed around the image."""
    sizes = [size // 2 - 2 * _REACH for size in images.shape[1:3]]
    if max(sizes) > _LARGEST_MATRIX:
        return downsample2d(images, _TAPS, padding=-2 * _REACH, flip_filter=True)
    rows, columns = (_halving(size) for size in sizes)
    return _along_both(images, rows, columns)


def _halving(size: int) -> Float[Array, "size doubled"]:
    """The matrix that filters one axis with the reversed filter and keeps every other pixel."""
    tap = np.arange(2 * (size + 2 * _REACH)) - 2 * np.arange(size)[:, None] - 1
    return jnp.asarray(np.where((tap >= 0) & (tap < _TAPS.size), _TAPS[np.clip(tap, 0, _TAPS.size - 1)], 0))


def _along_both(images: Images, rows: Float[Array, "h2 h"], columns: Float[Array, "w2 w"]) -> Float[Array, "n h2 w2 c"]:
    """A matrix over the rows, then one over the columns; in full: short products round pixels to 8 or 11 bits."""
    n, height, width, channels = images.shape
    flat = images.reshape(n, height, width * channels)  # keeps the large operand as it lies in memory
    tall = jnp.einsum("ih,nhm->nim", rows, flat, precision="highest").reshape(n, -1, width, channels)
    return jnp.einsum("jw,niwc->nijc", columns, tall, precision="highest")
