"""Many iterations in one program: the same training as phase by phase."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stylegan_jax.train.loop import augmentation, mesh_of
from stylegan_jax.train.phases import Phases
from stylegan_jax.train.resident import Cycles, Resident
from stylegan_jax.train.saved import to_leaves
from stylegan_jax.train.state import initial_state
from tests.train.test_train import CONFIG

SMALL = dataclasses.replace(CONFIG, batch=4, mbstd_chunks=2, augment="ada", augment_p=0.5, d_reg_interval=2)
PIXELS = np.random.RandomState(0).randint(0, 256, (5, 8, 8, 3)).astype(np.uint8)
INDICES = np.array([[0, 1, 2, 3], [9, 4, 5, 6], [7, 8, 0, 2]])


def resident(phases):
    return Resident(*jax.device_put((PIXELS, np.zeros((10, 0), np.float32)), phases.replicated))


def image(index):
    return PIXELS[index] if index < 5 else PIXELS[index - 5][:, ::-1]


@pytest.mark.parametrize("devices", [1, 2])
def test_iterations_in_one_program_move_the_state_as_single_ones_do(devices):
    phases = Phases(SMALL, mesh_of(SMALL, devices), augmentation(SMALL))
    start = jax.device_put(initial_state(SMALL), phases.replicated)
    one_by_one, found = jax.tree.map(jnp.copy, start), []
    for iteration, row in enumerate(INDICES):
        real = jax.device_put(np.stack([image(i) for i in row]), phases.split)
        c = jax.device_put(np.zeros((4, 0), np.float32), phases.split)
        one_by_one, means = phases.iterate(one_by_one, iteration, real, c, jnp.zeros((10, 0)))
        found.append(means)
    cycles = Cycles(phases, resident(phases), start, 4)
    first, stats = cycles(start, INDICES[:1])
    together, rest = cycles(first, INDICES[1:])
    assert int(together.iteration) == len(INDICES)
    expected = to_leaves(one_by_one)
    for name, leaf in to_leaves(together).items():
        np.testing.assert_allclose(leaf, expected[name], rtol=1e-3, atol=1e-4, err_msg=name)
    for name in ("G/loss", "D/loss", "r1_penalty", "pl_penalty"):
        due = [float(m.get(name, np.nan)) for m in found]
        np.testing.assert_allclose([stats[name][0], *rest[name][:3]], due, rtol=1e-4, err_msg=name)
        assert np.isnan([*stats[name][1:], rest[name][3]]).all(), name


def test_mirror_images_follow_the_images_as_in_the_data_set():
    phases = Phases(SMALL, mesh_of(SMALL, 1))
    pixels, labels = resident(phases).take(jnp.arange(10))
    np.testing.assert_array_equal(pixels, np.stack([image(i) for i in range(10)]))
    assert labels.shape == (10, 0)
