import jax.numpy as jnp
import numpy as np
import pytest

from stylegan_jax.errors import InputError
from stylegan_jax.sampler import latents
from tests.golden_data import load_npz


def test_seeds_give_the_latents_of_the_official_command_line():
    stored = load_npz("misc/seeds_mixing.npz")
    for z_dim in (512, 64):
        z = latents.z_from_seeds(stored["seeds"].tolist(), z_dim)
        np.testing.assert_array_equal(z[:, :8], stored[f"z{z_dim}_first8"].astype(np.float32))
        full = latents.z_from_seeds(stored["full_seeds"].tolist(), z_dim)
        np.testing.assert_array_equal(full, stored[f"z{z_dim}_full"].astype(np.float32))


def test_no_seeds_give_no_latents():
    assert latents.z_from_seeds([], 64).shape == (0, 64)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_outside_32_bits_is_refused(seed):
    with pytest.raises(InputError, match=f"seed {seed} is out of range"):
        latents.z_from_seeds([seed], 8)


def test_labels_are_one_hot():
    np.testing.assert_array_equal(latents.labels(1, 2, 3), [[0, 1, 0], [0, 1, 0]])
    np.testing.assert_array_equal(latents.labels([0, 2], 2, 3), [[1, 0, 0], [0, 0, 1]])
    assert latents.labels(None, 2, 0).shape == (2, 0)


@pytest.mark.parametrize(("class_idx", "c_dim", "message"), [(None, 5, "from 0 to 4"), (5, 5, "0 to 4"), (0, 0, "not")])
def test_labels_that_do_not_fit_the_model_are_refused(class_idx, c_dim, message):
    with pytest.raises(InputError, match=message):
        latents.labels(class_idx, 2, c_dim)


def test_truncation_pulls_the_first_layers_towards_w_avg():
    ws, w_avg = jnp.ones((2, 4, 3)) * 4, jnp.ones(3) * 2
    pulled = np.asarray(latents.truncate(ws, w_avg, 0.5, 3))
    np.testing.assert_array_equal(pulled[:, :3], 3.0)
    np.testing.assert_array_equal(pulled[:, 3:], 4.0)
    np.testing.assert_array_equal(latents.truncate(ws, w_avg, 0.0), np.full((2, 4, 3), 2.0))


def test_truncation_by_one_changes_no_bit():
    ws = jnp.asarray(np.random.RandomState(0).randn(2, 4, 3), jnp.float32)
    np.testing.assert_array_equal(latents.truncate(ws, jnp.full(3, 1e8), 1.0), ws)


def test_style_mixing_takes_the_chosen_layers_from_the_columns():
    rows, columns = np.zeros((2, 4, 3)), np.arange(1.0, 4.0)[:, None, None] * np.ones((3, 4, 3))
    mixed = latents.mix_styles(rows, columns, [0, 2])
    assert mixed.shape == (2, 3, 4, 3)
    np.testing.assert_array_equal(mixed[1, :, :, 0], [[1, 0, 1, 0], [2, 0, 2, 0], [3, 0, 3, 0]])


def test_style_mixing_of_a_missing_layer_is_refused():
    with pytest.raises(InputError, match="no layer 4"):
        latents.mix_styles(np.zeros((1, 4, 3)), np.zeros((1, 4, 3)), [3, 4])
