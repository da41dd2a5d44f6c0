import numpy as np
import pytest

from stylegan_jax.errors import InputError
from stylegan_jax.pictures import encoding, images


def picture(channels, height=9, width=7):
    return np.random.RandomState(channels).randint(0, 256, (height, width, channels), np.uint8)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("form", ["png", "npy"])
def test_exact_forms_keep_every_pixel(form, channels):
    image = picture(channels)
    np.testing.assert_array_equal(encoding.decode(encoding.encode(image, form), form, channels), image)


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (5, 1)])
def test_pngs_may_be_one_pixel_wide(shape):
    image = picture(3, *shape)
    np.testing.assert_array_equal(encoding.decode(encoding.encode(image, "png"), "png", 3), image)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("form", ["jpg", "webp"])
def test_lossy_forms_stay_near(form, channels):
    ramp = np.add.outer(np.arange(32), np.arange(32)).astype(np.uint8) * 4
    image = np.repeat(ramp[..., None], channels, 2)
    error = np.abs(encoding.decode(encoding.encode(image, form), form, channels).astype(int) - image)
    assert error.mean() < 2


def test_a_png_says_what_made_it_in_any_script(tmp_path):
    note = {"model": "ffhq", "recipe": "α ≤ 1", "seed": 3}
    (tmp_path / "x.png").write_bytes(encoding.encode(picture(3), "png", note))
    assert images.made_by(tmp_path / "x.png") == note


@pytest.mark.parametrize("form", ["jpg", "webp"])
def test_a_note_too_long_for_the_form_is_left_out(form):
    noted, bare = (encoding.encode(picture(3), form, {"model": "x" * n}) for n in (100, 100_000))
    assert b"x" * 100 in noted
    assert len(bare) < 10_000


def test_transparent_images_are_no_jpegs():
    encoding.check_form("webp", 4)
    with pytest.raises(InputError, match="use png or webp"):
        encoding.check_form("jpg", 4)
