"""Pictures as masks: where something is to happen, from 0 to 1."""

import io
from pathlib import Path

import numpy as np
from jaxtyping import Float32
from PIL import Image

from stylegan_jax.config import Size
from stylegan_jax.errors import InputError
from stylegan_jax.pictures import images
from stylegan_jax.storage import inputs

_LARGEST_FILE = 64 << 20  # bytes
_LARGEST = 60_000_000  # pixels: with their transparency they take twelve bytes each


def contents(path: str | Path) -> bytes:
    """The bytes of a mask's file; InputError for what is none or too long."""
    return inputs.contents(path, most=_LARGEST_FILE)


def drawn(data: bytes, size: Size, path: str | Path) -> Float32[np.ndarray, "h w"]:
    """A picture's transparency if it has some, else its grey, stretched to a size; from 0 to 1.

    Args:
      data: the file's bytes.
      size: height and width.
      path: how errors name the file.

    Raises InputError for what is no picture, and for one of over 60 megapixels.
    """
    try:
        pixels = images.read(io.BytesIO(data), channels=4, most=_LARGEST)
    except InputError as error:
        error.file = path
        raise
    alpha = pixels[..., 3]
    grey = Image.fromarray(alpha) if alpha.min() < 255 else Image.fromarray(pixels[..., :3]).convert("L")
    height, width = size
    shrunk = grey.height >= height and grey.width >= width
    grey = grey.resize((width, height), Image.Resampling.BOX if shrunk else Image.Resampling.BILINEAR)
    return np.asarray(grey, np.float32) / np.float32(255)
