"""The inert reader: every pickle that models come in is read as torch and numpy read it, and nothing else happens."""

import io
import json
import os
import pickle
import pickletools
import subprocess
import sys

import numpy as np
import pytest

import convert
from convert.pickles import unpickle
from convert.pickles.allowed import Instance
from stylegan_jax.errors import InputError
from tests.convert import hostile_pickles
from tests.golden_data import ROOT, golden
from tests.tiny_models import tiny_model

PLAIN = {
    "numbers": [0, 1, 255, 256, 65536, -1, -(2**31), 2**31, 2**63, -(2**80), 0.5, -0.0, 1e300, float("inf")],
    "words": ["", "a", "α σ ×", "\ud800", "x" * 300],
    "others": (None, True, False, (), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), {}, [], [[[]]], {1: {2: 3}}),
}


def load(data):
    return unpickle.load(memoryview(data))


@pytest.mark.parametrize("protocol", range(6))
def test_plain_data_is_read_in_every_protocol(protocol):
    assert load(pickle.dumps(PLAIN, protocol)) == PLAIN


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_sets_are_read_and_bytes_are_views_of_the_file(protocol):
    found = load(pickle.dumps({"names": {"a", "b"}, "none": set(), "data": b"12345"}, protocol))
    assert found["names"] == {"a", "b"} and found["none"] == set()
    assert bytes(found["data"]) == b"12345"


def test_an_object_stored_twice_is_one_object():
    shared = ["x"]
    found = load(pickle.dumps([shared, shared, {"again": shared}], 4))
    assert found[0] is found[1] is found[2]["again"]


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("dtype", ["float32", "float16", ">f8", "int64", "uint8", "bool"])
def test_numpy_arrays_and_numbers_are_read_exactly(protocol, dtype):
    array = np.arange(12).reshape(3, 4).astype(dtype)
    stored = {
        "c": array,
        "f": np.asfortranarray(array),
        "0": np.array(7, dtype),
        "number": array[2, 1],
        "none": array[:0],
    }
    found = load(pickle.dumps(stored, protocol))
    for key, value in stored.items():
        np.testing.assert_array_equal(found[key], value, strict=key != "number")


def test_arrays_are_views_of_the_file_and_not_copies():
    data = pickle.dumps(np.arange(1000, dtype=np.float32), 4)
    found = load(data)
    assert not found.flags.owndata and not found.flags.writeable


def torch_objects(torch):
    base = torch.arange(48.0).reshape(2, 3, 2, 4)
    return {
        "plain": base,
        "parameter": torch.nn.Parameter(base),
        "channels last": base.contiguous(memory_format=torch.channels_last),
        "transposed": base.transpose(1, 3),
        "view inside": base[1, :, 1:, ::2],
        "0-dim": torch.tensor(3.5),
        "float16": base.half(),
        "bfloat16": base.bfloat16(),
        "float64": base.double(),
        "int64": torch.tensor([1, -2]),
        "bool": torch.tensor([True, False]),
        "empty": base[:, :0],
    }


@pytest.mark.parametrize("form", ["pickle", "zip", "stream"])
def test_torch_tensors_are_read_as_torch_has_them(form):
    torch = pytest.importorskip("torch")
    objects = torch_objects(torch)
    file = io.BytesIO()
    if form == "pickle":
        pickle.dump(objects, file)
    else:
        torch.save(objects, file, _use_new_zipfile_serialization=form == "zip")
    found = unpickle.load(memoryview(file.getvalue()), file if form == "zip" else None)
    for key, tensor in objects.items():
        expected = tensor.detach().float().numpy() if key == "bfloat16" else tensor.detach().numpy()
        assert str(found[key].dtype) == str(tensor.dtype).removeprefix("torch.")
        np.testing.assert_array_equal(found[key].astype(expected.dtype), expected, err_msg=key)
        assert found[key].shape == tuple(tensor.shape)


@pytest.mark.parametrize("form", ["zip", "stream"])
def test_numpy_numbers_beside_tensors_are_read_from_either_form_of_a_torch_file(form):
    torch = pytest.importorskip("torch")
    file = io.BytesIO()
    torch.save({"gain": np.float64(0.25), "x": torch.ones(2)}, file, _use_new_zipfile_serialization=form == "zip")
    found = unpickle.load(memoryview(file.getvalue()), file if form == "zip" else None)
    assert found["gain"] == 0.25 and found["x"].tolist() == [1, 1]


def test_a_module_in_a_torch_file_is_refused_by_name(tmp_path):
    torch = pytest.importorskip("torch")
    torch.save(torch.nn.Linear(2, 2), tmp_path / "x.pt")
    with (
        open(tmp_path / "x.pt", "rb") as file,
        pytest.raises(InputError, match="whole torch modules"),
    ):
        unpickle.load(memoryview(file.read()), file)


def test_state_dicts_lose_their_notes_but_no_tensor(tmp_path):
    torch = pytest.importorskip("torch")
    state = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3)).state_dict()
    torch.save(state, tmp_path / "x.pt")
    with open(tmp_path / "x.pt", "rb") as file:
        found = unpickle.load(memoryview(file.read()), file)
    assert list(found) == list(state)


def test_official_objects_become_class_name_and_state():
    tree = load(golden("gen/s03_cond32.pkl").read_bytes())
    assert list(tree) == ["training_set_kwargs", "G", "D", "G_ema", "augment_pipe"]
    assert isinstance(tree["G_ema"], Instance) and tree["G_ema"].name == "Generator"
    assert tree["G_ema"].state["_init_kwargs"]["mapping_kwargs"] == {"num_layers": 2}
    assert isinstance(tree["G"].state["_modules"]["synthesis"].state["_modules"]["b4"].state["num_conv"], int)


@pytest.fixture(scope="module")
def watched():
    """Every hostile case, read in a process that notes what it touches."""
    command = [sys.executable, "-m", "tests.convert.hostile_pickles"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
    return json.loads(ended.stdout)


@pytest.mark.parametrize("title", hostile_pickles.CASES)
def test_hostile_pickle_is_refused_and_nothing_happens(watched, title):
    outcome, seconds, events = watched["results"][title]
    assert events == []
    assert " — " in outcome
    assert "\n" not in outcome or "tensors do not fit its configuration\n  " in outcome  # a list of them
    assert seconds < 5


def test_hostile_pickles_take_little_memory(watched):
    assert watched["memory"] < 2**28


@pytest.mark.parametrize("title", list(hostile_pickles.escapes()))
def test_whatever_names_something_outside_is_called_by_its_name(watched, title):
    outcome = watched["results"][title][0]
    assert outcome.startswith(("asks for ", "uses the pickle instruction ", "refers to objects outside")), outcome
    assert "nothing was run" in outcome


@pytest.mark.parametrize("title", hostile_pickles.ESCAPES)
def test_the_real_unpickler_finds_what_the_hostile_pickle_asks_for(title):
    """The cases are no straw men: as pickles they are well formed."""
    instructions = list(pickletools.genops(hostile_pickles.CASES[f"{title} by STACK_GLOBAL"]))
    assert [opcode.name for opcode, _, _ in instructions[-3:]] == ["TUPLE", "REDUCE", "STOP"]


def test_a_pickle_cut_short_anywhere_is_refused(tmp_path):
    data = convert.write(tiny_model(img_resolution=4), tmp_path / "x.pkl").read_bytes()
    for size in [*range(1, 100), *np.linspace(100, len(data) - 1, 50).astype(int)]:
        with pytest.raises(InputError):
            load(data[:size])


def test_text_from_a_file_is_printed_without_its_escape_sequences():
    data = hostile_pickles.pickled(hostile_pickles.call("\x1b[2Jos", "system" * 50, b")"))
    with pytest.raises(InputError) as refusal:
        load(data)
    assert "\x1b" not in str(refusal.value) and len(str(refusal.value)) < 400


def test_damaged_models_are_read_or_refused_and_nothing_happens(tmp_path):
    """The short form of scripts/fuzz."""
    path = convert.write(tiny_model(img_resolution=8), tmp_path / "x.pkl")
    command, environ = ["scripts/fuzz", "torch", "--count", "300", str(path)], {**os.environ, "PYTHON": sys.executable}
    ended = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "torch: 300 mutants" in ended.stdout
