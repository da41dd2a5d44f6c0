"""Masks as pictures: what is too large for one is told by its header."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from stylegan_jax.errors import InputError
from stylegan_jax.pictures import masks


def grey_png(width, height):
    """A grey picture of which only the header is whole."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")]
    chunks = [struct.pack(">I", len(data)) + kind + data + zlib.crc32(kind + data).to_bytes(4) for kind, data in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def test_a_mask_of_over_sixty_megapixels_is_refused_by_its_header():
    with pytest.raises(InputError, match=r"^m\.png: 8000×7501 pixels are too many — scale it down"):
        masks.drawn(grey_png(8000, 7501), (16, 16), "m.png")


def test_a_mask_without_transparency_is_its_grey():
    file = io.BytesIO()
    Image.fromarray(np.array([[0, 255]], np.uint8)).save(file, "PNG")
    assert masks.drawn(file.getvalue(), (1, 2), "m.png").tolist() == [[0, 1]]
