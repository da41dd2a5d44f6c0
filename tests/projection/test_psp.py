"""Encoders of the pSp family equal the same networks in torch."""

import numpy as np
import pytest

import convert
from stylegan_jax.errors import InputError
from stylegan_jax.projection import psp
from stylegan_jax.psp import PspConfig
from stylegan_jax.sampler import sample_ws
from tests.tiny_models import tiny_model

torch = pytest.importorskip("torch")
from tests.projection import psp_networks as theirs  # noqa: E402  which is written in torch

PICTURES = np.random.RandomState(0).randint(0, 256, (5, 256, 256, 3), np.uint8)


def expected(made, pictures):
    with torch.no_grad():
        return made(torch.tensor(pictures.transpose(0, 3, 1, 2) / 127.5 - 1, dtype=torch.float32)).numpy()


def assert_near(found, wanted):
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() <= 1e-4 * np.sqrt(np.square(wanted).mean())


@pytest.mark.parametrize("kind", ["Encoder4Editing", "GradualStyleEncoder"])
def test_a_small_encoder_gives_the_ws_that_it_gives_in_torch(tmp_path, kind):
    made = theirs.encoder(theirs.config(9, offsets=kind == "Encoder4Editing"))
    torch.save(theirs.file_tree(made, kind=kind), tmp_path / "e.pt")
    found = psp.encode(convert.read_encoder(tmp_path / "e.pt"), PICTURES)
    assert_near(found, expected(made, PICTURES))


@pytest.mark.slow
def test_an_encoder_of_the_official_size_gives_the_ws_that_it_gives_in_torch(tmp_path):
    made = theirs.encoder(PspConfig(10))
    assert sum(leaf.numel() for leaf in made.parameters()) == pytest.approx(151.8e6, rel=1e-3)
    assert len(made.state_dict()) == 509
    torch.save(theirs.file_tree(made, namespace=True), tmp_path / "e.pt")
    found = psp.encode(convert.read_encoder(tmp_path / "e.pt"), PICTURES[:1])
    assert_near(found, expected(made, PICTURES[:1]))


@pytest.mark.parametrize("shape", [(64,), (1, 64), (8, 64)])
@pytest.mark.parametrize("namespace", [False, True])
def test_the_mean_w_is_added_where_the_encoder_was_trained_from_it(tmp_path, shape, namespace):
    made, average = theirs.encoder(theirs.config()), torch.randn(shape)
    torch.save(theirs.file_tree(made, average=average, namespace=namespace), tmp_path / "e.pt")
    torch.save(theirs.file_tree(made, average=average, start_from_latent_avg=False), tmp_path / "w.pt")
    found = psp.encode(convert.read_encoder(tmp_path / "e.pt"), PICTURES[:1])
    without = psp.encode(convert.read_encoder(tmp_path / "w.pt"), PICTURES[:1])
    np.testing.assert_allclose(found - without, np.broadcast_to(average.numpy(), (1, 8, 64)), atol=1e-5)


def test_pictures_of_any_size_and_kind_are_fitted():
    grey, small = np.full((300, 300, 1), 7, np.uint8), np.full((16, 16, 4), 9, np.uint8)
    found = psp.fitted([grey, small, PICTURES[0]])
    assert found.shape == (3, 256, 256, 3)
    np.testing.assert_array_equal(found[2], PICTURES[0])
    assert (found[0] == 7).all() and (found[1] == 9).all()


def test_ws_are_shown_by_the_encoders_own_generator_alone(tmp_path):
    torch.save(theirs.file_tree(theirs.encoder(theirs.config())), tmp_path / "e.pt")
    encoder, pictures = convert.read_encoder(tmp_path / "e.pt"), PICTURES[:2, ::8, ::8]
    model = tiny_model(img_resolution=32, z_dim=64, w_dim=64)
    found = psp.projected(encoder, model, pictures)
    np.testing.assert_array_equal(found.ws, psp.encode(encoder, psp.fitted(list(pictures))))
    np.testing.assert_array_equal(found.images, np.concatenate(list(sample_ws(model, found.ws))))
    assert (found.losses > 0).all()
    with pytest.raises(InputError, match="makes 8 ws of 64 numbers, the model takes 6 of 16"):
        psp.projected(encoder, tiny_model(), pictures)
