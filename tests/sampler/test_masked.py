"""Two generators in one picture: what a mask shows of each."""

from typing import Any

import numpy as np
import pytest

from stylegan_jax.sampler import batching, masked
from stylegan_jax.sampler.programs import masked_program
from stylegan_jax.sampler.run import map_seeds, sample_within, sample_ws
from tests.tiny_models import tiny_model

RESOLUTIONS = (4, 8, 16, 32)
PLANS = pytest.mark.parametrize("plan", ["plain", "prepared"])


@pytest.fixture(scope="module")
def models():
    return [tiny_model(seed, img_resolution=32, channel_max=4) for seed in (1, 2)]


@pytest.fixture(scope="module")
def ws(models):
    return [map_seeds(model, range(3), truncation_psi=0.7) for model in models]


def even(value):
    return {r: np.full((r, r), value, np.float32) for r in RESOLUTIONS}


def left(share):
    """A mask over the left part of the picture."""
    return {r: np.repeat((np.arange(r)[None] < share * r).astype(np.float32), r, 0) for r in RESOLUTIONS}


def pictures(models, ws, masks, plan: Any = "plain"):
    return np.concatenate(list(sample_within(models[0], models[1], ws[0], ws[1], masks, plan=plan))).astype(int)


def alone(model, ws, plan: Any = "plain"):
    return np.concatenate(list(sample_ws(model, ws, plan=plan))).astype(int)


@PLANS
def test_a_mask_of_ones_gives_the_other_models_images_and_one_of_zeros_the_bases(models, ws, plan):
    for value, model, own in zip((0, 1), models, ws, strict=True):
        found, expected = pictures(models, ws, even(value), plan), alone(model, own, plan)
        assert np.abs(found - expected).max() <= 1 and (found == expected).mean() > 0.999


@PLANS
def test_the_far_side_of_a_mask_is_the_bases_picture_and_the_near_side_the_others(models, ws, plan):
    found = pictures(models, ws, left(0.5), plan)
    base, other = (alone(*each, plan) for each in zip(models, ws, strict=True))
    far = found[:, :, 28:], base[:, :, 28:]  # beyond what two convolutions above the join reach
    assert np.abs(far[0] - far[1]).max() <= 1
    inside, outside = found[:, :, :12], found[:, :, 20:]
    assert np.abs(inside - other[:, :, :12]).mean() < np.abs(inside - base[:, :, :12]).mean() / 2
    assert np.abs(outside - base[:, :, 20:]).mean() < np.abs(outside - other[:, :, 20:]).mean() / 10


def test_up_to_the_join_outside_is_the_base_to_the_bit(models, ws):
    small = [tiny_model(seed) for seed in (1, 2)]  # 16×16: the base takes nothing but its own
    rows = [map_seeds(model, range(3)) for model in small]
    found = pictures(small, rows, {r: mask for r, mask in left(0.5).items() if r <= masked.JOIN})
    np.testing.assert_array_equal(found[:, :, 8:], alone(small[0], rows[0])[:, :, 8:])


def test_both_plans_make_the_same_pictures(models, ws):
    soft = {r: np.linspace(0, 1, r * r, dtype=np.float32).reshape(r, r) for r in RESOLUTIONS}
    plain, prepared = (pictures(models, ws, soft, plan) for plan in ("plain", "prepared"))
    assert np.abs(plain - prepared).max() <= 1


@pytest.mark.parametrize("architecture", ["orig", "resnet"])
def test_other_architectures_are_mixed_on_their_features_too(architecture):
    both = [tiny_model(seed, architecture=architecture) for seed in (1, 2)]
    rows = [map_seeds(model, range(2)) for model in both]
    masks = {r: mask for r, mask in even(0).items() if r <= 16}
    np.testing.assert_array_equal(pictures(both, rows, masks), alone(both[0], rows[0]))


def test_no_mask_compiles_anew(models, ws):
    pictures(models, ws, even(0.5))
    how = batching.choose(models[1].config.generator, plan="plain")
    program = masked_program(*(model.config.generator for model in models), how)
    before = program._cache_size()
    assert before
    for masks in (left(0.25), even(1), {**even(1), 8: left(0.5)[8]}):
        pictures(models, ws, masks)
    assert program._cache_size() == before
