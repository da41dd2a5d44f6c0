import itertools

import numpy as np
import pytest

from interp.paths import circle, noise, slerp, spline
from stylegan_jax.sampler.latents import z_from_seeds

STOPS = np.random.RandomState(0).standard_normal((4, 2, 3)).astype(np.float32)
ROUND = [lambda seed, d=0.5: circle(seed, 2000, d), lambda seed, d=3.0: noise(seed, 2000, d)]


def test_slerp_keeps_norms_and_turns_evenly():
    one, two = z_from_seeds([1, 2], 512).astype(np.float64)
    one, two = ((20 * each / np.linalg.norm(each)).astype(np.float32) for each in (one, two))
    points = [slerp(one, two, share) for share in np.linspace(0, 1, 11)]
    assert [np.linalg.norm(point) for point in points] == pytest.approx([20] * 11, rel=1e-6)
    steps = [np.linalg.norm(b - a) for a, b in itertools.pairwise(points)]
    assert steps == pytest.approx([steps[0]] * 10, rel=1e-4)


def test_slerp_begins_and_ends_at_its_ends_to_the_bit_and_lengths_change_evenly():
    one, two = STOPS[0, 0], 3 * STOPS[1, 0]
    np.testing.assert_array_equal(slerp(one, two, 0), one)
    np.testing.assert_array_equal(slerp(one, two, 1), two)
    middle = (np.linalg.norm(one) + np.linalg.norm(two)) / 2
    assert np.linalg.norm(slerp(one, two, 0.5)) == pytest.approx(middle, rel=1e-6)
    np.testing.assert_allclose(slerp(one, one, 0.3), one, rtol=1e-6)


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("knots", [None, [0, 0.5, 2.25, 3, 7]])
def test_a_spline_passes_through_every_stop_to_the_bit(closed, knots):
    times = None if knots is None else knots[: 4 + closed]
    for i, t in enumerate(range(4 + closed) if times is None else times):
        np.testing.assert_array_equal(spline(STOPS, t, knots=times, closed=closed), STOPS[i % 4])


@pytest.mark.parametrize("knots", [None, [0, 0.5, 2.25, 3, 7]])
def test_a_spline_does_not_turn_sharply_at_a_stop_nor_where_it_closes(knots):
    times, small = knots or [0, 1, 2, 3, 4], 1e-3

    def at(t):
        return spline(STOPS.astype(np.float64), t % times[-1], knots=knots, closed=True)

    for t in times:
        before, after = (at(t) - at(t - small)) / small, (at(t + small) - at(t)) / small
        np.testing.assert_allclose(before, after, atol=0.05)


def test_a_spline_through_stops_on_a_line_stays_on_it():
    line = np.arange(4, dtype=np.float32)[:, None, None] * np.ones((2, 3), np.float32)
    np.testing.assert_allclose(spline(line, 1.3), np.full((2, 3), 1.3), rtol=1e-6)


@pytest.mark.parametrize("make", ROUND, ids=["circle", "noise"])
def test_loops_begin_and_end_at_the_seed_and_each_seed_has_its_own(make):
    at, z = make(7), z_from_seeds([7], 2000)[0]
    np.testing.assert_allclose(at(0.0), z, atol=1e-6)
    np.testing.assert_allclose(at(1.0), z, atol=1e-5)
    assert np.abs(at(0.5) - make(8)(0.5)).mean() > 0.1
    assert np.abs(at(0.999) - z).mean() < 0.05


@pytest.mark.parametrize("make", ROUND, ids=["circle", "noise"])
def test_every_point_of_a_loop_is_as_likely_as_any_z(make):
    points = np.stack([make(3)(t) for t in np.linspace(0, 1, 16, endpoint=False)])
    assert points.std(1) == pytest.approx(np.ones(16), abs=0.06) and abs(points.mean()) < 0.05


def test_the_widest_circle_leads_through_the_opposite_and_a_narrow_one_stays_near():
    z = z_from_seeds([3], 64)[0]
    np.testing.assert_allclose(circle(3, 64, 1.0)(0.5), -z, atol=1e-5)
    assert np.abs(circle(3, 64, 0.02)(0.5) - z).mean() < 0.1


def test_noise_of_a_larger_diameter_changes_faster():
    slow, fast = (np.abs(noise(3, 512, d)(0.02) - noise(3, 512, d)(0.0)).mean() for d in (1.0, 8.0))
    assert fast > 4 * slow
