import numpy as np
import pytest

from stylegan_jax.pictures.listing import Listing, from_json
from stylegan_jax.sampler.jobs import _runs

NAMES = ["grid.png", "seed0000.png", "seed0001.png", "seed9999.png", "seed10000.png", "85-55.png", "w-1-of-2.npz"]


def test_a_list_holds_its_names_and_no_others():
    listing = Listing.of(NAMES)
    assert all(name in listing for name in NAMES)
    for name in ("seed0002.png", "seed0000.jpg", "seed00001.png", "seed1.png", "grid", "", "85-56.png", "w-1-of-3.npz"):
        assert name not in listing


def test_a_list_of_a_million_names_takes_a_line_and_comes_back_the_same():
    listing = Listing([("seed0000.png", "seed999999.png")])
    assert listing.to_json() == [["seed0000.png", "seed999999.png"]]
    again = from_json(listing.to_json())
    assert again is not None and "seed0042.png" in again and "seed123456.png" in again and "seed01234.png" not in again


def test_lists_join_where_they_touch():
    both = Listing.of(["a1.png", "a2.png", "b.png"]) | Listing.of(["a3.png", "a5.png", "b.png"])
    assert both.to_json() == [["a1.png", "a3.png"], ["a5.png", "a5.png"], ["b.png", "b.png"]]


@pytest.mark.parametrize("data", [None, {}, "seed0000.png", [["a"]], [["a", 1]], [1]])
def test_what_is_no_list_of_ours_is_none(data):
    assert from_json(data) is None


def test_seeds_in_any_order_become_runs():
    assert _runs(np.array([7, 2, 1, 4294967295], np.uint32)) == [(1, 2), (7, 7), (4294967295, 4294967295)]
    assert _runs(np.array([], np.uint32)) == []
