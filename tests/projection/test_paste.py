"""What was made of a crop goes back to where the crop came from, and nowhere else."""

import numpy as np
import pytest

from stylegan_jax.projection import align, paste
from stylegan_jax.projection.framing import PORTRAITS
from stylegan_jax.projection.landmarks import Face
from tests.projection.pictures import FACE, centre, waves

CORNER = FACE - [100, 130]
"""A face so near the corner that its square leaves the picture."""


def mask_of(crop, photograph):
    height, width = photograph.shape[:2]
    return paste.mask(crop, np.arange(width, dtype=float), np.arange(height, dtype=float))


def noisy(width=300, height=320):
    noise = np.random.default_rng(0).integers(-30, 30, (height, width, 3))
    return (waves(width, height) + noise).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("points", [FACE, CORNER])
@pytest.mark.parametrize("size", [64, 256, 512])
def test_an_untouched_crop_changes_nothing(points, size):
    photograph = noisy()
    crop = align.align(photograph, Face(points), size=size)
    np.testing.assert_array_equal(paste.paste(photograph, crop.pixels, crop), photograph)


def test_an_untouched_crop_changes_at_most_a_level_on_average_even_without_the_photographs_own_detail(monkeypatch):
    monkeypatch.setattr(paste, "_SAME", 1e-9)
    photograph = waves(300, 320)
    crop = align.align(photograph, Face(FACE), size=256)
    almost = crop.pixels.copy()
    almost[::2] ^= 1  # a level, so that nothing counts as the same
    changed = np.abs(paste.paste(photograph, almost, crop).astype(int) - photograph).mean(-1)
    where = mask_of(crop, photograph)
    assert 0 < changed[where > 0].mean() <= 1 and not changed[where == 0].any()


def test_what_is_wanted_of_an_image_limits_the_mask_and_all_of_it_changes_no_bit():
    photograph = noisy()
    crop = align.align(photograph, Face(FACE), size=64)
    made = 255 - crop.pixels
    wanted = np.zeros((64, 64), np.float32)
    wanted[:, :32] = 1
    pasted, whole = paste.paste(photograph, made, crop, wanted), paste.paste(photograph, made, crop)
    np.testing.assert_array_equal(paste.paste(photograph, made, crop, np.ones((64, 64), np.float32)), whole)
    assert (paste.paste(photograph, made, crop, 0 * wanted) == photograph).all()
    across = crop.quad[3] - crop.quad[0]
    y, x = np.indices(photograph.shape[:2])
    along = ((x - crop.quad[0][0]) * across[0] + (y - crop.quad[0][1]) * across[1]) / (across @ across)
    changed = (pasted != photograph).any(-1)
    assert not changed[along > 0.55].any() and changed[along < 0.45].any() and (whole != photograph)[along > 0.55].any()


@pytest.mark.parametrize("framing", [None, PORTRAITS])
def test_a_mark_on_the_crop_appears_at_its_place_in_the_photograph(framing):
    photograph = np.full((320, 300, 3), 60, np.uint8)
    crop = align.align(photograph, Face(FACE), *([framing] if framing else []), size=256)
    made, y, x = crop.pixels.copy(), *np.indices((256, 256))
    spot = np.array([120.0, 140.0])
    made[:] = np.rint(60 + 150 * np.exp(-((x - spot[0]) ** 2 + (y - spot[1]) ** 2) / 50))[..., None].astype(np.uint8)
    axes = np.stack([crop.quad[3] - crop.quad[0], crop.quad[1] - crop.quad[0]], -1) / 256
    wanted = crop.quad[0] + axes @ (spot + 0.5)
    pasted = paste.paste(photograph, made, crop)
    np.testing.assert_allclose(centre(pasted, wanted, 20), wanted, atol=0.1)


@pytest.mark.parametrize("points", [FACE, CORNER])
def test_nothing_outside_of_the_mask_changes_and_the_mask_ends_within_the_square(points):
    photograph = noisy()
    crop = align.align(photograph, Face(points), size=64)
    made = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    changed, where = paste.paste(photograph, made, crop) != photograph, mask_of(crop, photograph)
    assert changed.any() and not changed[where == 0].any()
    y, x = np.nonzero(where)
    inside = (np.stack([x, y], -1) - crop.quad[0]) @ np.linalg.inv(np.diff(crop.quad[[1, 0, 3]], axis=0) * [[-1], [1]])
    assert inside.min() >= 0 and inside.max() <= 1


def test_the_mask_is_whole_over_the_points_and_falls_off_softly():
    photograph = waves(300, 320)
    where = mask_of(align.align(photograph, Face(FACE), size=64), photograph)
    x, y = np.rint(FACE).astype(int).T
    assert np.all(where[y, x] == 1) and where.min() == 0
    assert max(np.abs(np.diff(where, axis=axis)).max() for axis in (0, 1)) < 0.1


def test_colours_are_moved_to_those_at_the_border_of_the_mask():
    photograph = np.full((320, 300, 3), (90, 120, 150), np.uint8)
    crop = align.align(photograph, Face(FACE), size=128)
    made = np.full((128, 128, 3), (120, 110, 160), np.uint8)
    made[48:80, 48:80] = 0
    pasted = paste.paste(photograph, made, crop)
    where = mask_of(crop, photograph)
    assert np.abs(pasted[(where > 0) & (where < 0.5)].astype(int) - photograph[0, 0]).max() <= 1
    assert pasted[175, 150].max() < 20  # the drawing itself stays


def test_a_picture_that_nobody_looked_at_goes_back_into_its_middle():
    photograph = noisy(200, 120)
    crop = align.centred(photograph, size=64)
    np.testing.assert_array_equal(paste.paste(photograph, crop.pixels, crop), photograph)
    pasted = paste.paste(photograph, 255 - crop.pixels, crop)
    assert np.all(pasted[:, :40] == photograph[:, :40]) and np.any(pasted[50:70, 90:110] != photograph[50:70, 90:110])


def test_a_made_image_may_have_another_size_than_its_crop():
    photograph = waves(300, 320)
    crop = align.align(photograph, Face(FACE), size=64)
    large = align.align(photograph, Face(FACE), size=256).pixels
    apart = np.abs(paste.paste(photograph, large, crop).astype(int) - photograph)
    assert apart.mean() < 1
