"""Many iterations in one program: the same training as phase by phase; and when a run trains so."""

import dataclasses
import json
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from stylegan_jax.errors import InputError
from stylegan_jax.storage import rundir
from stylegan_jax.train import advance
from stylegan_jax.train.data.dataset import Dataset
from stylegan_jax.train.loop import Run, augmentation, mesh_of
from stylegan_jax.train.phases import Phases
from stylegan_jax.train.resident import Cycles, Resident
from stylegan_jax.train.saved import to_leaves
from stylegan_jax.train.state import initial_state
from tests.train.test_train import CONFIG, RECORDS, Noise

SMALL = dataclasses.replace(CONFIG, batch=4, mbstd_chunks=2, augment="ada", augment_p=0.5, d_reg_interval=2)
PIXELS = np.random.RandomState(0).randint(0, 256, (5, 8, 8, 3)).astype(np.uint8)
INDICES = np.array([[0, 1, 2, 3], [9, 4, 5, 6], [7, 8, 0, 2]])


def resident(phases):
    return Resident(*jax.device_put((PIXELS, np.zeros((10, 0), np.float32)), phases.replicated))


def image(index):
    return PIXELS[index] if index < 5 else PIXELS[index - 5][:, ::-1]


@pytest.mark.slow  # compiles for 18 seconds each
@pytest.mark.parametrize("devices", [1, 2])
def test_iterations_in_one_program_move_the_state_as_single_ones_do(devices):
    phases = Phases(SMALL, mesh_of(SMALL, devices), augmentation(SMALL))
    start = jax.device_put(initial_state(SMALL), phases.replicated)
    one_by_one, again, found = jax.tree.map(jnp.copy, start), jax.tree.map(jnp.copy, start), []
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
        np.testing.assert_allclose([stats[name][0], *rest[name][:2]], due, rtol=1e-4, err_msg=name)
        assert np.isnan([*stats[name][1:], *rest[name][2:]]).all(), name
    whole, _ = cycles(again, INDICES)
    jax.tree.map(np.testing.assert_array_equal, whole, together)  # a run may stop anywhere, and resumes bit by bit


def test_mirror_images_follow_the_images_as_in_the_data_set():
    phases = Phases(SMALL, mesh_of(SMALL, 1))
    pixels, labels = resident(phases).take(jnp.arange(10))
    np.testing.assert_array_equal(pixels, np.stack([image(i) for i in range(10)]))
    assert labels.shape == (10, 0)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    for i, pixels in enumerate(PIXELS):
        Image.fromarray(pixels).save(folder / f"{i}.png")
    return Dataset.open(folder, resolution=8, mirror=True, cache=tmp_path_factory.mktemp("cache"))


def test_calls_grow_to_a_second_and_end_where_they_must_with_the_images_in_the_official_order(data, monkeypatch):
    state, calls, clock = initial_state(SMALL), [], iter(np.arange(0, 1e4, 0.05))

    class Counted:
        """Stands for `Cycles`, and notes which images it was given; time goes on by itself."""

        def __init__(self, phases, resident, like, most):
            self.most = most

        def __call__(self, state, indices):
            calls.append(indices)
            return state, {"G/loss": jnp.zeros(self.most)}

    monkeypatch.setattr(advance, "Cycles", Counted)
    monkeypatch.setattr(advance.time, "monotonic", lambda: float(next(clock)))
    move, iteration = advance.Together(Phases(SMALL, mesh_of(SMALL, 1)), data, state), 3
    for until in (100, 250):
        while iteration < until:
            _, iteration, _ = move(state, iteration, until)
        assert iteration == until
    assert [len(rows) for rows in calls[:3]] == [1, 1, 2]
    np.testing.assert_array_equal(np.concatenate(calls).ravel(), data.order.take(12, 247 * 4))


def device(platform, limit):
    return types.SimpleNamespace(platform=platform, memory_stats=lambda: {"bytes_limit": limit} if limit else None)


def test_unasked_the_data_set_lies_on_an_accelerator_that_has_four_times_its_memory(data):
    size = data.images.pixels.nbytes
    fitting = [("gpu", 4 * size), ("tpu", 5 * size), ("gpu", 4 * size - 1), ("gpu", None), ("cpu", 9 * size)]
    assert [advance.fits(data, device(*each)) for each in fitting] == [True, True, False, False, False]
    phases = Phases(SMALL, mesh_of(SMALL, 1))
    assert isinstance(advance.choose("auto", phases, data, initial_state(SMALL)), advance.PhaseByPhase)
    with pytest.raises(InputError, match="--resident on: this data set does not lie in one array"):
        advance.choose("on", phases, Noise(), initial_state(SMALL))


@pytest.mark.slow
def test_a_resident_run_leaves_the_same_records_as_one_phase_by_phase(data, tmp_path, monkeypatch):
    config, found = dataclasses.replace(SMALL, kimg=0.032, augment="none"), {}
    for resident in ("off", "on"):
        folder = tmp_path / resident
        folder.mkdir()
        records = dataclasses.replace(RECORDS, tick=0.012)
        started = Run(folder, config, data, records=records, mesh=mesh_of(config, 1), lineage={}, resident=resident)
        assert started.go(started.restore(lambda: initial_state(config)), lambda line: None) == 0
        assert started.checkpoints.steps() == [6, 8]
        found[resident] = [json.loads(line) for line in (folder / rundir.METRICS).read_text().splitlines()]
    for one, other in zip(*found.values(), strict=True):
        assert one.keys() == other.keys()
        for name in one.keys() - {"img_per_s"}:
            assert other[name] == pytest.approx(one[name], rel=1e-3, abs=1e-5), name
