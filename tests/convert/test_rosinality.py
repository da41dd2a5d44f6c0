"""rosinality checkpoints, both ways: every tensor in its place, and what they cannot hold is said."""

import numpy as np
import pytest

import convert
from convert import reading, rosinality
from convert.assembly import assemble
from convert.pickles import unpickle
from stylegan_jax.errors import InputError
from stylegan_jax.networks.generators import generator
from tests.convert.test_official_write import assert_same
from tests.golden_data import assert_close, golden, load_npz
from tests.golden_networks import compiled, nchw
from tests.golden_networks import model as official_model
from tests.tiny_models import tiny_model

FILES = ("s12_ros_conv32", "s13_ros_train64")


def path_of(name):
    return golden(f"rosinality/{name}.pt")


def tree_of(name):
    with open(path_of(name), "rb") as file:
        data = memoryview(file.read())
        return unpickle.load(data, file if data[:2] == b"PK" else None)


def model_of(tree, networks=None):
    return assemble(reading.recognise(tree), networks, file_size=10**9)


@pytest.mark.parametrize("name", FILES)
def test_images_are_those_of_the_rosinality_programs(name):
    found, stored = convert.read(path_of(name)), load_npz(f"rosinality/{name}.gold.npz")
    images = compiled(lambda weights, z: generator(found.config.generator, weights)(z))(
        found.networks["G_ema"], stored["z"]
    )
    assert_close(nchw(images), f"rosinality/{name}.gold.npz", "img_const", stored)


@pytest.mark.parametrize("name", FILES)
def test_every_tensor_goes_to_one_place(name):
    """As sums of squares: what went in came out, whatever it is called."""
    tree, found = tree_of(name), convert.read(path_of(name))
    for key, network in (("g_ema", "G_ema"), ("g", "G"), ("d", "D")):
        foreign = [leaf for leaf_name, leaf in tree[key].items() if not leaf_name.endswith("kernel")]
        made = ("resample_filter", "w_avg")
        ours = [leaf for leaf_name, leaf in found.networks[network].items() if not leaf_name.endswith(made)]
        assert sorted(float(np.square(leaf).sum()) for leaf in foreign) == pytest.approx(
            sorted(float(np.square(leaf).sum()) for leaf in ours), rel=1e-6
        )


def test_the_mean_w_is_the_stored_one_or_estimated_and_said():
    stored = tree_of("s12_ros_conv32")["latent_avg"]
    found = convert.read(path_of("s12_ros_conv32"), networks=["G_ema"])
    np.testing.assert_array_equal(found.networks["G_ema"]["mapping.w_avg"], stored)
    assert "notes" not in found.lineage
    found = convert.read(path_of("s13_ros_train64"), networks=["G_ema"])
    assert "estimated from 10000 z" in found.lineage["notes"][0]
    ws = load_npz("rosinality/s13_ros_train64.gold.npz")["w"]
    w_avg = found.networks["G_ema"]["mapping.w_avg"]
    assert np.abs(w_avg - ws.mean(0)).mean() < 2 * ws.std() / np.sqrt(len(ws))


def test_the_estimate_is_the_mean_of_the_mapping_network():
    found = convert.read(path_of("s13_ros_train64"), networks=["G_ema"])
    z = np.random.RandomState(0).standard_normal((10_000, 48)).astype(np.float32)
    mapping = compiled(lambda weights, z: generator(found.config.generator, weights).mapping(z))
    mean = np.asarray(mapping(found.networks["G_ema"], z)).mean(0)
    np.testing.assert_allclose(found.networks["G_ema"]["mapping.w_avg"], mean, atol=1e-4)


@pytest.mark.parametrize("form", ["g_ema only", "bare state dict", "without noises"])
def test_lesser_files_hold_the_same_generator(form):
    tree, whole = tree_of("s12_ros_conv32"), convert.read(path_of("s12_ros_conv32"), networks=["G_ema"])
    tree = {"g_ema": tree["g_ema"], "latent_avg": tree["latent_avg"]}
    if form == "bare state dict":
        tree = {**tree["g_ema"], "latent_avg": tree["latent_avg"]}
    if form == "without noises":
        tree["g_ema"] = {name: leaf for name, leaf in tree["g_ema"].items() if "noises" not in name}
    found = model_of(tree)
    assert found.config == whole.config
    for name, leaf in whole.networks["G_ema"].items():
        if form != "without noises" or not name.endswith("noise_const"):
            np.testing.assert_array_equal(found.networks["G_ema"][name], leaf)
    assert bool(found.lineage.get("notes")) == (form == "without noises")


@pytest.mark.parametrize("number", [np.inf, 3e38])
def test_infinite_weights_are_named_where_the_mean_w_would_be_estimated_from_them(number):
    tree = {"g_ema": tree_of("s13_ros_train64")["g_ema"]}
    tree["g_ema"]["style.1.bias"] = np.full_like(tree["g_ema"]["style.1.bias"], number)
    tree["g_ema"]["style.2.weight"] = tree["g_ema"]["style.2.weight"] * np.float32(1e30)
    with pytest.raises(InputError, match="G_ema.mapping.fc0.bias" if number == np.inf else "mapping.w_avg"):
        model_of(tree, ["G_ema"])


def test_what_is_missing_or_foreign_is_named():
    tree = tree_of("s12_ros_conv32")
    del tree["g_ema"]["convs.3.activate.bias"]
    with pytest.raises(InputError, match=r"synthesis.b16.conv1.bias: missing, expected \(32,\)"):
        model_of(tree, ["G_ema"])
    tree["g_ema"]["attention.weight"] = np.zeros((3, 3), np.float32)
    with pytest.raises(InputError, match=r"1 tensors have no counterpart .*attention.weight \(3, 3\)"):
        model_of(tree, ["G_ema"])


@pytest.mark.parametrize("name", FILES)
def test_written_checkpoints_hold_every_tensor_that_torch_loads_from_the_original(name, tmp_path):
    torch = pytest.importorskip("torch")
    path = rosinality.write(convert.read(path_of(name)), tmp_path / "x.pt")
    ours, theirs = torch.load(path), torch.load(path_of(name), weights_only=False)
    for key in ("g_ema", "g", "d"):
        assert set(ours[key]) == set(theirs[key])
        for leaf, tensor in theirs[key].items():
            assert ours[key][leaf].shape == tensor.shape and torch.equal(ours[key][leaf], tensor), f"{key}.{leaf}"
    if "latent_avg" in theirs:
        assert torch.equal(ours["latent_avg"], theirs["latent_avg"])


@pytest.mark.parametrize("name", FILES)
def test_a_round_trip_is_exact(name, tmp_path):
    original = convert.read(path_of(name))
    found = convert.read(convert.write(original, tmp_path / "x.pt"))
    assert_same(found, original)
    assert "notes" not in found.lineage


def test_official_models_come_back_exactly(tmp_path):
    original = official_model("s09_base64")
    found = convert.read(convert.write(original, tmp_path / "x.pt"))
    for network, leaves in original.networks.items():
        for name, leaf in leaves.items():
            np.testing.assert_array_equal(found.networks[network][name], leaf, strict=True)


def test_what_their_programs_do_not_know_is_not_written(tmp_path):
    with pytest.raises(InputError) as refusal:
        convert.write(official_model("s06_gray128"), tmp_path / "x.pt")
    for line in ("img_channels: 1, theirs 3", "use_noise: False, theirs True", "z_dim: 40, theirs 24"):
        assert line in str(refusal.value)
    with pytest.raises(InputError, match="D: mbstd_group_size: 8, theirs 4"):
        convert.write(official_model("s03_cond32"), tmp_path / "x.pt")
    with pytest.raises(InputError, match=r"conv_clamp: 1.0, theirs none"):
        convert.write(tiny_model(conv_clamp=1.0), tmp_path / "x.pt")
    assert not list(tmp_path.iterdir())
