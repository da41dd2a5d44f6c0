import numpy as np
import pytest

from stylegan_jax.filters import DEFAULT_FILTER, as_lists, filter_shape, setup_filter, taps_from, taps_of

FILTERS = [(1, 3, 3, 1), (1, 2, 1), (1, 4, 6, 4, 1), tuple(range(1, 13)), ((1, 2), (3, 5))]


@pytest.mark.parametrize("taps", FILTERS, ids=str)
def test_a_filter_is_normalised_once_and_has_the_shape_that_layouts_list(taps):
    f = setup_filter(taps)
    assert f.dtype == np.float32 and f.shape == filter_shape(taps)
    assert f.sum() == pytest.approx(1)
    whole = np.asarray(taps, float) if f.ndim == np.ndim(taps) else np.outer(taps, taps)
    np.testing.assert_allclose(f, whole / whole.sum(), rtol=1e-6)


@pytest.mark.parametrize("taps", [taps for taps in FILTERS if np.ndim(taps) == 1], ids=str)
def test_the_taps_of_a_stored_filter_are_found_again(taps):
    assert taps_of(setup_filter(taps)) == taps
    assert taps_of(None) is None and taps_of(np.zeros((2, 2, 2))) is None


@pytest.mark.parametrize("taps", FILTERS, ids=str)
def test_listed_taps_are_read_back(taps):
    assert taps_from(as_lists(taps)) == taps


def test_the_usual_filter_is_the_default_itself():
    assert taps_from([1.0, 3.0, 3.0, 1.0]) is DEFAULT_FILTER and taps_of(setup_filter((2, 6, 6, 2))) is DEFAULT_FILTER


NAN, INF = float("nan"), float("inf")


NO_FILTERS = [None, "1331", 3, [], {}, [[]], [1, -1], [[1, 2], [3]], [1, [2]], [[1], 2], [[[1]]]]
NO_FILTERS += [[True], ["1"], [NAN], [INF], [1e31], [1] * 5000, [[1] * 70] * 70]


@pytest.mark.parametrize("value", NO_FILTERS, ids=lambda value: repr(value)[:20])
def test_what_is_no_filter_is_not_read_as_one(value):
    assert taps_from(value) is None


def test_a_filter_without_a_sum_is_left_as_it_is():
    np.testing.assert_array_equal(setup_filter((1, -1)), [[1, -1], [-1, 1]])
