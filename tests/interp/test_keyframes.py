import re

import numpy as np
import pytest
import yaml

from interp.film import film
from interp.keyed import Keyed
from interp.keyframes import Keyframe, Keyframes, from_json, read, to_yaml
from interp.schedules import Layer
from stylegan_jax.commands import cli
from stylegan_jax.editing import directionfile, finding
from stylegan_jax.errors import InputError
from stylegan_jax.sampler.run import map_seeds
from tests.golden_data import ROOT
from tests.saved_models import PAIR, save_models
from tests.tiny_models import tiny_model

LAYERS = [Layer(r, name) for r in (4, 8) for name in ("conv0", "conv1", "torgb")]
WRITTEN = Keyframes(
    frames=(
        Keyframe(time=0, seeds="1,5", schedule=("swap=4",)),
        Keyframe(time=0.5, psi=0.9, seeds="2,6", edits=("sefa0=2", "sefa1=-1:0-1"), ease="cosine"),
        Keyframe(time=2, schedule=("smooth=8:width=1",), edits=()),
    ),
    models=("a.pkl", "b.pkl"),
    directions=("d.npz",),
    path="spline",
    loop=1.0,
)


@pytest.fixture(scope="module")
def models():
    return [tiny_model(seed, img_resolution=8) for seed in (1, 2)]


def keyed(models, *frames, **fields):
    """Moments at 4 frames a second, all of them eased linearly."""
    frames = [{"schedule": "swap=4", **frame} if i == 0 else frame for i, frame in enumerate(frames)]
    frames[0] = {"ease": "linear", **frames[0]}
    found = Keyed(from_json({"frames": frames, **fields}), models, ["a", "b"], file="k.yaml", class_idx=None)
    return found.moments(models[1], 4)


def alphas(moments, frame):
    return [moments.schedules(frame)[0](layer) for layer in LAYERS]


def test_yaml_is_written_and_read_back(tmp_path):
    (tmp_path / "k.yaml").write_text(to_yaml(WRITTEN))
    assert read(str(tmp_path / "k.yaml")) == WRITTEN
    assert from_json(WRITTEN.to_json()) == WRITTEN


def test_a_keyframe_stays_as_the_one_before_but_for_what_it_says():
    first, second, third = WRITTEN.whole().frames
    assert (first.psi, first.edits, first.ease) == (0.7, (), "linear")
    assert (second.schedule, second.psi) == (("swap=4",), 0.9)
    assert (third.seeds, third.psi, third.edits, third.ease) == ("2,6", 0.9, (), "cosine")


def test_ws_in_place_of_seeds_are_not_truncated_unless_it_is_said():
    frames = [{"time": 0, "seeds": 1, "schedule": "swap=4"}, {"time": 1, "w": "w.npy"}, {"time": 2, "seeds": 3}]
    found = from_json({"frames": frames}).whole().frames
    assert [(frame.seeds, frame.w, frame.psi) for frame in found] == [
        ("1", None, 0.7),
        (None, ("w.npy",), 1.0),
        ("3", None, 0.7),
    ]


@pytest.mark.parametrize("path", ["linear", "spline", "slerp"])
@pytest.mark.parametrize("loop", [None, 1])
def test_every_keyframe_is_shown_as_it_is_at_its_time(models, path, loop):
    seeds = ((0, "1,5", 0.7), (0.5, "2,6", 0.9), (2, "3,7", 0.5))
    frames = [{"time": time, "seeds": text, "psi": psi} for time, text, psi in seeds]
    moments = keyed(models, *frames, path=path, loop=loop)
    assert moments.count == (9 if loop is None else 12) and moments.pictures == 2
    for time, text, psi in seeds:
        expected = map_seeds(models[1], [int(seed) for seed in text.split(",")], truncation_psi=psi)
        np.testing.assert_allclose(moments.ws(round(time * 4)), expected, atol=1e-6)


def test_a_loop_comes_back_to_the_first_keyframe(models):
    moments = keyed(models, {"time": 0, "seeds": 1}, {"time": 1, "seeds": 2, "schedule": "alpha=0"}, loop=1)
    assert moments.count == 8
    np.testing.assert_allclose(moments.ws(6), (moments.ws(0) + moments.ws(4)) / 2, atol=1e-6)
    assert alphas(moments, 6) == pytest.approx([each / 2 for each in alphas(moments, 0)])


def test_between_keyframes_alpha_of_every_layer_psi_and_edits_are_mixed(models, tmp_path):
    found = finding.sefa(models[0], 2)
    directionfile.write(tmp_path / "d.npz", found)
    frames = [
        {"time": 0, "seeds": 1, "psi": 0.5},
        {"time": 1, "psi": 1, "schedule": "alpha=4=0.2 8=0.6", "edits": {"sefa0": 2}},
    ]
    moments = keyed(models, *frames, directions=str(tmp_path / "d.npz"))
    one, two = alphas(moments, 0), alphas(moments, 4)
    assert alphas(moments, 1) == pytest.approx([0.75 * a + 0.25 * b for a, b in zip(one, two, strict=True)])
    edited = map_seeds(models[1], [1], truncation_psi=1.0) + found.edit("sefa0", 2)
    np.testing.assert_allclose(moments.ws(4), edited, atol=1e-5)
    np.testing.assert_allclose(moments.ws(3), 0.25 * moments.ws(0) + 0.75 * edited, atol=1e-5)


def test_two_keyframes_of_one_schedule_are_one_blend(models):
    moments = keyed(models, {"time": 0, "seeds": 1}, {"time": 1, "seeds": 2})
    assert len({moments.schedules(frame)[0] for frame in range(5)}) == 1


WRONG = {
    "frames\\[1\\].time is missing": [{"seeds": 1}],
    "frames\\[1\\].seed is unknown": [{"time": 1, "seed": 1}],
    "keyframe 2: --edit|keyframe 2: .*no edit": [{"time": 1, "edits": ["sefa0"]}],
    "keyframe 2: swap=a: not a resolution": [{"time": 1, "schedule": "swap=a"}],
    "keyframe 2: seeds 5-1: ends before": [{"time": 1, "seeds": "5-1"}],
    "not in the order": [{"time": 0}],
    "has 1 entries, not 2": [],
}


@pytest.mark.parametrize("message", WRONG)
def test_what_is_wrong_is_said_with_the_keyframe(message):
    first = {"time": 0, "seeds": 1, "schedule": "swap=4"}
    with pytest.raises(InputError, match=message) as refused:
        from_json({"frames": [first, *WRONG[message]]}, "k.yaml")
    assert str(refused.value).startswith("k.yaml: ")


@pytest.mark.parametrize("data", [None, 3, [], "frames", {"frames": 3}, {"frames": [1, 2]}, {"frames": [{}] * 5000}])
def test_other_data_holds_no_keyframes(data):
    with pytest.raises(InputError, match="holds no keyframes"):
        from_json(data, "k.yaml")


def test_as_many_keyframes_as_are_taken_may_say_everything(tmp_path):
    said = {"seeds": "1", "psi": 0.5, "edits": ["a=1", "b=2"], "styles": ["b4.conv1:1=1"], "schedule": "swap=4"}
    frames = [{"time": i, "ease": "linear", **said} for i in range(1000)]
    (tmp_path / "k.yaml").write_text(yaml.safe_dump({"frames": frames}))
    assert len(read(str(tmp_path / "k.yaml")).frames) == 1000
    with pytest.raises(InputError, match="has 1001 entries"):
        from_json({"frames": [*frames, {"time": 1000}]})


@pytest.mark.parametrize(
    ("message", "frame", "fields"),
    [
        ("nope.npz", {}, {"directions": "nope.npz"}),
        ("keyframe 2: w_space", {"w_space": "w"}, {}),
        ("keyframe 2: w_space", {"seeds": 2, "w_space": "q"}, {}),
    ],
)
def test_what_no_keyframe_uses_is_not_ignored(models, message, frame, fields):
    with pytest.raises(InputError) as refused:
        keyed(models, {"time": 0, "seeds": 1}, {"time": 1, **frame}, **fields)
    assert message in str(refused.value)


def example():
    """The keyframes on the page of films."""
    found = re.search(r"```yaml\n(.*?)```", (ROOT / "docs" / "films.md").read_text(), re.DOTALL)
    assert found is not None
    return found[1]


def test_the_example_of_the_page_of_films_is_filmed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_models("ffhq.safetensors", "toon.safetensors", img_resolution=32)
    found = finding.sefa(tiny_model(0, img_resolution=32), 1)
    directionfile.write("named.npz", type(found)(("turn",), found.vectors, found.scales, found.layers))
    (tmp_path / "film.yaml").write_text(example())
    typed = ["--keyframes", "film.yaml", *PAIR, "--fps", "2", "--size", "16", "--out", "frames"]
    assert cli.run(film, "film", typed) == 0
    last = yaml.safe_load(example())["frames"][-1]["time"]
    assert len(list((tmp_path / "frames").glob("frame*.png"))) == 2 * (last + 2)
