"""Official pickles are written so that the official programs and torch agree with us on every attribute and bit."""

import mmap

import numpy as np
import pytest

import convert
from convert import fresh, official
from convert.pickles import unpickle
from stylegan_jax import names
from stylegan_jax.errors import InputError
from stylegan_jax.networks.discriminator import Discriminator
from stylegan_jax.networks.layers import initial_weights
from stylegan_jax.storage import checkpoint
from stylegan_jax.storage.checkpoint import Model
from tests import official_programs
from tests.golden_data import golden
from tests.golden_networks import PAIRED, model
from tests.tiny_models import tiny_model

ALL = (*PAIRED, "s09_transfer64")


def assert_same(found, expected):
    assert found.config == expected.config
    assert {name: list(leaves) for name, leaves in found.networks.items()} == {
        name: list(leaves) for name, leaves in expected.networks.items()
    }
    for network, leaves in expected.networks.items():
        for name, leaf in leaves.items():
            np.testing.assert_array_equal(found.networks[network][name], leaf, f"{network}.{name}", strict=True)


@pytest.mark.parametrize("name", ALL)
def test_a_written_pickle_is_read_back_exactly(name, tmp_path):
    original = model(name)
    path = official.write(original, tmp_path / "x.pkl", sg3=original.lineage["format"] == "stylegan3")
    found = convert.read(path)
    assert_same(found, original)
    assert found.lineage["format"] == original.lineage["format"]


ARGUMENTS_THAT_SAY_LESS = {"s03_cond32", "s08_sg3_64"}  # theirs leave out num_layers 8, or pass freeze_layers 0


@pytest.mark.parametrize("name", ALL)
def test_written_objects_have_every_attribute_of_the_official_ones(name, tmp_path, monkeypatch):
    pytest.importorskip("torch")
    original = model(name)
    path = official.write(original, tmp_path / "x.pkl", sg3=original.lineage["format"] == "stylegan3")
    ours, theirs = (official_programs.load(file, monkeypatch) for file in (path, golden(f"gen/{name}.pkl")))
    assert set(ours) == set(theirs)
    for network in ("G", "D", "G_ema"):
        assert_same_objects(ours[network], theirs[network], network, exact=name not in ARGUMENTS_THAT_SAY_LESS)


def assert_same_objects(ours, theirs, path, *, exact):
    assert ours.class_name == theirs.class_name, path
    assert set(theirs.state) <= set(ours.state), path
    ignored = {"_modules", "_parameters", "_buffers", *(() if exact else ("_init_kwargs",))}
    for key in [key for key in ours.state if key not in ignored and "hook" not in key]:
        assert ours.state[key] == theirs.state[key], f"{path}.{key}"
    for table in ("_parameters", "_buffers"):
        assert list(ours.state[table]) == list(theirs.state[table]), path
        for name, tensor in theirs.state[table].items():
            assert type(ours.state[table][name]) is type(tensor) and ours.state[table][name].equal(tensor), path
            assert ours.state[table][name].requires_grad == tensor.requires_grad
    assert list(ours.state["_modules"]) == list(theirs.state["_modules"]), path
    for name, child in theirs.state["_modules"].items():
        assert_same_objects(ours.state["_modules"][name], child, f"{path}.{name}", exact=exact)


@pytest.mark.parametrize("sg3", [False, True])
def test_written_pickles_rebuild_modules_from_the_checkouts_own_classes(sg3, tmp_path, monkeypatch):
    torch = pytest.importorskip("torch")
    original = model("s06_gray128")
    path = official.write(original, tmp_path / "x.pkl", sg3=sg3)
    classes = official_programs.install_networks(monkeypatch, "networks_stylegan2" if sg3 else "networks")
    data = official_programs.load(path, monkeypatch, official_programs.as_official_loader)
    assert (
        type(data["D"]) is classes["Discriminator"]
        and type(data["G_ema"].mapping.fc0) is classes["FullyConnectedLayer"]
    )
    for network in ("G", "D", "G_ema"):
        state = data[network].state_dict()
        assert set(state) == set(original.networks[network])
        for key, tensor in state.items():
            assert torch.equal(tensor, torch.from_numpy(original.networks[network][key])), key
    trained = [name for name, _ in data["D"].named_parameters()]
    assert "b128.conv0.weight" not in trained and "b64.conv0.weight" in trained
    assert not any(parameter.requires_grad for parameter in data["G"].parameters())


def test_a_generator_alone_is_written_as_the_official_loaders_want_it(tmp_path, monkeypatch):
    torch = pytest.importorskip("torch")
    original = tiny_model()
    path = official.write(original, tmp_path / "x.pkl")
    assert_same(convert.read(path, networks=["G_ema"]), original)
    official_programs.install_networks(monkeypatch, "networks")
    data = official_programs.load(path, monkeypatch, official_programs.as_official_loader)
    assert list(data) == ["training_set_kwargs", "G", "D", "G_ema", "augment_pipe"]
    assert data["G"] is data["G_ema"] and isinstance(data["D"], torch.nn.Module)
    assert set(data["D"].state_dict()) == set(names.discriminator_layout(fresh_config(original)))


def fresh_config(model):
    config = fresh.with_discriminator(model).config.discriminator
    assert config is not None
    return config


@pytest.mark.parametrize("fields", [{}, {"c_dim": 3}, {"img_channels": 1, "channel_table": (6, 8, 4)}])
def test_a_model_without_a_discriminator_is_written_with_a_fresh_whole_one(fields, tmp_path):
    original = tiny_model(**fields)
    found = [convert.read(official.write(original, tmp_path / f"{i}.pkl")) for i in range(2)]
    assert_same(found[0], found[1])
    config = fresh_config(original)
    assert (config.c_dim, config.img_channels) == (
        original.config.generator.c_dim,
        original.config.generator.img_channels,
    )
    assert [config.channels(r) for r in config.resolutions] == [
        original.config.generator.channels(r) for r in (4, 8, 16)
    ]
    assert not names.differences(found[0].networks["D"], names.discriminator_layout(config))
    assert 0.9 < found[0].networks["D"]["b16.conv0.weight"].std() < 1.1


@pytest.mark.parametrize("fields", [{}, {"c_dim": 3}])
def test_a_fresh_discriminator_is_drawn_as_our_own_training_draws_one(fields):
    import jax

    config = fresh_config(tiny_model(**fields))
    ours, theirs = (
        initial_weights(Discriminator, config, jax.random.key(0)),
        fresh.drawn(config, names.discriminator_layout(config)),
    )
    for name, leaf in theirs.items():
        other = np.asarray(ours[name])
        assert leaf.shape == other.shape and leaf.dtype == other.dtype, name
        if name.endswith(("bias", "resample_filter")):
            np.testing.assert_allclose(leaf, other, rtol=1e-6, err_msg=name)
        elif leaf.size > 64:
            assert 0.7 < leaf.std() / other.std() < 1.4, name


def test_a_4x4_model_can_be_written_though_no_discriminator_is_so_small(tmp_path):
    original = tiny_model(img_resolution=4)
    assert_same(convert.read(official.write(original, tmp_path / "x.pkl")), original)


def strides(path):
    """In elements, of every tensor of a pickle."""
    with open(path, "rb") as file:
        data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        objects = official._objects(unpickle.load(data, None))
    return {
        f"{network}.{path}.{name}": [stride // tensor.itemsize for stride in tensor.strides]
        for network, root in objects.items()
        for path, module in official.modules_of(root).items()
        for name, tensor in module.state["_parameters"].items()
        if isinstance(tensor, np.ndarray)
    }


def test_the_memory_order_of_16_bit_blocks_survives_the_round_trip(tmp_path):
    theirs = golden("gen/s14_nhwc64.pkl")
    original = model("s14_nhwc64")
    assert original.config.generator.fp16_channels_last and original.config.of("D").fp16_channels_last
    kept = checkpoint.save(original, tmp_path / "x.safetensors")
    ours = official.write(checkpoint.load(kept), tmp_path / "x.pkl")
    assert strides(ours) == strides(theirs)
    assert any(steps[1:2] == [1] and steps[2] > 1 for steps in strides(ours).values() if len(steps) == 4)


def test_source_in_the_file_is_text(tmp_path):
    """The official loader would run it."""
    trap = f"open({str(tmp_path / 'ran')!r}, 'w')\n"
    data = official.write(tiny_model(), tmp_path / "x.pkl").read_bytes()
    start = data.index(b"from training")
    length = data.index(b"\n", start) + 1 - start
    assert len(trap) <= length
    (tmp_path / "y.pkl").write_bytes(data[:start] + trap.ljust(length).encode() + data[start + length :])
    assert_same(convert.read(tmp_path / "y.pkl", networks=["G_ema"]), tiny_model())
    assert not (tmp_path / "ran").exists()


def test_what_does_not_fit_its_configuration_is_not_written(tmp_path):
    original = tiny_model()
    leaves = {name: leaf for name, leaf in original.networks["G_ema"].items() if name != "synthesis.b8.conv0.bias"}
    with pytest.raises(ValueError, match=r"synthesis.b8.conv0.bias: missing"):
        official.write(Model(original.config, {"G_ema": leaves}, {}), tmp_path / "x.pkl")
    assert not list(tmp_path.iterdir())


def test_an_existing_file_is_kept(tmp_path):
    (tmp_path / "x.pkl").write_bytes(b"mine")
    with pytest.raises(InputError, match="exists"):
        official.write(tiny_model(), tmp_path / "x.pkl")
    assert (tmp_path / "x.pkl").read_bytes() == b"mine"
    official.write(tiny_model(), tmp_path / "x.pkl", overwrite=True)
    assert_same(convert.read(tmp_path / "x.pkl", networks=["G_ema"]), tiny_model())


def test_an_arbitrary_channel_table_is_read_from_the_shapes(tmp_path):
    written = official.write(tiny_model(channel_table=(6, 8, 4)), tmp_path / "x.pkl")
    assert convert.read(written).config.generator.channel_table == (6, 8, 4)
