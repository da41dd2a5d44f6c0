"""States as data: what a page sends is checked field by field."""

import pytest

from interp.studio.state import Pad, from_json
from stylegan_jax.errors import InputError
from tests.interp.studio.conftest import state_of


@pytest.mark.parametrize(
    "state",
    [
        state_of("swap=8"),
        state_of("swap=8", "alpha=0.25", kinds=("torgb=x0.5",), psi=0.3, class_idx=2, same_w=True),
        state_of("smooth=8:width=1", pad=Pad(seeds=(1, 2, 3), x=0.25, y=0.5), mapping="base"),
        state_of("swap=8", w=("me.npz",), psi=1.0),
    ],
    ids=repr,
)
def test_a_state_survives_its_way_through_json(state):
    assert from_json(state.to_json()) == state


@pytest.mark.parametrize(
    ("pad", "what"),
    [
        ({"seeds": [1, 2], "x": 0, "y": 0}, "seeds has 2 entries"),
        ({"seeds": [1, 2, -3], "x": 0, "y": 0}, r"seeds\[2\] is -3"),
        ({"seeds": [1, 2, 3], "x": "0", "y": 0}, "x is '0'"),
        ({"seeds": [1, 2, 3], "x": 1e9, "y": 0}, "x is 1000000000"),
        ({"seeds": [1, 2, 3], "x": 0}, "y is missing"),
        (7, "it is 7"),
    ],
)
def test_a_point_of_the_pad_that_is_none_is_refused(pad, what):
    with pytest.raises(InputError, match=what):
        from_json({**state_of("swap=8").to_json(), "pad": pad})


@pytest.mark.parametrize("data", [None, 7, [], {}, {"models": []}, {"models": [{"path": "a"}], "pad": None}])
def test_what_is_no_recipe_is_refused(data):
    with pytest.raises(InputError):
        from_json(data)
