"""Finds faces by dlib's detector and its 68 points: the extra `faces`."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from stylegan_jax.errors import InputError
from stylegan_jax.projection.framing import Points
from stylegan_jax.projection.landmarks import Face, Finder, of_68

_SMALLEST = 80  # pixels of a face that the detector can find
_MOST_ENLARGED = 4  # times: what is smaller holds no more to find
_MARGIN = 1 / 4  # of the longer side: a face that fills the picture needs some around it
_TRIES = ((0, 0), (0, _MARGIN), (1, 0), (3, 0), (2, 0))  # quarter turns, for a picture that lies on its side; margin
_FILE = "shape_predictor_68_face_landmarks.dat"


def dlib_finder(smallest: float = 1 / 16) -> Finder:
    """A finder of faces by HOG and a regression of 68 points, on one CPU core.

    Where none is found, it looks for faces half as large, then with a margin around the picture, then in the picture
    turned by quarters. The points come from a file trained on pictures for research alone (docs/photographs.md).

    Args:
      smallest: the smallest face it should see, as a share of the picture's longer side; half of it takes four times
        the time.

    Raises InputError, which says what to install, where dlib or the file is absent.
    """
    dlib, model = _installed()
    detector, predictor = dlib.get_frontal_face_detector(), dlib.shape_predictor(str(model))

    def find(picture: UInt8[np.ndarray, "h w 3"]) -> list[Face]:
        for turn, margin in _TRIES:
            for share in (smallest, smallest / 2):
                seen, moved = _prepared(picture, turn, margin, _SMALLEST / share)
                boxes, scores, _ = detector.run(seen, 0, 0.0)
                if boxes:
                    parts = [[(part.x, part.y) for part in predictor(seen, box).parts()] for box in boxes]
                    return [Face(moved(of_68(np.array(p))), float(s)) for p, s in zip(parts, scores, strict=True)]
        return []

    return find


def _installed() -> tuple[Any, Path]:
    """The module dlib, and the file of the 68 points."""
    try:
        import dlib  # pyright: ignore[reportMissingImports]

        spec = importlib.util.find_spec("face_recognition_models")  # its own import needs setuptools
    except ImportError:
        dlib = spec = None
    place = next(iter(spec.submodule_search_locations or ()), "") if spec is not None else ""
    model = Path(place, "models", _FILE)
    if dlib is None or not model.is_file():
        remedy = 'python -m pip install "stylegan-jax[faces]", or pass --landmarks or --no-align'
        raise InputError("finding faces needs dlib and its 68 points", remedy)
    return dlib, model


def _prepared(
    picture: UInt8[np.ndarray, "h w 3"], turn: int, margin: float, side: float
) -> tuple[UInt8[np.ndarray, "H W 3"], Callable[[Points], Points]]:
    """The picture with a longer side of `side` pixels, turned, in a margin; and what takes its points back."""
    height, width = picture.shape[:2]
    factor = min(side / max(height, width), _MOST_ENLARGED)
    size = max(round(width * factor), 1), max(round(height * factor), 1)
    small = Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    border = round(margin * max(size))
    seen = np.pad(np.rot90(np.asarray(small), turn), ((border, border), (border, border), (0, 0)), "edge")

    def moved(points: Points) -> Points:
        x, y = (points - border).T
        right, bottom = size[0] - 1, size[1] - 1
        unturned = ((x, y), (right - y, x), (right - x, bottom - y), (y, bottom - x))[turn]
        return (np.stack(unturned, -1) + 0.5) * [width / size[0], height / size[1]] - 0.5

    return np.ascontiguousarray(seen), moved
