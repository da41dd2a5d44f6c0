import numpy as np
import pytest

from stylegan_jax.filters import setup_filter
from stylegan_jax.networks import resampling
from tests.golden_data import assert_close
from tests.golden_networks import compiled
from tests.golden_operations import CASES, FILE, cases, check, options, outputs, stored, taps


def resampled(case, x):
    operation = getattr(resampling, case.split(".")[0])
    return operation(x, taps(case), **options(case, "up", "down", "padding", "flip_filter", "gain"))


@cases("setup_filter")
def test_setup_filter_equals_the_official_one(case):
    spec = dict(CASES[case])
    assert_close(setup_filter(spec.pop("f"), **spec), FILE, f"{case}.y", stored())


FIR = ("upfirdn2d", "upsample2d", "downsample2d", "filter2d")


@cases(*FIR)
def test_fir_resampling_equals_the_official_one(case):
    check(case, outputs(resampled, *FIR)[case])


def by_definition(x, f, *, up, down, padding, flip_filter):
    """upfirdn2d in four plain steps, [h w] only."""
    (upx, upy), (downx, downy), (x0, x1, y0, y1) = up, down, padding
    sparse = np.zeros((x.shape[0] * upy, x.shape[1] * upx))
    sparse[::upy, ::upx] = x
    room = np.pad(sparse, [(max(y0, 0), max(y1, 0)), (max(x0, 0), max(x1, 0))])
    room = room[max(-y0, 0) : room.shape[0] - max(-y1, 0), max(-x0, 0) : room.shape[1] - max(-x1, 0)]
    f = np.outer(f, f) if f.ndim == 1 else f
    windows = np.lib.stride_tricks.sliding_window_view(room, f.shape)
    return (windows * (f if flip_filter else f[::-1, ::-1])).sum((2, 3))[::downy, ::downx]


RATES = [((1, 1), (1, 1)), ((2, 1), (1, 3)), ((3, 2), (2, 3)), ((4, 3), (2, 6))]
PADDINGS = [(0, 0, 0, 0), (3, -2, 5, 1), (-1, 4, -3, 2)]
EVERY = [
    {"up": u, "down": d, "padding": p, "flip_filter": f} for u, d in RATES for p in PADDINGS for f in (False, True)
]


def test_upfirdn2d_equals_its_definition_at_any_rate_padding_and_filter():
    draw = np.random.RandomState(7)
    x, filters = draw.randn(9, 12), (draw.randn(5).astype(np.float32), draw.randn(3, 2).astype(np.float32))
    run = compiled(lambda x: [[resampling.upfirdn2d(x, f, **how) for f in filters] for how in EVERY])
    for how, images in zip(EVERY, run(x[None, :, :, None].astype(np.float32)), strict=True):
        for f, image in zip(filters, images, strict=True):
            expected = by_definition(x, f, **how)
            np.testing.assert_allclose(image[0, :, :, 0], expected, atol=2e-5, err_msg=f"{how}, filter {f.shape}")


def test_a_zero_filter_gives_zeros():
    y = compiled(lambda x: resampling.upfirdn2d(x, np.zeros((2, 2), np.float32), up=2, padding=1))(
        np.ones((1, 4, 4, 1))
    )
    assert y.shape == (1, 9, 9, 1) and not y.any()


@pytest.mark.parametrize("taps", [(1, 3, 3, 1), (1, 2, 1), (0.1,) * 10], ids=str)
def test_resampling_keeps_the_level_of_a_flat_image(taps):
    f, flat = setup_filter(taps), np.full((1, 24, 24, 1), 0.7, np.float32)
    resampled = compiled(
        lambda x: (resampling.upsample2d(x, f), resampling.downsample2d(x, f), resampling.filter2d(x, f))
    )(flat)
    assert [y.shape[1] for y in resampled] == [48, 12, 24]
    for y in resampled:
        middle = y.shape[1] // 2
        np.testing.assert_allclose(y[0, middle, middle], 0.7, rtol=1e-6)
