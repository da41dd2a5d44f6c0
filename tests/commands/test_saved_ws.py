import numpy as np
import pytest

from stylegan_jax.sampler import run
from stylegan_jax.storage import checkpoint
from tests.sampling import pixels, sample
from tests.tiny_models import tiny_model


@pytest.fixture(scope="module")
def model():
    return tiny_model()


@pytest.fixture(scope="module")
def file(model, tmp_path_factory):
    return checkpoint.save(model, tmp_path_factory.mktemp("model") / "tiny.safetensors")


def test_paired_sets_show_the_same_w(file, model, tmp_path):
    other = tiny_model(1)
    path = checkpoint.save(other, tmp_path / "other.safetensors")
    assert sample(file, "--paired", path, "--seeds", "0-2", "--psi", "0.5", "--save-w", "--out", tmp_path / "set") == 0
    names = [[image.name for image in sorted((tmp_path / "set" / f"train{x}").glob("*.png"))] for x in "AB"]
    assert names[0] == names[1] == [f"seed{i:04d}.png" for i in range(3)]
    ws = np.load(tmp_path / "set" / "w.npz")["w"]
    np.testing.assert_array_equal(ws, run.map_seeds(model, range(3), truncation_psi=0.5, batch=4))
    expected = np.concatenate(list(run.sample_ws(other, ws, batch=4)))
    np.testing.assert_array_equal(pixels(tmp_path / "set" / "trainB" / "seed0002.png"), expected[2])


def test_saved_ws_show_the_same_images_again(file, tmp_path):
    for part in ("0/2", "1/2"):
        assert sample(file, "--seeds", "3-6", "--psi", "0.7", "--save-w", "--part", part, "--out", tmp_path / "x") == 0
    assert sample(file, "--w", tmp_path / "x" / "w-1-of-2.npz", "--batch", "4", "--out", tmp_path / "again") == 0
    np.testing.assert_array_equal(pixels(tmp_path / "again" / "proj01.png"), pixels(tmp_path / "x" / "seed0006.png"))


def test_ws_of_other_seeds_are_not_replaced(file, tmp_path, capsys):
    assert sample(file, "--seeds", "0-1", "--batch", "2", "--save-w", "--out", tmp_path / "x") == 0
    before = (tmp_path / "x" / "w.npz").stat().st_mtime_ns
    assert sample(file, "--seeds", "0-1", "--batch", "2", "--save-w", "--out", tmp_path / "x") == 0
    assert (tmp_path / "x" / "w.npz").stat().st_mtime_ns == before
    assert sample(file, "--seeds", "0-2", "--batch", "2", "--save-w", "--out", tmp_path / "x") == 2
    assert "w.npz: holds ws made with images_sha256" in capsys.readouterr().err
