"""LPIPS of the user's VGG16 equals the same in torch, whichever file it comes from."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import convert
from convert.vgg16 import _PUBLISHED, read_heads
from stylegan_jax.errors import InputError
from stylegan_jax.projection.perceptual import lpips_loss

torch = pytest.importorskip("torch")
from tests.projection import vgg16_networks as theirs  # noqa: E402  which is written in torch


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """NVIDIA's archive, torchvision's file in the older form, and the weights of LPIPS."""
    folder = tmp_path_factory.mktemp("vgg")
    theirs.save_scripted(theirs.Scripted(), folder / "vgg16.pt")
    torch.save(theirs.torchvision_state(), folder / "vgg16.pth", _use_new_zipfile_serialization=False)
    torch.save(theirs.heads(), folder / "vgg.pth")
    return folder


def test_both_files_hold_the_same_network(files):
    scripted = convert.read_vgg16(files / "vgg16.pt")
    plain = convert.read_vgg16(files / "vgg16.pth", files / "vgg.pth")
    assert scripted.keys() == plain.keys() and len(plain) == 31
    for name, leaf in plain.items():
        np.testing.assert_array_equal(scripted[name], leaf, err_msg=name)


@pytest.mark.parametrize("size", [16, 48])
def test_the_loss_is_lpips(files, size):
    random = np.random.RandomState(0)
    pixels = random.rand(2, 3, size, size, 3).astype(np.float32) * 255
    with torch.no_grad():
        wanted = theirs.lpips(*(torch.tensor(each.transpose(0, 3, 1, 2)) for each in pixels)).numpy()
    loss = lpips_loss(convert.read_vgg16(files / "vgg16.pt"))
    one, other = (jnp.asarray(each / 127.5 - 1) for each in pixels)
    with jax.default_matmul_precision("highest"):
        found = loss.compare(loss.describe(one), loss.describe(other))
    np.testing.assert_allclose(found, wanted, rtol=1e-4)


def test_large_images_are_shrunk_and_grey_ones_repeated_first(files):
    loss = lpips_loss(convert.read_vgg16(files / "vgg16.pt"))
    small = jnp.asarray(np.random.RandomState(0).rand(1, 256, 256, 1), jnp.float32)
    large = small.repeat(2, 1).repeat(2, 2)
    np.testing.assert_allclose(loss.describe(large), loss.describe(small.repeat(3, -1)), atol=1e-5)


def test_pixels_without_features_have_a_finite_gradient(files):
    loss = lpips_loss(convert.read_vgg16(files / "vgg16.pt"))
    black = -jnp.ones((1, 16, 16, 3))
    gradient = jax.grad(lambda x: loss.compare(loss.describe(x), jnp.zeros_like(loss.describe(x))).sum())(black)
    assert np.isfinite(gradient).all()


def test_roots_of_the_published_weights_are_known_by_their_sum(files, tmp_path):
    network = theirs.Scripted()
    total = sum(getattr(network, f"lpips{i}").sum().item() for i in range(5))
    for root in (False, True):
        for i in range(5):
            leaf = list(theirs.heads().values())[i][0] * (_PUBLISHED / total)
            setattr(network, f"lpips{i}", leaf.sqrt() if root else leaf)
        theirs.save_scripted(network, tmp_path / f"{root}.pt")
    roots, plain = (convert.read_vgg16(tmp_path / f"{root}.pt") for root in (True, False))
    np.testing.assert_allclose(roots["lpips3"], plain["lpips3"], rtol=1e-6)


def changed(files, place, change):
    state = theirs.torchvision_state()
    change(state)
    torch.save(state, place)
    return lambda: convert.read_vgg16(place, files / "vgg.pth")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda state: state.pop("features.28.bias"), r"conv12\.bias: missing, expected \(512,\)"),
        (lambda state: state["features.5.weight"].fill_(float("nan")), r"conv2\.weight holds what is no number"),
        (lambda state: state.clear(), "holds no VGG16"),
    ],
    ids=["a bias is missing", "NaN", "nothing"],
)
def test_what_is_no_whole_vgg16_is_refused_in_a_line(files, tmp_path, change, said):
    with pytest.raises(InputError, match=said) as error:
        changed(files, tmp_path / "v.pth", change)()
    assert "v.pth: " in str(error.value) and "\n" not in str(error.value)


def test_weights_of_lpips_are_asked_for_where_they_are_missing(files):
    with pytest.raises(InputError, match="holds no weights of LPIPS — pass --lpips too"):
        convert.read_vgg16(files / "vgg16.pth")
    with pytest.raises(InputError, match=r"vgg16\.pth: holds no weights of LPIPS — pass the weights"):
        read_heads(files / "vgg16.pth")
    with pytest.raises(InputError, match="is a compressed zip archive"):
        read_heads(files / "vgg16.pt")
