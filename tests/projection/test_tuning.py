"""Pivotal tuning: nearer to the photographs, elsewhere as before."""

import jax.numpy as jnp
import numpy as np
import pytest

from stylegan_jax.errors import InputError
from stylegan_jax.names import is_buffer
from stylegan_jax.pictures.images import to_float
from stylegan_jax.projection.losses import psnr, scattering_loss
from stylegan_jax.projection.tuning import Tuning, _programs, between, tune
from stylegan_jax.sampler import map_seeds, sample_ws
from tests.tiny_models import tiny_model

MODEL = tiny_model(img_resolution=16)
WS = map_seeds(MODEL, [0, 1])
QUICK = Tuning(steps=30, rate=0.01, locality=0)


def shown(model, ws=WS):
    return np.concatenate(list(sample_ws(model, ws)))


@pytest.fixture(scope="module")
def pictures():
    """What another model makes: near enough to be learnt."""
    return shown(tiny_model(5, img_resolution=16))


@pytest.fixture(scope="module")
def tuned(pictures):
    return tune(MODEL, pictures, WS, QUICK)


def likeness(model, pictures):
    return np.asarray(psnr(to_float(jnp.asarray(shown(model))), to_float(jnp.asarray(pictures))))


def test_the_images_of_the_pivots_come_nearer_to_the_pictures(tuned, pictures):
    assert (likeness(tuned, pictures) > likeness(MODEL, pictures) + 3).all()


def test_only_the_synthesis_is_tuned_and_the_model_given_is_not(tuned):
    fresh = tiny_model(img_resolution=16).networks["G_ema"]
    for name, leaf in tuned.networks["G_ema"].items():
        np.testing.assert_array_equal(MODEL.networks["G_ema"][name], fresh[name])
        kept = name.startswith("mapping.") or is_buffer(name)
        assert np.array_equal(leaf, fresh[name]) == kept, name
    assert tuned.lineage["parents"] == [MODEL.lineage] and tuned.lineage["tuned"]["steps"] == 30


def test_with_locality_images_elsewhere_move_less(tuned, pictures):
    near = tune(MODEL, pictures, WS, Tuning(steps=30, rate=0.01, locality=3, distance=100))
    elsewhere = map_seeds(MODEL, range(100, 116))
    moved, moved_near = (
        np.square(shown(each, elsewhere) - shown(MODEL, elsewhere).astype(np.float64)).mean() for each in (tuned, near)
    )
    assert moved_near < 0.8 * moved


def test_the_same_seed_tunes_the_same_model_and_the_steps_are_reported(pictures):
    told = []
    tuning = Tuning(steps=12, locality=0.1)
    one, two = (tune(MODEL, pictures, WS, tuning, report=lambda *each: told.append(each)) for _ in range(2))
    for name, leaf in one.networks["G_ema"].items():
        np.testing.assert_array_equal(leaf, two.networks["G_ema"][name])
    assert [step for step, _ in told] == [10, 12, 10, 12]


def test_every_photograph_of_a_size_is_tuned_by_one_program(pictures):
    _, step = _programs(MODEL.config.generator, scattering_loss(), True)
    tune(MODEL, pictures, WS, Tuning(steps=3, rate=0.02))
    before = step._cache_size()  # pyright: ignore
    tune(MODEL, pictures[::-1], WS[::-1], Tuning(steps=3, rate=0.01))
    assert step._cache_size() == before > 0  # pyright: ignore


def test_the_place_near_a_pivot_is_so_far_away_or_the_other_w():
    pivot, other = jnp.zeros((2, 3)), jnp.full((2, 3), 2.0)
    np.testing.assert_allclose(jnp.linalg.norm(between(pivot, other, 1.5)), 1.5, rtol=1e-6)
    np.testing.assert_allclose(between(pivot, other, 30), other)


def test_a_rate_at_which_it_diverges_is_said(pictures):
    with pytest.raises(InputError, match="diverged: its loss is no number — use a lower rate than 1e"):
        tune(MODEL, pictures, WS, Tuning(steps=5, rate=1e30, locality=0))
