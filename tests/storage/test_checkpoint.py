import dataclasses
import gc
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import warnings
from types import SimpleNamespace

import numpy as np
import pytest

import convert
from stylegan_jax import names
from stylegan_jax.config import DiscriminatorConfig, GeneratorConfig, ModelConfig
from stylegan_jax.errors import InputError
from stylegan_jax.storage import atomic, checkpoint
from stylegan_jax.storage.checkpoint import Model, load, save
from stylegan_jax.storage.quiet import quiet
from tests.tiny_models import tiny_model

SMALL = ModelConfig(
    generator=GeneratorConfig(img_resolution=8, channel_base=32, z_dim=4, w_dim=4, mapping_layers=2, conv_clamp=256),
    discriminator=DiscriminatorConfig(img_resolution=8, channel_base=32),
)
FORMS = ("toon.safetensors", "toon")
_TABLE = "weights/state/_METADATA"  # Orbax's own, of an array each


def random_leaves(network):
    noise = np.random.default_rng(len(network))
    layout = names.layout_of(SMALL, network)
    return {name: noise.standard_normal(shape).astype(np.float32) for name, shape in layout.items()}


@pytest.fixture
def model():
    networks = {network: random_leaves(network) for network in ("G", "D", "G_ema")}
    networks["G_ema"]["mapping.fc0.bias"][:] = [-0.0, 1e-40, np.inf, np.nan]
    return Model(SMALL, networks, {"source": "toon.pkl", "recipe": {"α": 0.5}})


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, leaf in expected.items():
        assert found[name].dtype == leaf.dtype and found[name].shape == leaf.shape, name
        assert found[name].tobytes() == leaf.tobytes(), name


@pytest.mark.parametrize("form", FORMS)
def test_a_saved_model_loads_bit_for_bit_with_configuration_and_lineage(model, tmp_path, form):
    place = save(model, tmp_path / form)
    loaded = load(place)
    assert (loaded.config, loaded.lineage) == (model.config, model.lineage)
    assert loaded.networks.keys() == model.networks.keys()
    for network in model.networks:
        assert_same(loaded.networks[network], model.networks[network])
    assert checkpoint.is_checkpoint(place) and [path.name for path in tmp_path.iterdir()] == [form]


@pytest.mark.parametrize("form", FORMS)
def test_only_the_named_networks_are_loaded(model, tmp_path, form):
    loaded = load(save(model, tmp_path / form), networks=["D"])
    assert list(loaded.networks) == ["D"]
    assert_same(loaded.networks["D"], model.networks["D"])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_loads_as_float32_unless_asked_as_stored(model, tmp_path, form, dtype):
    import ml_dtypes  # noqa: F401 (names bfloat16)

    half = {name: leaf.astype(dtype) for name, leaf in random_leaves("G_ema").items()}
    place = save(Model(SMALL, {"G_ema": half}, {}), tmp_path / form)
    assert_same(load(place, as_stored=True).networks["G_ema"], half)
    assert_same(load(place).networks["G_ema"], {name: leaf.astype(np.float32) for name, leaf in half.items()})


def test_an_absent_network_is_named_with_those_the_file_holds(model, tmp_path):
    place = save(Model(SMALL, {"G_ema": model.networks["G_ema"]}, {}), tmp_path / "toon.safetensors")
    with pytest.raises(InputError, match=r"toon.safetensors: holds G_ema, not G, D"):
        load(place, networks=["G", "D"])


def test_every_tensor_that_does_not_fit_is_named_in_one_error(model, tmp_path):
    leaves = model.networks["G_ema"]
    leaves["extra.weight"] = leaves.pop("synthesis.b4.const")
    leaves["synthesis.b8.conv0.bias"] = np.zeros(7, np.float32)
    with pytest.raises(InputError) as error:
        save(model, tmp_path / "toon")
    for culprit in ("G_ema.extra.weight", "G_ema.synthesis.b4.const", "G_ema.synthesis.b8.conv0.bias: (7,)"):
        assert culprit in str(error.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("form", FORMS)
def test_an_existing_output_changes_only_on_request(model, tmp_path, form):
    place = save(model, tmp_path / form)
    other = dataclasses.replace(model, lineage={"source": "other.pkl"})
    with pytest.raises(InputError, match="exists — pass --overwrite"):
        save(other, place)
    assert load(place, networks=["D"]).lineage == model.lineage
    assert load(save(other, place, overwrite=True), networks=["D"]).lineage == other.lineage
    assert [path.name for path in tmp_path.iterdir()] == [form]


def test_overwriting_never_deletes_a_folder_that_is_no_checkpoint(model, tmp_path):
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(InputError, match="is no checkpoint"):
        save(model, tmp_path, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]


def test_a_failed_save_leaves_nothing_behind(model, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint.safetensors, "write", full)
    with pytest.raises(OSError, match="No space"):
        save(model, tmp_path / "toon.safetensors")
    assert not list(tmp_path.iterdir())


def test_what_a_killed_process_left_goes_at_the_next_save(model, tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    (tmp_path / f".toon.safetensors.{atomic._host()}.{dead.pid}.0.partial").write_bytes(b"half")
    save(model, tmp_path / "toon.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["toon.safetensors"]


def test_every_flipped_bit_of_a_file_is_found(model, tmp_path):
    place = save(Model(SMALL, {"G_ema": model.networks["G_ema"]}, {}), tmp_path / "toon.safetensors")
    whole = place.read_bytes()
    for bit in random.Random(0).sample(range(8 * len(whole)), 200):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        place.write_bytes(damaged)
        with pytest.raises(InputError, match=r"toon\.safetensors"):
            load(place)


def test_a_flipped_bit_names_its_tensor(model, tmp_path):
    place = save(model, tmp_path / "toon.safetensors")
    damaged = bytearray(place.read_bytes())
    damaged[-1] ^= 64
    place.write_bytes(damaged)
    with pytest.raises(InputError, match=r"checksums differ: G_ema\.synthesis\.b8\.resample_filter — "):
        load(place)
    assert load(place, networks=["D"]).networks.keys() == {"D"}


def test_a_missing_or_damaged_part_of_a_directory_is_an_input_error(model, tmp_path):
    place = save(model, tmp_path / "toon")
    parts = sorted(path for path in (place / "weights" / "state").rglob("*") if path.parent.name == "d")
    largest = max(parts, key=lambda path: path.stat().st_size)
    whole = largest.read_bytes()
    largest.write_bytes(whole[:500] + bytes([whole[500] ^ 1]) + whole[501:])
    for damage in (lambda: None, largest.unlink):
        damage()
        with pytest.raises(InputError, match=f"toon: parts are missing or damaged: weights/.*{largest.name} — "):
            load(place)
    (place / checkpoint.MANIFEST).unlink()
    with pytest.raises(InputError, match=r"model\.json is missing"):
        load(place)


def test_what_orbax_begins_and_gives_up_is_not_told(model, tmp_path):
    import orbax.checkpoint.experimental.v1 as ocp

    place = save(model, tmp_path / "toon")
    table = json.loads((place / _TABLE).read_text())
    last = list(table["tree_metadata"].values())[-1]
    last["value_metadata"]["value_type"] = None
    (place / _TABLE).write_text(json.dumps(table))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        quiet()
        ocp.metadata(str(place / checkpoint.WEIGHTS))
        gc.collect()
    assert not [str(warning.message) for warning in told if "coroutine" in str(warning.message)]


@pytest.mark.parametrize("form", FORMS)
def test_reading_keeps_nothing_in_memory(model, tmp_path, form):
    place = save(model, tmp_path / form)
    load(place)
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(10):
        load(place)
    gc.collect()
    assert len(gc.get_objects()) < before + 100


def test_a_newer_format_says_so(model, tmp_path):
    place = save(model, tmp_path / "toon")
    manifest = json.loads((place / checkpoint.MANIFEST).read_text())
    (place / checkpoint.MANIFEST).write_text(json.dumps({**manifest, "format_version": 2}))
    with pytest.raises(InputError, match="format version 2, newer than this program's 1 — update"):
        load(place)


def _header(entries, data=b"", length=None):
    text = (entries if isinstance(entries, str) else json.dumps(entries)).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def _entry(begin, end, dtype="F32", shape=(1,)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


BAD_FILES = {
    "empty": b"",
    "one byte": b"x",
    "a length without a header": (100).to_bytes(8, "little"),
    "a huge length": _header({}, length=2**63),
    "a length beyond the file": _header({}, length=50),
    "no JSON": _header("{'a': 1}"),
    "not UTF-8": (3).to_bytes(8, "little") + b"{\xff}",
    "a list": _header("[1]"),
    "deep nesting": _header('{"a":' * 100_000),
    "a duplicate name": _header('{"a": 1, "a": 2}'),
    "overlapping tensors": _header({"a": _entry(0, 4), "b": _entry(0, 4)}, bytes(4)),
    "a gap": _header({"a": _entry(0, 4), "b": _entry(8, 12)}, bytes(12)),
    "data too short": _header({"a": _entry(0, 4)}, bytes(3)),
    "data too long": _header({"a": _entry(0, 4)}, bytes(5)),
    "a shape that its bytes do not hold": _header({"a": _entry(0, 4, shape=(2,))}, bytes(4)),
    "a negative shape": _header({"a": _entry(0, 4, shape=(-1, -1))}, bytes(4)),
    "a fractional shape": _header({"a": _entry(0, 4, shape=(1.0,))}, bytes(4)),
    "reversed offsets": _header({"a": _entry(4, 0)}, bytes(4)),
    "an integer dtype": _header({"a": _entry(0, 4, dtype="I32")}, bytes(4)),
    "a dtype that is a list": _header({"a": {**_entry(0, 4), "dtype": ["F32"]}}, bytes(4)),
    "an entry that is a number": _header({"a": 1}),
    "metadata that is no table": _header({"__metadata__": 5}),
    "metadata that is no string": _header({"__metadata__": {"a": 5}}),
    "no configuration": _header({"a": _entry(0, 4)}, bytes(4)),
    "a configuration that is no JSON": _header({"__metadata__": {"stylegan_jax": "{"}}),
    "an empty configuration": _header({"__metadata__": {"stylegan_jax": "{}"}}),
    "a configuration that is a number": _header({"__metadata__": {"stylegan_jax": "5"}}),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_header_is_an_input_error_that_names_the_file(tmp_path, case):
    (tmp_path / "bad.safetensors").write_bytes(BAD_FILES[case])
    with pytest.raises(InputError, match=r"bad\.safetensors: .+ — "):
        load(tmp_path / "bad.safetensors")


def test_a_missing_file_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        load(tmp_path / "absent")


def test_reading_a_file_imports_neither_jax_nor_flax_nor_orbax(model, tmp_path):
    place = save(model, tmp_path / "toon.safetensors")
    program = f"""
import sys
from stylegan_jax.storage import checkpoint
checkpoint.load({str(place)!r})
print([name for name in ("jax", "flax", "orbax", "torch") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_no_flipped_bit_of_a_header_makes_our_file_another_programs(tmp_path):
    path = checkpoint.save(tiny_model(img_resolution=4), tmp_path / "m.safetensors")
    data = path.read_bytes()
    for at in range(8, 60):
        for bit in range(8):
            damaged = bytearray(data)
            damaged[at] ^= 1 << bit
            path.write_bytes(damaged)
            with pytest.raises(InputError):
                convert.read(path)


def test_ctrl_c_waits_for_what_orbax_is_writing_and_leaves_nothing(model, tmp_path, monkeypatch):
    orbax = checkpoint._orbax()
    written = threading.Event()

    def write(path):
        time.sleep(0.6)
        path.mkdir(parents=True)
        written.set()

    def interrupted(path, _):
        (writer := threading.Thread(target=write, args=[path])).start()
        os.kill(os.getpid(), signal.SIGINT)
        writer.join()

    monkeypatch.setattr(checkpoint, "_orbax", lambda: SimpleNamespace(Context=orbax.Context, save=interrupted))
    own = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            save(model, tmp_path / "toon")
    finally:
        signal.signal(signal.SIGINT, own)
    assert written.wait(5) and not list(tmp_path.iterdir())
