"""Masks as texts and as pictures, and the pyramid that mixes features."""

import numpy as np
import pytest
from PIL import Image

from interp.alphas import resolve_sources
from interp.masks import Ellipse, Mask, mask_of, parse_ellipse
from interp.mix import blend
from interp.recipes import Ingredient, Recipe
from interp.rendering import Renderer
from interp.schedules import constant, smooth, swap
from interp.sheets import View
from stylegan_jax.config import GeneratorConfig
from stylegan_jax.errors import InputError
from stylegan_jax.sampler.programs import masked_program
from stylegan_jax.sampler.run import map_seeds, sample_within
from tests.tiny_models import tiny_model

MODELS = (Ingredient(path="a"), Ingredient(path="b", schedule="swap=8"))
CONFIG = GeneratorConfig(img_resolution=64)


def asked(mask, config=CONFIG, beside=None, **fields):
    found = mask_of(Recipe(models=MODELS, mask=str(mask), **fields), config, beside)
    assert found is not None
    return found


def saved(path, pixels):
    Image.fromarray(np.asarray(pixels, np.uint8)).save(path)
    return path


def test_no_mask_is_none():
    assert mask_of(Recipe(models=MODELS), CONFIG) is None


def test_an_ellipse_is_one_inside_zero_outside_and_level_between():
    values = asked("ellipse=0.5,0.5,0.25,0.4:soft=0.1").values
    assert values[32, 32] == 1 and values[0, 0] == 0 and values[32, 2] == 0
    assert values[32, 22:42].min() == 1  # over ±0.225 of the width
    np.testing.assert_array_equal(values, values[::-1, ::-1])
    assert abs(values.mean() - np.pi * 0.25 * 0.4) < 0.01


def test_an_ellipse_without_softness_has_a_border_of_one_pixel():
    values = Ellipse(0.5, 0.5, 0.25, 0.25, 0).draw((64, 64))
    assert ((values[32] > 0) & (values[32] < 0.999)).sum() == 0 and values.mean() == pytest.approx(
        np.pi / 16, abs=0.001
    )


def test_what_is_left_out_of_an_ellipse_is_that_of_the_default():
    assert parse_ellipse("ellipse") == Ellipse()
    assert parse_ellipse("ellipse:soft=0.1") == Ellipse(soft=0.1)
    assert parse_ellipse("ellipse=0.1,0.2,0.3,0.4") == Ellipse(0.1, 0.2, 0.3, 0.4)
    assert parse_ellipse("ellipse.png") is None


@pytest.mark.parametrize(
    "text",
    [
        "ellipse=",
        "ellipse=a,b,c,d",
        "ellipse=0.5",
        "ellipse=0.5,0.5,0,0.4",
        "ellipse=0.5,0.5,nan,0.4",
        "ellipse=0.5,0.5,1e300,0.4",
        "ellipse=1,2,3,4,5",
        "ellipse:soft=2",
        "ellipse:soft=-1",
        "ellipse:softness=0.1",
        "ellipse:x",
    ],
)
def test_texts_that_make_no_ellipse_are_refused_with_one_that_does(text):
    with pytest.raises(InputError, match=r"mask=ellipse.* — write ellipse=0.5,0.46,0.34,0.42:soft=0.25"):
        asked(text)


@pytest.mark.parametrize("size", [(64, 64), (200, 130), (16, 16), (1, 1)])
def test_white_is_the_blend_and_black_the_base_at_any_size(tmp_path, size):
    for value in (0, 255):
        found = asked(saved(tmp_path / "mask.png", np.full(size, value)))
        np.testing.assert_array_equal(found.values, np.full((64, 64), value / 255, np.float32))


def test_transparency_is_the_mask_where_there_is_some(tmp_path):
    pixels = np.zeros((64, 64, 4))
    pixels[:, :32, 3] = 255
    found = asked(saved(tmp_path / "mask.png", pixels))
    assert found.values[:, :32].min() == 1 and found.values[:, 32:].max() == 0
    opaque = np.dstack([np.zeros((64, 64, 3)), np.full((64, 64), 255)])
    assert asked(saved(tmp_path / "black.png", opaque)).values.max() == 0


def test_masks_are_inverted_by_their_names(tmp_path):
    drawn, file = asked("ellipse").values, saved(tmp_path / "mask.png", np.full((8, 8), 51))
    np.testing.assert_array_equal(asked("ellipse:invert").values, 1 - drawn)
    assert asked(f"{file}:invert").values[0, 0] == np.float32(0.8)


def test_the_pyramid_is_the_mean_over_each_pixel():
    mask = asked("ellipse")
    pyramid = mask.pyramid()
    assert tuple(pyramid) == CONFIG.resolutions
    np.testing.assert_array_equal(pyramid[64], mask.values)
    np.testing.assert_allclose([each.mean() for each in pyramid.values()], mask.values.mean(), rtol=1e-5)


def test_a_mask_has_the_shape_of_images_that_are_not_square(tmp_path):
    wide = GeneratorConfig(img_resolution=64, const_size=(4, 6))
    for mask in ("ellipse", saved(tmp_path / "mask.png", np.eye(100) * 255)):
        pyramid = asked(mask, config=wide).pyramid()
        assert {r: each.shape for r, each in pyramid.items()} == {r: (r, r * 3 // 2) for r in wide.resolutions}
    ellipse = asked("ellipse=0.5,0.5,0.25,0.25", config=wide).values
    np.testing.assert_array_equal(ellipse, ellipse[::-1, ::-1])
    assert (ellipse[32] > 0).sum() == pytest.approx((ellipse[:, 48] > 0).sum(), abs=2)
    np.testing.assert_allclose(ellipse[:, 16:80], Ellipse(0.5, 0.5, 0.25, 0.25).draw((64, 64)), atol=1e-6)


def test_a_mask_at_one_resolution_is_one_at_all_others():
    pyramid = asked("ellipse", mask_at=16).pyramid()
    assert [r for r, each in pyramid.items() if each.min() < 1] == [16]
    with pytest.raises(InputError, match="mask_at=24: not a resolution of these models — use 4, 8, … 64"):
        asked("ellipse", mask_at=24)


def test_a_file_keeps_its_name_and_hash_and_is_found_beside_the_recipe(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    found = asked(saved(tmp_path / "there" / "mask.png", np.full((8, 8), 255)))
    kept = found.kept_by(Recipe(models=MODELS))
    assert kept.mask == "mask.png" and len(str(kept.mask_sha256)) == 64
    again = mask_of(kept, CONFIG, tmp_path / "there")
    assert again is not None and again.sha256 == found.sha256
    with pytest.raises(InputError, match=r"mask=mask.png: the recipe's mask is not there — put it beside the recipe"):
        mask_of(kept, CONFIG)
    saved(tmp_path / "there" / "mask.png", np.zeros((8, 8)))
    with pytest.raises(InputError, match=r"mask.png: is not the mask of the recipe: its SHA-256 is"):
        mask_of(kept, CONFIG, tmp_path / "there")


@pytest.mark.parametrize(
    "content, what",
    [
        (b"", "is empty"),
        (b"no picture", "cannot be read as an image"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "cannot be read as an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "cannot be read as an image"),
    ],
)
def test_files_that_are_no_pictures_are_refused_by_name(tmp_path, content, what):
    (tmp_path / "mask.png").write_bytes(content)
    with pytest.raises(InputError) as refused:
        asked(tmp_path / "mask.png")
    assert str(refused.value).startswith(f"{tmp_path / 'mask.png'}: {what}")


def test_huge_pictures_and_folders_are_refused(tmp_path):
    path = tmp_path / "mask.png"
    Image.new("1", (20_000, 20_000)).save(path)
    with pytest.raises(InputError, match=r"mask.png: .*too many"):
        asked(path)
    with pytest.raises(InputError):
        asked(tmp_path)


def test_a_renderer_shows_what_the_sampler_shows_and_compiles_no_mask_anew():
    models = [tiny_model(seed, img_resolution=8) for seed in (1, 2)]
    renderer = Renderer(models, ["base", "transfer"])
    masks = [Mask("x", np.repeat(np.linspace(0, 1, 8, dtype=np.float32)[None], 8, 0)), Mask("y", np.eye(8, dtype="f"))]
    rows = [map_seeds(model, range(3), truncation_psi=0.7) for model in models]
    program, compiled = masked_program(renderer.config, renderer.config, renderer.how), []
    for mask in masks:
        for schedule in (swap(4), smooth(4, 0.5), constant(1)):
            mixed = blend(models[0], models[1], schedule, mapping="transfer")
            found = renderer.images_within(
                mask.pyramid(), [schedule], resolve_sources([schedule], None, None, None), rows[1], base_ws=rows[0]
            )
            compiled.append(program._cache_size())
            expected = np.concatenate(list(sample_within(models[0], mixed, rows[0], rows[1], mask.pyramid())))
            assert np.abs(found.astype(int) - expected).max() <= 1
    assert len(set(compiled[1:])) == 1  # the sampler's own, which takes the mapping's tensors too, follows the first


def test_a_sheets_row_is_the_blends_under_a_white_mask_and_the_bases_under_a_black_one():
    models = [tiny_model(seed) for seed in (1, 2)]
    mixed, view = blend(models[0], models[1], swap(8)), View(range(2))
    for value, shown in ((0, models[0]), (1, mixed)):
        masks = Mask("x", np.full((16, 16), value, np.float32)).pyramid()
        np.testing.assert_array_equal(view.masked_row(models[0], mixed, masks), view.row(shown))
