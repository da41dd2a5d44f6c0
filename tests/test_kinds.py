"""What depends on the kind of generator: the tables, and the word in saved models."""

import json
import struct
import zlib

import pytest

import stylegan_jax
from stylegan_jax import names
from stylegan_jax.config import GENERATORS, GeneratorConfig, ModelConfig
from stylegan_jax.errors import InputError
from stylegan_jax.networks import generators
from stylegan_jax.storage import checkpoint
from tests.tiny_models import tiny_model


def test_every_kind_is_in_every_table():
    assert set(GENERATORS) == set(names.GRAMMARS) == set(generators.KINDS)
    assert all(config.kind == kind for kind, config in GENERATORS.items())


def test_a_saved_configuration_says_its_kind_and_one_without_is_of_stylegan2():
    config = ModelConfig(generator=GeneratorConfig(img_resolution=8))
    data = json.loads(json.dumps(config.to_json()))
    assert data.pop("kind") == "stylegan2" and ModelConfig.from_json(data) == config


@pytest.mark.parametrize("kind", [None, 3, ["stylegan2"], {}])
def test_a_kind_that_is_no_word_is_damage(kind):
    data = ModelConfig(generator=GeneratorConfig(img_resolution=8)).to_json()
    with pytest.raises(ValueError, match="its kind is no word"):
        ModelConfig.from_json({**data, "kind": kind})


def rewritten(path, change):
    """A saved model whose description is another one, with the checksum that belongs to it."""
    data = path.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    manifest = json.loads(header["__metadata__"]["stylegan_jax"])
    del manifest["crc32"]
    change(manifest)
    manifest["crc32"] = zlib.crc32(json.dumps(manifest, sort_keys=True).encode())
    header["__metadata__"]["stylegan_jax"] = json.dumps(manifest)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + size :])


@pytest.fixture
def saved(tmp_path):
    return checkpoint.save(tiny_model(), tmp_path / "x.safetensors")


def test_a_model_that_was_saved_before_there_were_kinds_loads(saved):
    rewritten(saved, lambda manifest: manifest["config"].pop("kind"))
    assert checkpoint.load(saved).config == tiny_model().config


@pytest.mark.parametrize("read", [checkpoint.load, stylegan_jax.load])
def test_a_model_of_an_unknown_kind_is_refused_in_one_line_with_the_known_ones(saved, read):
    rewritten(saved, lambda manifest: manifest["config"].update(kind="stylegan9\x1b[31m\n"))
    with pytest.raises(InputError) as refusal:
        read(saved)
    line = f"{saved}: is a model of the kind 'stylegan9\\x1b[31m\\n'; the kinds known here: stylegan2"
    assert str(refusal.value) == f"{line} — update stylegan-jax: a newer version may read it"
