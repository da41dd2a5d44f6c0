from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from interp.alphas import parse_kind, resolve_sources
from interp.gallery import FIGURES
from interp.mix import blend
from interp.rendering import Renderer
from interp.schedules import constant, inverted, only, smooth, swap
from stylegan_jax.errors import InputError
from stylegan_jax.sampler.run import map_seeds, sample_ws
from tests.tiny_models import tiny_model

RESOLUTIONS = (4, 8, 16, 32, 64, 128)


@pytest.fixture(scope="module")
def models():
    return [tiny_model(seed, img_resolution=8) for seed in (1, 2)]


@pytest.fixture(scope="module", params=["plain", "prepared"])
def renderer(models, request):
    found = Renderer(models, ["base", "transfer"], plan=request.param)
    assert found.how.plan == request.param
    return found


def sources(schedule, **given):
    return resolve_sources([schedule], given.get("mapping"), given.get("noise"), None)


def test_images_are_those_of_the_blended_model(models, renderer):
    base, transfer = models
    for schedule in (swap(4), smooth(4, 0.5), inverted(swap(4)), constant(0)):
        mixed = blend(base, transfer, schedule)
        ws = map_seeds(mixed, range(3), truncation_psi=0.7)
        expected = np.concatenate(list(sample_ws(mixed, ws))).astype(int)
        found = renderer.images([schedule], sources(schedule), ws).astype(int)
        assert np.abs(found - expected).max() <= 1 and (found == expected).mean() > 0.999, schedule.text


def test_neither_alpha_nor_a_schedule_nor_a_source_compiles_anew(models, renderer):
    ws = map_seeds(models[0], range(3))
    renderer.images([swap(4)], sources(swap(4)), ws)
    before = [program._cache_size() for program in renderer.programs]
    for schedule in (constant(0.2), only(8), smooth(8, 1)):
        for noise in ("base", "transfer"):
            renderer.images([schedule], sources(schedule, noise=noise), ws)
    assert [program._cache_size() for program in renderer.programs] == before


def test_threads_that_ask_at_once_get_what_each_would_alone(models, renderer):
    ws = map_seeds(models[0], range(5))
    schedules = [constant(share / 8) for share in range(8)] * 3
    alone = {each.text: renderer.images([each], sources(each), ws) for each in schedules}
    with ThreadPoolExecutor(8) as threads:
        found = [*threads.map(lambda each: renderer.images([each], sources(each), ws), schedules)]
    for each, pixels in zip(schedules, found, strict=True):
        np.testing.assert_array_equal(pixels, alone[each.text])


def test_images_do_not_depend_on_the_number_of_devices(models, renderer):
    ws, schedule = map_seeds(models[0], range(11)), smooth(4, 0.5)
    one = Renderer(models, ["base", "transfer"], plan=renderer.how.plan, devices=1)
    assert len(one.how.devices) == 1 < len(renderer.how.devices)
    expected = one.images([schedule], sources(schedule), ws)
    np.testing.assert_array_equal(renderer.images([schedule], sources(schedule), ws), expected)


def test_kinds_of_tensors_have_their_own_share(models, renderer):
    base, transfer = models
    kinds, schedule = [parse_kind("torgb=0.3"), parse_kind("weight=x0.5")], swap(4)
    mixed = blend(base, transfer, schedule, kinds=kinds)
    ws = map_seeds(mixed, range(3), truncation_psi=0.7)
    expected = np.concatenate(list(sample_ws(mixed, ws))).astype(int)
    found = renderer.images([schedule], sources(schedule), ws, kinds=kinds).astype(int)
    assert np.abs(found - expected).max() <= 1 and (found == expected).mean() > 0.99


def test_a_source_that_is_a_number_is_refused(renderer):
    with pytest.raises(InputError, match=r"0\.5: not a source — use base, transfer"):
        renderer.model("0.5")


def test_models_that_do_not_fit_are_refused_before_anything_is_drawn(models):
    with pytest.raises(InputError, match="A blend needs one architecture"):
        Renderer([models[0], tiny_model(3)], ["a", "b"])


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_fits_models_of_every_size(name):
    for count in range(2, len(RESOLUTIONS) + 1):
        resolutions = RESOLUTIONS[:count]
        rows = FIGURES[name](resolutions)
        assert len({label for label, _ in rows}) == len(rows)
        for _, schedule in rows:
            schedule.check(resolutions)


def test_the_papers_figure_is_the_two_models_the_swap_its_inverse_and_a_higher_one():
    texts = [schedule.text for _, schedule in FIGURES["paper"](RESOLUTIONS)]
    assert texts == ["alpha=0", "alpha=1", "swap=16", "swap=16:invert", "swap=32"]
