"""The crop lands where the formulas say, whatever the picture, and refuses what is no face."""

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from stylegan_jax.errors import InputError
from stylegan_jax.pictures import images
from stylegan_jax.projection import align, framing
from stylegan_jax.projection.framing import FFHQ, PORTRAITS, Framing, ffhq_quad, of_model
from stylegan_jax.projection.landmarks import Face
from stylegan_jax.storage import checkpoint
from stylegan_jax.storage.shipped import shipped_models
from tests.projection.pictures import FACE, blobs, centre, waves

UPRIGHT = np.array([[100.0, 100.0], [140.0, 100.0], [104.0, 146.0], [136.0, 146.0]])


def in_crop(points, quad, size):
    """Where points of a picture come to lie in a crop, in pixels."""
    axes = np.stack([quad[3] - quad[0], quad[1] - quad[0]], -1)
    return (points - quad[0]) @ np.linalg.inv(axes).T * size - 0.5


def test_the_square_of_an_upright_face_is_that_of_the_formulas():
    side = 2 * max(2 * 40, 1.8 * 46)
    expected = np.array([120, 100 + 4.6]) + side / 2 * np.array([[-1, -1], [-1, 1], [1, 1], [1, -1]])
    np.testing.assert_allclose(ffhq_quad(UPRIGHT), expected, rtol=1e-12)


@pytest.mark.parametrize("framing", [FFHQ, PORTRAITS])
def test_a_face_that_is_turned_grown_and_moved_has_its_square_turned_grown_and_moved(framing):
    turn = 1.7 * np.array([[np.cos(0.6), -np.sin(0.6)], [np.sin(0.6), np.cos(0.6)]])
    moved = framing.quad(FACE @ turn.T + [31, -7])
    np.testing.assert_allclose(moved, framing.quad(FACE) @ turn.T + [31, -7], rtol=1e-12)


@pytest.mark.parametrize("framing", [FFHQ, PORTRAITS])
@pytest.mark.parametrize("supersampling", [1, 4])
def test_points_land_where_the_square_says_to_a_tenth_of_a_pixel(framing, supersampling):
    crop = align.align(blobs(FACE), Face(FACE), framing, size=256, supersampling=supersampling)
    np.testing.assert_allclose(crop.quad, framing.quad(FACE))
    for wanted in in_crop(FACE, crop.quad, 256):
        np.testing.assert_allclose(centre(crop.pixels, wanted, 12), wanted, atol=0.1)


def test_a_large_picture_is_shrunk_first_and_the_quad_says_where_its_pixels_came_from():
    crop = align.align(blobs(FACE * 8, 2400, 2560, 24), Face(FACE * 8), size=128)
    assert np.abs(crop.quad - ffhq_quad(FACE * 8)).max() > 1  # half a pixel of those that remain, as in FFHQ
    for wanted in in_crop(FACE * 8, crop.quad, 128):
        np.testing.assert_allclose(centre(crop.pixels, wanted, 6), wanted, atol=0.1)


def test_a_framing_puts_a_face_of_its_own_form_exactly_into_place():
    places = np.array(PORTRAITS.places)
    crop = align.align(blobs(places * 250 + 20), Face(places * 250 + 20 - 0.5), PORTRAITS, size=128)
    np.testing.assert_allclose(in_crop(crop.points, crop.quad, 128), places * 128 - 0.5, atol=1e-9)


def test_a_framing_takes_the_similarity_that_leaves_the_least_squares():
    quad, places = PORTRAITS.quad(FACE), np.array(PORTRAITS.places)

    def left_over(quad):
        return ((in_crop(FACE, quad, 1) + 0.5 - places) ** 2).sum()

    best = left_over(quad)
    for step in (*np.eye(2), -np.eye(2)[0], -np.eye(2)[1]):
        assert left_over(quad + step) > best
    for turn in (1.01, 0.99, 1 + 0.01j, 1 - 0.01j):
        turned = (quad - quad.mean(0)) @ np.array([1, 1j]) * turn
        assert left_over(np.stack([turned.real, turned.imag], -1) + quad.mean(0)) > best


def recipe(picture, quad, size, supersampling):
    """projection.md's steps 2 to 4, written out in floats with scipy's Gaussian, for pictures that are not shrunk."""
    side = np.hypot(*(quad[3] - quad[0]))
    border = max(int(np.rint(side * 0.1)), 3)
    height, width = picture.shape[:2]
    low, high = np.floor(quad.min(0)).astype(int), np.ceil(quad.max(0)).astype(int)
    left, top = np.maximum(low - border, 0)
    right, bottom = np.minimum(high + border, [width, height])
    picture, quad = picture[top:bottom, left:right].astype(np.float64), quad - [left, top]
    low, high = np.floor(quad.min(0)).astype(int), np.ceil(quad.max(0)).astype(int)
    pads = np.maximum([-low + border, high - [right - left, bottom - top] + border], 0)
    if pads.max() > border - 4:
        (pl, pt), (pr, pb) = np.maximum(pads, int(np.rint(side * 0.3)))
        picture, quad = np.pad(picture, ((pt, pb), (pl, pr), (0, 0)), "reflect"), quad + np.array([pl, pt])
        y, x, _ = np.ogrid[: picture.shape[0], : picture.shape[1], :1]
        far = [x / pl, (picture.shape[1] - 1 - x) / pr, y / pt, (picture.shape[0] - 1 - y) / pb]
        mask = np.maximum(1 - np.minimum(far[0], far[1]), 1 - np.minimum(far[2], far[3]))
        blurred = ndimage.gaussian_filter(picture, [side * 0.02, side * 0.02, 0])
        picture += (blurred - picture) * (3 * mask + 1).clip(0, 1)
        picture += (np.median(picture, (0, 1)) - picture) * mask.clip(0, 1)
    image = Image.fromarray(np.rint(picture).clip(0, 255).astype(np.uint8))
    large = size * supersampling
    image = image.transform((large, large), Image.Transform.QUAD, (quad + 0.5).ravel(), Image.Resampling.BILINEAR)
    return np.asarray(image.resize((size, size), Image.Resampling.LANCZOS))


@pytest.mark.parametrize("move", [(0, 0), (-70, 0), (0, 60), (90, -100), (-120, -140)])
@pytest.mark.parametrize("supersampling", [1, 4])
def test_where_the_square_leaves_the_picture_it_is_padded_as_the_recipe_says(move, supersampling):
    picture = waves(300, 320)
    picture[::16], picture[:, ::16] = 255, 0  # edges, where an approximate Gaussian would show
    quad = ffhq_quad(FACE + move)
    ours, drawn = align.cut(picture, quad, 200, supersampling)
    theirs = recipe(picture, quad, 200, supersampling)
    apart = np.abs(ours.astype(int) - theirs)
    assert apart.max() <= 3 and apart.mean() <= 0.5, (apart.max(), apart.mean())
    np.testing.assert_array_equal(drawn, quad)


def test_far_outside_the_picture_everything_has_its_median_colour():
    picture = np.full((200, 200, 3), (200, 40, 90), np.uint8)
    crop = align.align(picture, Face(UPRIGHT - [95, 90]), size=64)
    assert np.all(crop.pixels == (200, 40, 90))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_that_lies_on_its_side_by_exif_gives_the_crop_of_the_upright_one(tmp_path, orientation):
    upright = images.on_white(waves(300, 320))
    back = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Pillow's transpositions that undo each
    stored = upright if orientation == 1 else upright.transpose(Image.Transpose(back[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "a.png", exif=exif)
    crop = align.align(images.read(tmp_path / "a.png"), Face(FACE), size=64)
    np.testing.assert_array_equal(crop.pixels, align.align(np.asarray(upright), Face(FACE), size=64).pixels)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "1", "I;16"])
def test_every_kind_of_picture_is_cropped(tmp_path, mode):
    grey = Image.fromarray(blobs(FACE)[..., 0])
    if mode == "I;16":
        stored = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    else:
        stored = grey.convert("RGB").convert(mode)
    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    stored.save(path)
    crop = align.align(images.read(path), Face(FACE), size=64)
    assert crop.pixels.shape == (64, 64, 3)
    if mode != "1":
        plain = align.align(blobs(FACE), Face(FACE), size=64).pixels
        assert np.abs(crop.pixels.astype(int) - plain).max() <= 24  # a palette of 216 colours; else exact
        assert mode == "P" or np.abs(crop.pixels.astype(int) - plain).max() <= 1


def test_the_middle_of_a_picture_is_its_largest_square():
    picture = np.zeros((40, 101, 3), np.uint8)
    picture[:, 30:70] = 255
    crop = align.centred(picture, size=40)
    assert np.all(crop.pixels == 255) and crop.points is None
    np.testing.assert_array_equal(crop.quad, [[29.5, -0.5], [29.5, 39.5], [69.5, 39.5], [69.5, -0.5]])


def test_a_picture_of_sixteen_pixels_is_cropped_and_one_that_is_black_stays_black():
    tiny = np.array([[5.0, 6.0], [10.0, 6.0], [5.5, 11.0], [9.5, 11.0]])
    assert align.align(waves(16, 16), Face(tiny), size=64).pixels.std() > 1
    assert not align.align(np.zeros((300, 300, 3), np.uint8), Face(FACE), size=64).pixels.any()


@pytest.mark.parametrize(
    ("points", "said"),
    [
        (FACE * np.nan, "no finite numbers"),
        (np.array([[10.0, 10], [20, 20], [30, 30], [40, 40]]), "on one line"),
        (np.array([[10.0, 10], [20, 10], [12, 10], [18, 10]]), "one pixel|on one line"),
        (np.full((4, 2), 50.0), "one pixel"),
        (FACE[[1, 0, 3, 2]], "another order"),
        (FACE[[0, 1, 3, 2]], "another order"),
        (FACE + 1000, "outside its 300×320 pixels"),
        (FACE * 1e8, "outside"),
    ],
)
def test_points_that_are_no_face_are_refused(points, said):
    with pytest.raises(InputError, match=said):
        align.align(blobs(FACE), Face(points))


def test_the_shipped_pair_has_a_framing_of_its_own_and_so_have_its_blends():
    lineages = [checkpoint.contents(path)[2] for path in shipped_models().values()]
    assert [of_model(lineage) for lineage in lineages] == [PORTRAITS, PORTRAITS]
    assert of_model({"source": "blend", "parents": lineages}) == PORTRAITS


def test_a_model_may_state_its_framing_and_has_ffhqs_if_it_says_nothing():
    places = [[0.3, 0.4], [0.7, 0.4], [0.35, 0.8], [0.65, 0.8]]
    assert of_model({"source": "m", "framing": places}) == Framing("m", tuple((x, y) for x, y in places))
    assert of_model({"framing": "ffhq", "data": {"sha256": "x"}}) is of_model({}) is FFHQ
    assert of_model({"data": {"sha256": [1]}}) is of_model({"data": {"sha256": {}}}) is FFHQ
    for wrong in ("wide", [[0, 0]] * 3, [[0, 0]] * 4, [[0, 2]] * 4, {"a": 1}, [["x", 1]] * 4):
        with pytest.raises(InputError, match="neither ffhq nor four places"):
            of_model({"framing": wrong})


def test_a_framing_is_measured_in_the_squares_that_training_sees_and_in_their_mirror_images():
    square = np.array([[30, 40], [60, 40], [35, 70], [55, 70]], float) - 0.5
    wide = square + np.array([20, 0])  # the same in the middle of 140×100
    places = framing.measured([(square, 100, 100), (wide, 140, 100)])
    np.testing.assert_allclose(places, [[0.35, 0.4], [0.65, 0.4], [0.4, 0.7], [0.6, 0.7]], atol=1e-9)
    assert of_model({"framing": places}).places == tuple(map(tuple, places))
