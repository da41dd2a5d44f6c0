"""Pictures with known faces: blobs of one colour each at the four points, on a smooth ground."""

import numpy as np

FACE = np.array([[120.3, 150.7], [180.9, 146.2], [128.4, 215.1], [176.6, 212.8]])
"""Four points of a face somewhat turned, in a picture of 300×320."""


def blobs(points, width=300, height=320, radius=3.0):
    """White Gaussian blobs at points (x, y) on grey: uint8 [h w 3]."""
    x, y = np.arange(width)[None], np.arange(height)[:, None]
    far = [((x - px) ** 2 + (y - py) ** 2) / (2 * radius**2) for px, py in points]
    return np.rint(60 + 180 * sum(np.exp(-each) for each in far)).astype(np.uint8)[..., None].repeat(3, -1)


def centre(pixels, near, reach):
    """Where the blob near a place lies, to a fraction of a pixel: (x, y)."""
    left, top = np.maximum(np.rint(np.asarray(near) - reach), 0).astype(int)
    part = pixels[top : top + 2 * round(reach) + 1, left : left + 2 * round(reach) + 1, 0].astype(np.float64)
    part = (part - np.median(part)).clip(0)
    y, x = np.indices(part.shape)
    return np.array([(x * part).sum(), (y * part).sum()]) / part.sum() + [left, top]


def waves(width, height):
    """A smooth picture of three colours."""
    x, y = np.arange(width)[None] / 40, np.arange(height)[:, None] / 40
    colours = [np.sin(x + y), np.cos(1.3 * x - y), np.sin(0.7 * y) * np.cos(x)]
    return np.rint(127 + 90 * np.stack(colours, -1)).astype(np.uint8)
