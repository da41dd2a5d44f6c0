"""dlib finds the four points, where it is installed."""

import importlib.util

import numpy as np
import pytest
from PIL import Image

from stylegan_jax.errors import InputError
from stylegan_jax.projection.detection import dlib_finder
from tests.golden_data import ROOT

HERE = all(importlib.util.find_spec(name) for name in ("dlib", "face_recognition_models"))
PORTRAITS = ROOT.parent / "shared" / "images" / "portraits"
needs_dlib = pytest.mark.skipif(not HERE, reason="the extra `faces` is not installed: dlib finds no faces here")
needs_portraits = pytest.mark.skipif(not PORTRAITS.is_dir(), reason="no portraits beside the checkout")


@pytest.mark.skipif(HERE, reason="the extra `faces` is installed")
def test_without_the_extra_an_error_says_what_to_install():
    with pytest.raises(InputError, match=r'needs dlib .* — python -m pip install "stylegan-jax\[faces\]", or pass'):
        dlib_finder()


@pytest.fixture(scope="module")
def find():
    return dlib_finder()


def portrait(index, side=128):
    path = sorted(PORTRAITS.iterdir())[index]
    return np.asarray(Image.open(path).convert("RGB").resize((side, side), Image.Resampling.LANCZOS))


@needs_dlib
@needs_portraits
def test_every_portrait_has_one_face_where_the_set_has_its_faces(find):
    for index in range(0, 800, 40):
        (face,) = find(portrait(index))
        places = (face.points + 0.5) / 128
        np.testing.assert_allclose(places.mean(0), [0.5, 0.6], atol=0.2)
        assert 20 < face.size < 50 and face.score > 0


@needs_dlib
@needs_portraits
def test_points_are_the_same_in_any_size_turn_and_position(find):
    plain = find(portrait(7))[0]
    for turn in (1, 2, 3):
        turned = find(np.rot90(portrait(7), turn))[0].points
        x, y = turned.T
        back = ((x, y), (127 - y, x), (127 - x, 127 - y), (y, 127 - x))[turn]
        assert np.abs(np.stack(back, -1) - plain.points).max() < 0.03 * plain.size
    large = (find(portrait(7, 640))[0].points + 0.5) / 5 - 0.5
    assert np.abs(large - plain.points).max() < 0.1 * plain.size
    moved = find(np.pad(portrait(7), ((60, 20), (10, 90), (0, 0)), "edge"))[0].points - [10, 60]
    assert np.abs(moved - plain.points).max() < 0.1 * plain.size


@needs_dlib
@needs_portraits
def test_forty_faces_are_found_in_one_picture():
    rows = [np.concatenate([portrait(20 * (8 * i + j)) for j in range(8)], 1) for i in range(5)]
    found = dlib_finder(1 / 32)(np.concatenate(rows))
    tiles = {tuple((face.points.mean(0) // 128).astype(int)) for face in found}
    assert len(tiles) == len(found) == 40


@needs_dlib
@pytest.mark.parametrize("side", [1, 16, 300])
def test_there_is_no_face_in_black(find, side):
    assert find(np.zeros((side, side, 3), np.uint8)) == []
