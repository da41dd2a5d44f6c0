import numpy as np
import pytest

from interp.frames import drawn
from interp.motion import Span, moving
from interp.rendering import Renderer
from interp.scenes import Mix, Scene, Sound, Sweep, Take
from stylegan_jax.editing.edits import Step
from stylegan_jax.sampler import stylespace
from stylegan_jax.sampler.run import map_seeds
from tests.tiny_models import tiny_model


@pytest.fixture(scope="module")
def models():
    return [tiny_model(seed, img_resolution=8) for seed in (1, 2)]


@pytest.fixture(scope="module")
def renderer(models):
    return Renderer(models, ["base", "transfer"], batch=2, devices=2)


def scene(rule="schedule", text="swap=4", **fields):
    return Scene(**{"at": moving(rule, text), "walks": [[1, 5], [2], [9, 1]], "count": 7, "ease": "linear", **fields})


def take(models, scene):
    return Take(scene, Renderer(models, ["base", "transfer"]), scene.sources(1, None, None))


def all_frames(models, renderer, scene, wanted=None):
    found = list(drawn(take(models, scene), renderer, scene.sources(1, None, None), size=8, wanted=wanted))
    return {number: frame for number, frame in found}


SCENES = {"still": scene(), "moving": scene("swap", "2..8"), "looped": scene("alpha", "0..1", loop=True)}


@pytest.mark.parametrize("name", SCENES)
def test_frames_are_the_blends_images_side_by_side_in_order(models, renderer, name):
    shown = SCENES[name]
    frames, moments, sources = all_frames(models, renderer, shown), take(models, shown), shown.sources(1, None, None)
    assert [*frames] == [*range(7)]
    for number, frame in frames.items():
        expected = renderer.images(moments.schedules(number), sources, moments.ws(number))
        np.testing.assert_array_equal(frame, np.concatenate([*expected], 1))


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("wanted", [{0}, {0, 4}, {1, 2, 6}, {5}, set()])
def test_a_frame_is_the_same_whatever_else_is_wanted(models, renderer, name, wanted):
    frames = all_frames(models, renderer, SCENES[name])
    found = all_frames(models, renderer, SCENES[name], wanted)
    assert set(found) == wanted
    for number in wanted:
        np.testing.assert_array_equal(found[number], frames[number])


def test_where_the_blend_stands_still_frames_fill_whole_steps(models, renderer, monkeypatch):
    sizes = []
    own = renderer.images
    monkeypatch.setattr(renderer, "images", lambda *given, **more: sizes.append(len(given[2])) or own(*given, **more))
    all_frames(models, renderer, SCENES["still"])
    assert sizes == [4, 4, 4, 4, 4, 1]


def test_nothing_that_moves_compiles_anew(models, renderer):
    step = np.ones_like(map_seeds(models[0], [0])[0])
    all_frames(models, renderer, SCENES["still"])
    before = [program._cache_size() for program in renderer.programs]
    for fields in (
        {"truncation": Span(0, 1.2)},
        {"sweeps": [Sweep(Step(step), Span(-3, 3))]},
        {"walks": [[1], [2], [9]], "path": "noise", "diameter": 3.0},
        {"mix": Mix([7, 8])},
    ):
        all_frames(models, renderer, scene("swap", "2..8", **fields))
    assert [program._cache_size() for program in renderer.programs] == before


def test_a_moving_psi_is_the_truncation_that_mapping_makes(models):
    moments = take(models, scene(walks=[[1], [5]], truncation=Span(0.0, 1.2)))
    for frame, psi in ((0, 0.0), (3, 0.6), (6, 1.2)):
        expected = map_seeds(models[1], [1, 5], truncation_psi=psi)
        np.testing.assert_allclose(moments.ws(frame), expected, atol=1e-6)


def test_an_edit_moves_from_its_first_strength_to_its_last(models):
    step = np.random.RandomState(0).standard_normal((4, 16)).astype(np.float32)
    plain, swept = (take(models, scene(sweeps=sweeps)) for sweeps in ([], [Sweep(Step(step), Span(-3, 3))]))
    for frame, strength in ((0, -3), (3, 0), (6, 3)):
        np.testing.assert_allclose(swept.ws(frame), plain.ws(frame) + strength * step, atol=1e-5)


def test_style_mixing_takes_some_layers_from_a_walk_of_its_own(models):
    plain, mixed = (take(models, scene(mix=mix)) for mix in (None, Mix([7, 8], [1, 3])))
    ends = map_seeds(models[1], [7, 8], truncation_psi=0.7)
    for frame, end in ((0, ends[0]), (6, ends[1])):
        np.testing.assert_array_equal(mixed.ws(frame)[:, [0, 2]], plain.ws(frame)[:, [0, 2]])
        np.testing.assert_allclose(mixed.ws(frame)[:, [1, 3]], np.broadcast_to(end[[1, 3]], (3, 2, 16)), atol=1e-6)


@pytest.mark.parametrize("path", ["slerp", "spline", "linear"])
def test_walks_on_every_path_lead_through_their_seeds_and_loops_return(models, path):
    walks = [[1, 5, 9]]
    stops = map_seeds(models[1], [1, 5, 9], truncation_psi=0.7)
    open_, loop = (take(models, scene(walks=walks, path=path, count=count, loop=count == 9)) for count in (5, 9))
    for frame, stop in ((0, 0), (2, 1), (4, 2)):
        np.testing.assert_allclose(open_.ws(frame)[0], stops[stop], atol=1e-6)
    for frame, stop in ((0, 0), (3, 1), (6, 2)):
        np.testing.assert_allclose(loop.ws(frame)[0], stops[stop], atol=1e-6)


def test_z_is_mapped_in_pieces_and_psi_moves_with_it(models, monkeypatch):
    shown = scene(walks=[[1], [2]], path="circle", truncation=Span(0.5, 1))
    whole = [take(models, shown).ws(frame) for frame in range(7)]
    monkeypatch.setattr("interp.tracks._PIECE", 4)
    moments = take(models, shown)
    for frame in (6, 0, 3):
        np.testing.assert_allclose(moments.ws(frame), whole[frame], atol=1e-6)


def test_sound_drives_the_way_of_alpha_edits_or_the_speed(models):
    levels, step = np.array([0, 1, 0.5, 0, 0, 1, 0], np.float32), np.ones((4, 16), np.float32)

    def heard(drives, **fields):
        return take(models, scene("alpha", "0..1", sound=Sound(levels, drives), **fields))

    texts = [heard("alpha").schedules(frame)[0].text for frame in range(7)]
    assert texts == [f"alpha={level:g}" for level in levels]
    plain, edited = take(models, scene("alpha", "0..1")), heard("edit", sweeps=[Sweep(Step(step), Span(2, 2))])
    for frame, level in enumerate(levels):
        np.testing.assert_allclose(edited.ws(frame), plain.ws(frame) + 2 * level, atol=1e-6)
    fast = heard("speed")
    np.testing.assert_array_equal(fast.ws(3), fast.ws(4))
    np.testing.assert_array_equal(fast.ws(6), plain.ws(6))
    assert not np.array_equal(fast.ws(1), fast.ws(2))


def test_films_of_other_latents_have_another_digest(models):
    step = np.ones((4, 16), np.float32)
    digests = {take(models, scene(step=each)).digest() for each in (None, step, 2 * step)}
    assert len(digests) == 3 and take(models, scene()).digest() in digests


def test_an_edit_of_styles_moves_too_and_frames_of_different_ones_share_no_step(models, renderer):
    shift = np.zeros(stylespace.count(models[0].config.generator), np.float32)
    shift[3] = 9.0
    plain = take(models, scene())
    swept = take(models, scene(sweeps=[Sweep(Step(shift=shift), Span(-3, 3))]))
    frames, others = (dict(drawn(each, renderer, scene().sources(1, None, None), size=8)) for each in (swept, plain))
    assert [np.array(swept.shift(frame))[3] for frame in (0, 3, 6)] == [-27, 0, 27]
    np.testing.assert_array_equal(frames[3], others[3])
    assert (frames[0] != others[0]).any() and (frames[6] != others[6]).any()
    alone = dict(drawn(swept, renderer, scene().sources(1, None, None), size=8, wanted={6}))
    np.testing.assert_array_equal(alone[6], frames[6])


def test_a_steady_edit_of_z_holds_on_every_path(models):
    z_step = np.linspace(-1, 1, models[0].config.generator.z_dim, dtype=np.float32)
    for path in ("linear", "slerp"):
        still = {"text": "alpha=0", "walks": [[4, 5]], "path": path}
        moved = take(models, scene(**still, z_step=z_step)).ws(0)
        expected = map_seeds(models[0], [4], truncation_psi=0.7, z_step=z_step)
        np.testing.assert_allclose(moved, expected, atol=1e-5)
