import numpy as np
import pytest

from interp.filmoptions import Cast
from interp.keyframes import from_json
from interp.motion import (
    EASINGS,
    MOST_PICTURES,
    handover,
    moving,
    moving_smooth,
    parse_span,
    parse_walks,
    positions,
    through,
    walk,
)
from interp.schedules import Layer, constant, smooth, swap
from interp.walkoptions import Way
from stylegan_jax.editing.directions import parse_edit
from stylegan_jax.errors import InputError
from stylegan_jax.values import seeds

RESOLUTIONS = (4, 8, 16, 32, 64)
WS = np.arange(3, dtype=np.float32)[:, None, None] * np.ones((3, 2, 4), np.float32)


def by_resolution(schedule):
    return [schedule(Layer(r)) for r in RESOLUTIONS]


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_a_moving_swap_is_the_swap_at_every_resolution_it_passes(resolution):
    assert by_resolution(handover(resolution)) == by_resolution(swap(resolution))


def test_a_moving_swap_fades_the_next_resolution_in_and_is_the_base_at_2():
    assert by_resolution(handover(2**3.5)) == pytest.approx([1, 1, 0.5, 0, 0])
    assert by_resolution(handover(2)) == [0] * 5


def test_a_soft_hand_over_moves_by_octaves_and_so_may_its_width():
    at = moving_smooth(parse_span("smooth", "4..64"), parse_span("width", "0.5..1"))
    assert by_resolution(at(0.5)) == pytest.approx(by_resolution(smooth(16, 0.75)))
    assert by_resolution(at(0)) == by_resolution(smooth(4, 0.5)) and by_resolution(at(1)) == by_resolution(
        smooth(64, 1)
    )


@pytest.mark.parametrize("text", ["", "a..4", "4..", "nan", "4..inf", "4..8..16", "0..4", "4..5000"])
def test_a_text_that_is_no_span_is_refused(text):
    with pytest.raises(InputError, match=r"^swap=.*: not a span from 1 to 2048"):
        parse_span("swap", text, low=1, high=2048)


@pytest.mark.parametrize("ease", EASINGS)
def test_easings_go_from_0_to_1_and_never_back(ease):
    values = [EASINGS[ease](t) for t in np.linspace(0, 1, 21)]
    assert values[0] == pytest.approx(0) and values[-1] == pytest.approx(1) and values == sorted(values)


def test_a_film_goes_from_start_to_end():
    times, ways = zip(*positions(5, loop=False, ease=EASINGS["linear"]), strict=True)
    assert times == ways == (0, 0.25, 0.5, 0.75, 1)
    assert positions(1, loop=False, ease=EASINGS["smooth"]) == [(0, 0)]


def test_a_loop_goes_there_and_back_and_its_end_joins_its_beginning():
    ways = [way for _, way in positions(8, loop=True, ease=EASINGS["smooth"])]
    assert ways[0] == 0 and ways[4] == 1 and ways[1:] == ways[:0:-1]


def test_a_walk_stops_at_every_seed_and_a_loop_returns_to_the_first():
    ease = EASINGS["smooth"]
    assert [walk(WS, t, loop=False, ease=ease)[0, 0] for t in (0, 0.25, 0.5, 1)] == [0, 0.5, 1, 2]
    assert [walk(WS, t, loop=True, ease=ease)[0, 0] for t in (0, 1 / 3, 2 / 3, 1)] == pytest.approx(
        [0, 1, 2, 0], abs=1e-6
    )
    assert walk(WS[:1], 0.7, loop=True, ease=ease)[0, 0] == 0


def test_the_way_through_models_blends_neighbours_and_shares_add_up_to_1():
    def shares(way):
        return [schedule(Layer(4)) for schedule in through(3, way, constant)]

    assert shares(0) == [0, 0, 0] and shares(1) == [0, 0, 1]
    assert shares(1 / 6) == pytest.approx([0.5, 0, 0]) and shares(0.5) == pytest.approx([0.5, 0.5, 0])


def test_seeds_stand_side_by_side_or_walk():
    assert parse_walks("1,5,9", seeds) == [[1], [5], [9]]
    assert parse_walks("1..5..9", seeds) == [[1, 5, 9]]
    assert parse_walks("0-2,7..8", seeds) == [[0], [1], [2], [7, 8]]
    for text in ("1..", "1..2-4", ""):
        with pytest.raises(InputError, match="seeds"):
            parse_walks(text, seeds)


@pytest.mark.parametrize("text", ["0-9999999", "0-9999,0-9999,0-9999", "5,0-4294967295"])
def test_more_pictures_than_anybody_watches_are_refused_before_they_are_unfolded(text):
    unfolded = []

    def read(part):
        unfolded.extend(seeds(part, most=MOST_PICTURES))
        return seeds(part, most=MOST_PICTURES)

    with pytest.raises(InputError, match="more than 10,000 seeds"):
        parse_walks(text, read)
    assert len(unfolded) <= 2 * MOST_PICTURES


def test_layers_of_an_edit_and_seeds_of_keyframes_and_mixes_are_counted_before_they_are_unfolded():
    many = "0-9999999"
    with pytest.raises(InputError, match="more than 10,000"):
        parse_edit(f"age=1:{many}")
    with pytest.raises(InputError, match="more than 10,000"):
        from_json({"frames": [{"time": i, "seeds": many, "schedule": "swap=4"} for i in (0, 1)]})
    for mix in (f"7:{many}", many):
        with pytest.raises(InputError, match="more than 10,000"):
            _ = Way(mix=mix).mixing


@pytest.mark.parametrize("text", ["0..1e300", "-1e300..0", "1e300", "0..1001"])
def test_shares_and_truncation_stay_within_what_float32_can_mix(text):
    with pytest.raises(InputError, match="not a span from -1000 to 1000"):
        moving("alpha", text)
    with pytest.raises(InputError, match="from -1000 to 1000"):
        _ = Cast(psi=text).truncation
