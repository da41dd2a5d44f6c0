import json
import math

import pytest

from interp.schedule_text import PRESETS, parse
from interp.schedules import (
    Layer,
    band,
    constant,
    cosine,
    inverted,
    layers,
    linear,
    only,
    pinkney,
    points,
    smooth,
    smoothstep,
    swap,
)
from stylegan_jax.errors import InputError
from tests.golden_data import golden

RESOLUTIONS = (4, 8, 16, 32, 64)
PLACES = [Layer(4, part) for part in ("const", "conv1", "torgb")]
PLACES += [Layer(r, part) for r in RESOLUTIONS[1:] for part in ("conv0", "conv1", "torgb", "skip")]
EVERY_FORM = [
    swap(16),
    swap(16, level=1),
    smooth(16, 0.5),
    linear(8, 32),
    cosine(8, 32),
    smoothstep(4, 64),
    band(8, 16),
    only(4, 32),
    constant(0.5),
    constant(-0.25),
    points({4: 1, 16: 0.6, 32: 0}),
    layers(*(i / 10 for i in range(10))),
    pinkney(16, level=1, width=0.5),
    pinkney(32),
    inverted(smooth(8, 1)),
    smooth(16, 0.333333),
    smooth(16, 1 / 3),
    constant(0.1 + 0.2),
    points({4: 1 / 7, 16: 2e-17}),
    layers(*(i / 7 for i in range(10))),
    pinkney(16, width=math.pi),
]


def by_resolution(schedule):
    return [schedule(Layer(r)) for r in RESOLUTIONS]


def test_swap_is_1_up_to_its_resolution_and_0_above():
    assert by_resolution(swap(16)) == [1, 1, 1, 0, 0]
    assert by_resolution(swap(4)) == [1, 0, 0, 0, 0] and by_resolution(swap(64)) == [1] * 5


def test_level_1_hands_over_after_conv0_of_the_next_block():
    later = swap(16, level=1)
    assert [later(Layer(32, part)) for part in ("conv0", "conv1", "torgb", "skip")] == [1, 0, 0, 0]
    assert later(Layer(16, "torgb")) == 1 and later(Layer(64, "conv0")) == 0


def test_smooth_is_a_half_half_an_octave_above_its_resolution():
    assert smooth(16, 0.5)(Layer(16)) == pytest.approx(1 / (1 + math.exp(-1)))
    assert smooth(16, 0.5)(Layer(32)) == pytest.approx(1 - smooth(16, 0.5)(Layer(16)))


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_smooth_approaches_the_hard_swap_and_is_it_at_width_0(resolution):
    hard = by_resolution(swap(resolution))
    assert by_resolution(smooth(resolution, 0)) == hard
    soft = [by_resolution(smooth(resolution, width)) for width in (1, 0.3, 0.1, 0.01)]
    gaps = [max(abs(a - b) for a, b in zip(values, hard, strict=True)) for values in soft]
    assert gaps == sorted(gaps, reverse=True) and gaps[-1] < 1e-20


@pytest.mark.parametrize("ramp", [linear, cosine, smoothstep])
def test_a_ramp_falls_from_1_to_0_and_is_a_half_in_the_middle_octave(ramp):
    values = by_resolution(ramp(8, 32))
    assert values[:2] == [1, 1] and values[2] == pytest.approx(0.5) and values[3:] == [0, 0]


def test_the_three_ramps_have_their_own_formulas_a_quarter_of_the_way():
    quarter = Layer(8)
    assert linear(4, 64)(quarter) == pytest.approx(0.75)
    assert cosine(4, 64)(quarter) == pytest.approx((1 - math.cos(0.75 * math.pi)) / 2)
    assert smoothstep(4, 64)(quarter) == pytest.approx(3 * 0.75**2 - 2 * 0.75**3)


def test_band_and_only_choose_resolutions():
    assert by_resolution(band(8, 32)) == [0, 1, 1, 1, 0]
    assert by_resolution(band(16, 16)) == by_resolution(only(16)) == [0, 0, 1, 0, 0]
    assert by_resolution(only(4, 64)) == [1, 0, 0, 0, 1]


def test_points_are_linear_in_octaves_between_neighbours_and_constant_outside():
    assert by_resolution(points({8: 1, 32: 0.5})) == pytest.approx([1, 1, 0.75, 0.5, 0.5])
    assert by_resolution(points({16: 0.25})) == [0.25] * 5


def test_listed_alphas_follow_the_w_each_layer_takes():
    listed = layers(*range(10))
    assert [listed(Layer(4, part)) for part in ("const", "conv1", "torgb")] == [0, 0, 1]
    assert [listed(Layer(64, part)) for part in ("conv0", "conv1", "torgb", "skip")] == [7, 8, 9, 8]
    assert listed(Layer(32, "torgb")) == listed(Layer(64, "conv0"))


@pytest.mark.parametrize("schedule", EVERY_FORM, ids=lambda schedule: schedule.text)
def test_every_schedule_is_read_back_from_its_text(schedule):
    again = parse(schedule.text)
    assert again == schedule
    assert [again(place) for place in PLACES] == [schedule(place) for place in PLACES]


@pytest.mark.parametrize("schedule", EVERY_FORM, ids=lambda schedule: schedule.text)
def test_inverting_takes_what_is_left_and_twice_is_the_schedule_itself(schedule):
    for place in PLACES:
        assert inverted(schedule)(place) == 1 - schedule(place)
    assert inverted(inverted(schedule)).text == schedule.text


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_the_schedule_it_stands_for(name):
    assert parse(name) == parse(PRESETS[name])


def test_pinkneys_rule_gives_the_share_of_every_tensor_in_the_golden_table():
    from interp.alphas import layer_of

    table = json.loads(golden("blend/blend_table.json").read_text())
    assert len(table) == 18
    for setting, entry in table.items():
        schedule = pinkney(entry["resolution"], level=entry["level"], width=entry["blend_width"])
        for name, share in entry["share_of_model_2"].items():
            if name.startswith("synthesis.") and not name.endswith(("noise_const", "resample_filter")):
                assert 1 - schedule(layer_of(name)) == pytest.approx(share, abs=1e-15), (setting, name)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("swap=abc", "swap=abc: not a resolution"),
        ("swap=", "swap=: not a resolution"),
        ("", "an empty schedule: not a schedule"),
        ("zoom=3", "zoom=3: not a schedule"),
        ("swap=16:width=1", "swap=16: takes no width"),
        ("swap=16:level=2", "level=2: not a level"),
        ("smooth=16:width=-1", "width=-1: not a width"),
        ("smooth=16:width=nan", "width=nan: not a width"),
        ("alpha=nan", "alpha=nan: not a number α can be"),
        ("alpha=inf", "alpha=inf: not a number α can be"),
        ("alpha=", "alpha=: not a number"),
        ("alpha=4=1 16=x", "alpha=x: not a number"),
        ("alpha-layers=1,,0", "alpha-layers=: not a number"),
        ("band=64-16", "band=64-16: the ends are not in order"),
        ("linear=16-16", "linear=16-16: the ends are not in order"),
        ("linear=16", "linear=16: not two resolutions"),
    ],
)
def test_a_text_that_is_no_schedule_says_what_is_wrong(text, message):
    with pytest.raises(InputError, match=f"^{message}".replace("(", r"\(")):
        parse(text)


@pytest.mark.parametrize("resolution", [24, 3, 0, -1, 2048])
@pytest.mark.parametrize("form", ["swap={}", "smooth={}:width=0.5", "only=4,{}", "alpha={}=1", "pinkney={}"])
def test_a_resolution_that_is_none_of_the_models_is_named_with_those_that_are(form, resolution):
    with pytest.raises(InputError, match=rf"{resolution}: not a resolution of this model — use 4, 8, … 64$"):
        parse(form.format(resolution)).check(RESOLUTIONS)


@pytest.mark.parametrize("digits", [8, 310, 4300])
@pytest.mark.parametrize(
    "form", ["swap={}", "smooth={}:width=0.5", "only=4,{}", "alpha={}=1", "pinkney={}", "band=4-{}", "linear=4-{}"]
)
def test_a_number_far_beyond_any_resolution_is_refused_where_it_is_read(form, digits):
    with pytest.raises(InputError, match=r"=(9{8}|a huge number): not a resolution — use 4, 8, 16 …"):
        parse(form.format("9" * digits))


def test_listed_alphas_must_be_one_for_each_w():
    with pytest.raises(InputError, match="alpha-layers: 3 values — this model takes 10, one per w"):
        layers(1, 0, 0).check(RESOLUTIONS)
    layers(*range(10)).check(RESOLUTIONS)


@pytest.mark.parametrize("text", ["alpha=1e300", "alpha=4=1 8=-1e7", "alpha-layers=0,1e300"])
def test_shares_that_float32_cannot_mix_are_refused(text):
    with pytest.raises(InputError, match="not a number α can be"):
        parse(text)
