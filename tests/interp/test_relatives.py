"""Models that cannot be blended: what they differ in is said of both."""

import pytest

from interp.mix import blend
from interp.schedules import swap
from stylegan_jax.errors import InputError
from tests.tiny_models import tiny_model


@pytest.mark.parametrize(
    ("fields", "one", "two", "advice"),
    [
        ({"img_channels": 4}, "RGB (3 image channels)", "RGBA (4 image channels)", "of the same colour channels"),
        ({"w_dim": 24}, "of w_dim 16", "of w_dim 24", "fine-tune from the same base"),
        (
            {"channel_max": 4},
            "slim at 16×16 of channels 8, 8, 8",
            "slim at 16×16 of channels 4, 4, 4",
            "fine-tune from the same base",
        ),
        ({"img_resolution": 8}, "slim at 16×16", "slim at 8×8", "blend models of one resolution"),
        ({"activation": "relu"}, "of activation lrelu", "of activation relu", "fine-tune from the same base"),
    ],
)
def test_what_two_models_differ_in_is_named_on_both_sides(fields, one, two, advice):
    with pytest.raises(InputError) as refused:
        blend(tiny_model(0), tiny_model(1, **fields), swap(8))
    last = str(refused.value).splitlines()[-1]
    assert f"tiny-0 is {one}" in last and f"tiny-1 {two}" in last and advice in last
