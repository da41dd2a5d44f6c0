from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from stylegan_jax.scores import metrics
from stylegan_jax.scores.appearance import saturation, sharpness
from stylegan_jax.scores.features import proxy_features
from stylegan_jax.scores.score import Score

SHARED = Path(__file__).resolve().parents[3] / "shared" / "images"


def faces(folder, n):
    files = sorted((SHARED / folder).glob("*.png"))
    if not files:
        pytest.skip("needs ../shared/images")
    files = [files[i] for i in np.random.RandomState(0).permutation(len(files))[:n]]
    pictures = [Image.open(file).convert("RGB").resize((32, 32), Image.Resampling.BOX) for file in files]
    return np.stack([np.asarray(picture) for picture in pictures])


def blurred(images):
    return np.stack([np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(1))) for image in images])


def test_proxy_fid_orders_damage_as_an_eye_does():
    portraits, toons = faces("portraits", 400), faces("toons", 200)
    real, held_back = portraits[:200], portraits[200:]
    rng = np.random.RandomState(1)
    noisy, noisier = (np.clip(held_back + rng.randn(*real.shape) * s, 0, 255).astype(np.uint8) for s in (20, 30))
    features = proxy_features(real)
    same, with_noise, with_more, blur, few, mixed, drawn = (
        metrics.fid(features, proxy_features(images))
        for images in (
            held_back,
            noisy,
            noisier,
            blurred(held_back),
            held_back[np.arange(200) % 10],
            np.concatenate([held_back[:100], toons[:100]]),
            toons,
        )
    )
    assert same < 0.7 * with_noise < 0.7 * with_more < 0.7 * drawn
    assert 2 * same < blur < drawn
    assert 3 * same < few < drawn
    assert 3 * same < mixed < 0.7 * drawn


def test_features_are_the_same_numbers_on_every_machine_and_version():
    """Scores of different days are compared: whoever changes these numbers must change `features.NAME`."""
    pixels = np.random.RandomState(7).randint(0, 256, (3, 32, 32, 3)).astype(np.uint8)
    found = proxy_features(pixels)
    assert found.shape == (3, 264)
    np.testing.assert_allclose(found.mean(1), [0.676776, 0.689197, 0.651452], atol=2e-6)
    np.testing.assert_allclose(found.std(1), [0.640428, 0.643045, 0.615592], atol=2e-6)


def test_features_of_an_image_do_not_depend_on_its_batch():
    pixels = np.random.RandomState(7).randint(0, 256, (5, 16, 16, 3)).astype(np.uint8)
    np.testing.assert_allclose(proxy_features(pixels, batch=2), proxy_features(pixels, batch=5), atol=1e-5)


def test_grey_images_are_described_as_rgb_ones_of_equal_channels():
    grey = np.random.RandomState(7).randint(0, 256, (2, 16, 16, 1)).astype(np.uint8)
    np.testing.assert_array_equal(proxy_features(grey), proxy_features(grey.repeat(3, -1)))


def test_images_too_small_for_two_octaves_are_refused():
    with pytest.raises(ValueError, match="16 pixels or more, not 8"):
        proxy_features(np.zeros((1, 8, 8, 3), np.uint8))


@pytest.mark.parametrize("channels", [1, 4])
def test_grey_and_rgba_images_are_described_as_what_they_look_like(channels):
    rgb = np.random.RandomState(0).randint(0, 256, (2, 16, 16, 3)).astype(np.uint8)
    rgb = rgb[..., :1].repeat(3, -1) if channels == 1 else rgb
    images = rgb[..., :1] if channels == 1 else np.concatenate([rgb, np.full_like(rgb[..., :1], 255)], -1)
    np.testing.assert_allclose(proxy_features(images), proxy_features(rgb), atol=1e-5)


class Pictures:
    def __init__(self, n, channels):
        self.pixels = np.random.RandomState(n).randint(0, 256, (n, 16, 16, channels)).astype(np.uint8)

    def __len__(self):
        return len(self.pixels)

    def image(self, index):
        return self.pixels[index]


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_run_is_scored_whatever_its_channels(channels):
    score = Score(Pictures(5, channels), 4, 16)
    found = score(lambda seeds: Pictures(len(seeds), channels).pixels)
    assert all(np.isfinite(found[name]) for name in ("proxy-FID", "proxy-KID"))


def test_a_data_set_of_one_image_has_a_fid_and_no_kid():
    found = Score(Pictures(1, 3), 4, 16)(lambda seeds: Pictures(len(seeds), 3).pixels)
    assert np.isfinite(found["proxy-FID"]) and "proxy-KID" not in found


class Flat(Pictures):
    """Grey surfaces: neither saturated nor sharp."""

    def image(self, index):
        return np.full((16, 16, 3), 100 + index, np.uint8)


def test_a_score_says_beside_the_distances_how_fake_and_real_images_look():
    fakes = Pictures(20, 3).pixels // 4 + 90
    fakes[7] = 128
    found = Score(Flat(5, 3), 20, 16)(lambda seeds: fakes[: len(seeds)])
    assert found["saturation/real"] == found["sharpness/real"] == 0
    assert found["saturation/fake"] == pytest.approx(float(saturation(fakes).mean()), abs=1e-4)
    assert found["sharpness/fake"] == pytest.approx(float(sharpness(fakes).mean()), abs=1e-4)
    assert found["dead"] == 1 / 20


def test_opacity_is_no_colour():
    rgb = np.random.RandomState(0).randint(0, 256, (2, 16, 16, 3)).astype(np.uint8)
    rgba = np.concatenate([rgb, np.full_like(rgb[..., :1], 255)], -1)
    np.testing.assert_allclose(saturation(rgba), saturation(rgb))
    np.testing.assert_allclose(sharpness(rgba), sharpness(rgb))
