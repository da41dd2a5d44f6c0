"""Edits, files of directions, and those of other programs."""

import io
import pickle

import numpy as np
import pytest

from convert import directions as foreign
from stylegan_jax.editing import directionfile
from stylegan_jax.editing.directions import Directions, Edit, parse_edit
from stylegan_jax.editing.finding import sefa
from stylegan_jax.errors import InputError
from tests.tiny_models import tiny_model


@pytest.fixture(scope="module")
def found():
    return sefa(tiny_model(1), 3, [0, 1, 2])


def test_an_edit_moves_w_by_standard_deviations_in_its_layers_alone(found):
    step = found.edit("sefa1", 2.0)
    np.testing.assert_allclose(step[:3], np.tile(2 * found.scales[1] * found.vectors[1, 0], (3, 1)), rtol=1e-6)
    assert not step[3:].any()


def test_other_layers_can_be_named(found):
    step = found.edit("sefa1", 1.0, [4, 5])
    assert not step[:4].any() and step[4:].all(1).all()


@pytest.mark.parametrize(
    ("name", "layers", "what"), [("sefa9", None, "no such direction"), ("sefa0", [6], "no layer 6")]
)
def test_what_is_not_there_is_refused(found, name, layers, what):
    with pytest.raises(InputError, match=what):
        found.edit(name, 1.0, layers)


@pytest.mark.parametrize(
    ("text", "edit"),
    [
        ("sefa0=2.5", Edit("sefa0", 2.5)),
        ("age=-1:0-3", Edit("age", -1.0, (0, 1, 2, 3))),
        ("a=b=1:2", Edit("a=b", 1.0, (2,))),
    ],
)
def test_edits_are_read_from_text_and_written_back(text, edit):
    assert parse_edit(text) == edit
    assert parse_edit(edit.text) == edit


@pytest.mark.parametrize(
    "text", ["", "sefa0", "=2", "sefa0=", "sefa0=x", "sefa0=nan", "sefa0=1:x", "sefa0=1:3-1", "sefa0=1e9"]
)
def test_what_is_no_edit_is_refused(text):
    with pytest.raises(InputError, match="--edit"):
        parse_edit(text)


def test_a_file_of_directions_is_read_back_as_it_was(found, tmp_path):
    directionfile.write(tmp_path / "d.npz", found)
    again = directionfile.read(tmp_path / "d.npz", tiny_model(0).config.generator)
    assert again.names == found.names and dict(again.card) == dict(found.card)
    for field in ("vectors", "scales", "layers"):
        np.testing.assert_array_equal(getattr(again, field), getattr(found, field))


def test_directions_of_another_shape_are_refused(found, tmp_path):
    directionfile.write(tmp_path / "d.npz", found)
    with pytest.raises(
        InputError, match=r"d\.npz: holds directions of shape \[3, 6, 16\], this model takes \[k, 8, 16\]"
    ):
        directionfile.read(tmp_path / "d.npz", tiny_model(img_resolution=32).config.generator)


@pytest.mark.parametrize("at", range(0, 100, 9))
def test_a_damaged_file_is_an_input_error(found, tmp_path, at):
    directionfile.write(tmp_path / "d.npz", found)
    data = bytearray((tmp_path / "d.npz").read_bytes())
    data[len(data) * at // 100] ^= 255
    (tmp_path / "d.npz").write_bytes(data)
    try:
        directionfile.read(tmp_path / "d.npz", tiny_model(0).config.generator)
    except InputError as error:
        assert "d.npz" in str(error)


@pytest.mark.parametrize(
    "changes",
    [
        {"scales": np.ones(2, np.float32)},
        {"names": np.array(["a", "a", "b"])},
        {"layers": np.ones((3, 6), np.float32)},
        {"scales": np.full(3, np.nan, np.float32)},
        {"scales": np.full(3, 1e300)},
        {"scales": np.full(3, -1e9)},
        {"directions": np.full((3, 6, 16), 1e300)},
        {"directions": np.full((3, 6, 16), -1e38, np.float32)},
        {"card": np.array("[]")},
        {"card": np.array("{")},
        {"card": np.array('{"explained": [0.5]}')},
        {"card": np.array('{"explained": ["a", "b", "c"]}')},
    ],
    ids=lambda changes: f"{next(iter(changes))} {next(iter(changes.values())).ravel()[0]}",
)
def test_a_file_whose_parts_do_not_fit_is_refused(found, tmp_path, changes):
    parts = {
        "directions": found.vectors,
        "scales": found.scales,
        "layers": found.layers,
        "names": np.array(found.names),
        "card": np.array("{}"),
    }
    np.savez(tmp_path / "d.npz", **{**parts, **changes})
    with pytest.raises(InputError, match=r"d\.npz: is no whole file of directions"):
        directionfile.read(tmp_path / "d.npz", tiny_model(0).config.generator)


@pytest.mark.parametrize(
    ("shape", "names"),
    [
        ((16,), ["age"]),
        ((1, 16), ["age"]),
        ((6, 16), ["age"]),
        ((3, 16), ["age0", "age1", "age2"]),
        ((2, 6, 16), ["age0", "age1"]),
        ((1, 1, 16), ["age"]),
    ],
)
def test_vectors_of_other_programs_are_known_by_their_shape(tmp_path, shape, names):
    values = np.random.RandomState(0).randn(*shape).astype(np.float32)
    np.save(tmp_path / "age.npy", values)
    found = foreign.read(tmp_path / "age.npy", num_ws=6, w_dim=16)
    assert found.names == names and found.values.shape == (len(names), 6, 16)
    layered = shape[-2:] == (6, 16)
    np.testing.assert_array_equal(
        found.values[0], values.reshape(-1, 6, 16)[0] if layered else np.tile(values.reshape(-1, 16)[0], (6, 1))
    )


@pytest.mark.parametrize(
    "values",
    [
        np.zeros((3, 5)),
        np.zeros((2, 5, 16)),
        np.full((1, 16), np.nan),
        np.zeros((1, 16), int),
        np.zeros((0, 16)),
        np.full(16, 1e300),
        np.full((6, 16), -1e9, np.float32),
    ],
    ids=["width", "layers", "nan", "integers", "nothing", "beyond float32", "huge"],
)
def test_what_holds_no_directions_is_refused(tmp_path, values):
    np.save(tmp_path / "age.npy", values)
    with pytest.raises(InputError, match=r"age\.npy"):
        foreign.read(tmp_path / "age.npy", num_ws=6, w_dim=16)


def test_more_vectors_than_a_file_has_are_refused(tmp_path):
    np.save(tmp_path / "age.npy", np.zeros((10_001, 16), np.float16))
    with pytest.raises(InputError, match=r"age\.npy: holds more than 10000 directions"):
        foreign.read(tmp_path / "age.npy", num_ws=6, w_dim=16)
    half = np.zeros((5_001, 16), np.float16)
    (tmp_path / "age.pt").write_bytes(pickle.dumps({"a.png": half, "b.png": half.copy()}))
    with pytest.raises(InputError, match=r"age\.pt: holds more than 10000 directions"):
        foreign.read(tmp_path / "age.pt", num_ws=6, w_dim=16)


def test_half_precision_is_read_without_a_warning(tmp_path):
    np.save(tmp_path / "age.npy", np.full((2, 16), 60_000, np.float16))
    assert (foreign.read(tmp_path / "age.npy", num_ws=6, w_dim=16).values == 60_000).all()


def test_a_pickle_that_would_run_something_is_not_run(tmp_path):
    class Harm:
        def __reduce__(self):
            return exec, ("raise SystemExit",)

    file = io.BytesIO()
    pickle.dump(Harm(), file)
    (tmp_path / "age.pt").write_bytes(file.getvalue())
    with pytest.raises(InputError):
        foreign.read(tmp_path / "age.pt", num_ws=6, w_dim=16)


def test_directions_are_told_apart_by_name():
    zeros = np.zeros((1, 6, 16), np.float32)
    one = Directions(("age",), zeros, np.ones(1, np.float32), np.ones((1, 6), bool))
    with pytest.raises(InputError, match="smile: no such direction — use age"):
        one.edit("smile", 1.0)
