"""Whole training runs on tiny networks: devices, resuming, freezing, beginning from a model, and what goes wrong."""

import dataclasses
import functools
import json
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import stylegan_jax as sj
from interp.beside import Blends
from interp.quality import SEEDS
from stylegan_jax import names, sampler
from stylegan_jax.config import DiscriminatorConfig, GeneratorConfig
from stylegan_jax.errors import InputError
from stylegan_jax.scores import appearance
from stylegan_jax.storage import atomic, rundir
from stylegan_jax.storage.checkpoint import Model, load
from stylegan_jax.train import transfer
from stylegan_jax.train.advance import PhaseByPhase
from stylegan_jax.train.config import TrainConfig
from stylegan_jax.train.loop import Run, mesh_of
from stylegan_jax.train.phases import Phases
from stylegan_jax.train.request import Records
from stylegan_jax.train.saved import Checkpoints, to_leaves
from stylegan_jax.train.state import initial_state
from tests.sampler.test_precision import precisions
from tests.tiny_models import tiny_model

GENERATOR = GeneratorConfig(img_resolution=8, z_dim=8, w_dim=8, mapping_layers=1, channel_base=64, channel_max=8)
DISCRIMINATOR = DiscriminatorConfig(img_resolution=8, channel_base=64, channel_max=8, mbstd_group_size=2)
CONFIG = TrainConfig(
    generator=GENERATOR,
    discriminator=DISCRIMINATOR,
    batch=16,
    mbstd_chunks=8,
    r1_gamma=1,
    ema_kimg=0.05,
    augment="none",
    kimg=0.32,
    seed=3,
)
NO_LABELS = jnp.zeros((1, 0))
RECORDS = Records(tick=0.064, snapshot_ticks=2, checkpoint_ticks=2, score_images=0)


class Noise:
    """A data set of random images in an order of its own."""

    labels = np.zeros((5, 0), np.float32)
    images = np.random.RandomState(0).randint(0, 256, (5, 8, 8, 3)).astype(np.uint8)

    def __len__(self):
        return len(self.images)

    def image(self, index):
        return self.images[index]

    def batch(self, counter, n):
        return self.images[np.arange(counter, counter + n) % 5], np.zeros((n, 0), np.float32)


@pytest.mark.parametrize(("dtype", "expected"), [("float32", {"HIGHEST"}), ("bfloat16", {"HIGHEST", "DEFAULT"})])
def test_phases_compute_float32_in_full_unless_bfloat16_was_asked_for(dtype, expected):
    config = dataclasses.replace(CONFIG, dtype=dtype)
    ours, state = Phases(config, mesh_of(config, 1)), initial_state(config)
    drawn = {
        phase: jax.eval_shape(lambda p=phase: ours._draw(jnp.int32(0), p, NO_LABELS)) for phase in ("Gmain", "Greg")
    }
    real = jax.ShapeDtypeStruct((16, 8, 8, 3), jnp.uint8), jax.ShapeDtypeStruct((16, 0), jnp.float32)
    programs = [
        (ours.g_main, drawn["Gmain"]),
        (ours.g_reg, drawn["Greg"]),
        (ours.d_main, drawn["Gmain"], *real),
        (ours.d_reg, drawn["Gmain"].augment, *real),
    ]
    for program, *arguments in programs:
        found = precisions(program, state, *arguments)
        assert found == expected


@functools.cache
def phases(devices):
    return Phases(CONFIG, mesh_of(CONFIG, devices))


def mesh_fits(config, devices):
    try:
        return mesh_of(config, devices).devices.size == devices
    except InputError:
        return False


def run(folder, config=CONFIG, records=RECORDS, stop=None):
    """A run of cached phases; `stop` ends it as SIGTERM does after so many iterations."""
    folder.mkdir(exist_ok=True)
    started = Run(folder, config, Noise(), records=records, mesh=mesh_of(config, 1), lineage={})
    if config == CONFIG:
        started.phases = phases(1)
    return started


def trained(folder, **options):
    started = run(folder, **options)
    state = started.restore(lambda: initial_state(started.config))
    return started.go(state, lambda line: None), started


def stored(folder, config=CONFIG):
    checkpoints = Checkpoints(folder / rundir.CHECKPOINTS, 2)
    state = checkpoints.load(jax.eval_shape(lambda: initial_state(config)))
    assert state is not None
    return to_leaves(state)


def curve(devices, iterations=20):
    ours, state = phases(devices), initial_state(CONFIG)
    state, found = jax.device_put(state, ours.replicated), []
    for iteration in range(iterations):
        pixels, c = Noise().batch(iteration * 16, 16)
        pixels, c = jax.device_put((pixels, c), ours.split)
        state, means = ours.iterate(state, iteration, pixels, c, NO_LABELS)
        found.append([float(means["G/loss"]), float(means["D/loss"])])
    return np.array(found)


@pytest.mark.slow
def test_losses_do_not_depend_on_the_number_of_devices():
    one = curve(1)
    for devices in (2, 8):
        np.testing.assert_allclose(curve(devices), one, rtol=1e-5)


def test_devices_that_do_not_divide_the_chunks_are_refused_naming_those_that_do():
    with pytest.raises(InputError, match="--devices 1 or 2 or 4 or 8"):
        mesh_of(CONFIG, 3)
    most = mesh_of(CONFIG).devices.size
    assert most == max(n for n in range(1, 9) if mesh_fits(CONFIG, n)), "unasked, as many as can take part"


def test_a_run_that_is_stopped_and_resumed_ends_bit_identically(tmp_path, monkeypatch):
    code, _ = trained(tmp_path / "whole")
    assert code == 0
    asked = []
    original = PhaseByPhase.real

    def stop_after_seven(self, iteration):
        if iteration == 7 and not asked:
            import os
            import signal

            asked.append(True)
            os.kill(os.getpid(), signal.SIGTERM)
        return original(self, iteration)

    monkeypatch.setattr(PhaseByPhase, "real", stop_after_seven)
    code, _ = trained(tmp_path / "parts")
    assert code == 75
    assert int(stored(tmp_path / "parts")["iteration"]) == 8
    assert trained(tmp_path / "parts")[0] == 0
    whole, parts = stored(tmp_path / "whole"), stored(tmp_path / "parts")
    assert whole.keys() == parts.keys()
    for key in whole:
        np.testing.assert_array_equal(whole[key], parts[key], err_msg=key)
    lines = [json.loads(line)["nimg"] for line in (tmp_path / "parts" / rundir.METRICS).read_text().splitlines()]
    assert lines == sorted(lines)


def test_a_finished_run_leaves_a_loadable_model_and_its_last_checkpoints(tmp_path):
    _, started = trained(tmp_path / "run")
    model = load(rundir.latest_snapshot(tmp_path / "run"))
    assert model.config == CONFIG.model and set(model.networks) == {"G", "D", "G_ema"}
    assert not names.differences(model.networks["G_ema"], names.layout_of(CONFIG.model, "G_ema"))
    assert started.checkpoints.steps() == [16, 20]
    assert (tmp_path / "run" / "fakes000000.png").is_file()


def test_leftovers_of_a_killed_save_go_and_the_last_whole_checkpoint_is_used(tmp_path):
    checkpoints = Checkpoints(tmp_path, 2)
    state = initial_state(CONFIG)
    checkpoints.save(state)
    checkpoints.wait()
    (tmp_path / "000000009.orbax-checkpoint-tmp").mkdir()
    again = Checkpoints(tmp_path, 2)
    assert again.steps() == [0] and not (tmp_path / "000000009.orbax-checkpoint-tmp").exists()
    found = again.load(state)
    assert found is not None
    jax.tree.map(np.testing.assert_array_equal, found, state)


def test_a_full_disk_is_an_os_error_and_the_checkpoints_before_stay_whole(tmp_path, monkeypatch):
    checkpoints = Checkpoints(tmp_path, 2)
    state = initial_state(CONFIG)
    checkpoints.save(state)
    checkpoints.wait()

    class Failing:
        def result(self):
            raise ValueError(
                "RESOURCE_EXHAUSTED: No space left on device [os_error_code='28']"
            )  # as TensorStore says it

    monkeypatch.setattr(checkpoints._ocp, "save_async", lambda *_, **__: Failing())
    checkpoints.save(state._replace(iteration=jnp.int32(4)))
    with pytest.raises(OSError, match="No space left"):
        checkpoints.wait()
    assert Checkpoints(tmp_path, 2).steps() == [0]


def test_a_save_that_is_under_way_is_awaited_when_the_run_ends_by_an_error(tmp_path, monkeypatch):
    started = run(tmp_path / "run", records=dataclasses.replace(RECORDS, checkpoint_ticks=1))
    original = PhaseByPhase.real

    def vanish(self, iteration):
        if iteration == 5:
            raise FileNotFoundError("a picture")
        return original(self, iteration)

    monkeypatch.setattr(PhaseByPhase, "real", vanish)
    with pytest.raises(FileNotFoundError, match="a picture"):
        started.go(started.restore(lambda: initial_state(CONFIG)), lambda line: None)
    assert not list((tmp_path / "run" / rundir.CHECKPOINTS).glob("*tmp*"))
    assert int(stored(tmp_path / "run")["iteration"]) == 4


def test_a_run_that_shall_end_writes_its_model_but_no_sheet_and_no_score(tmp_path):
    started = run(tmp_path / "run", records=dataclasses.replace(RECORDS, score_images=4))
    started._ending.code = 75
    lines = []
    started.snapshot(initial_state(CONFIG), lines.append)
    assert [str(tmp_path / "run" / "network-snapshot-000000.safetensors")] == lines
    assert not list((tmp_path / "run").glob("*.png")) and not (tmp_path / "run" / rundir.METRICS).exists()


def test_a_fine_tune_shows_and_scores_its_blends_with_its_base(tmp_path):
    (tmp_path / "run").mkdir()
    config = dataclasses.replace(CONFIG, generator=dataclasses.replace(CONFIG.generator, img_resolution=16))
    base, model = (tiny_model(seed, **dataclasses.asdict(config.generator)) for seed in (0, 1))
    options = {"records": RECORDS, "mesh": mesh_of(CONFIG, 1), "lineage": {}}
    started = Run(tmp_path / "run", config, Noise(), **options)
    scores, sheet = Blends(base, started.fakes)(model.networks["G_ema"])
    assert set(scores) == {"swap 8/saturation", "swap 8/sharpness"} and sheet.shape[0] > 3 * 16
    shown = functools.partial(sampler.sample, seeds=SEEDS, truncation_psi=0.7)
    parts = [base, sj.blend(base, model, 8, mapping="base"), sj.blend(base, model, "alpha=1", mapping="base")]
    parent, mixed, own = (np.concatenate(list(shown(part))) for part in parts)
    expected = appearance.blend_quality(mixed, parent, own)
    np.testing.assert_allclose(list(scores.values()), expected, atol=2e-3)


@pytest.mark.filterwarnings("error")
def test_blends_of_grey_models_have_no_saturation_to_score_and_small_ones_their_only_swap():
    base, model = (tiny_model(seed, img_resolution=8, img_channels=1) for seed in (0, 1))

    def show(leaves, seeds, psi):
        shown = sampler.sample(Model(base.config, {"G_ema": leaves}, {}), seeds, truncation_psi=psi)
        return np.concatenate(list(shown))

    scores, _ = Blends(base, show)(model.networks["G_ema"])
    assert set(scores) == {"swap 4/sharpness"}


def test_what_compares_a_fine_tune_is_asked_with_every_sheet(tmp_path):
    folder, seen = tmp_path / "run", []
    folder.mkdir()
    records = dataclasses.replace(RECORDS, score_images=4)

    def compare(show):
        def compared(ema):
            seen.append(show(ema, range(2), 0.5).shape)
            return {"swap 4/sharpness": 0.5}, np.zeros((8, 8, 3), np.uint8)

        return compared

    options = {"records": records, "mesh": mesh_of(CONFIG, 1), "lineage": {}, "compare": compare}
    lines, started = [], Run(folder, CONFIG, Noise(), **options)
    started.snapshot(initial_state(CONFIG), lines.append)
    assert seen == [(2, 8, 8, 3)] and lines[0] == "swap 4/sharpness 0.50" and (folder / "blends000000.png").exists()
    assert json.loads((folder / rundir.METRICS).read_text().splitlines()[-1]) == {"nimg": 0, "swap 4/sharpness": 0.5}


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_last_good_checkpoint(tmp_path, monkeypatch):
    started = run(tmp_path / "run", records=dataclasses.replace(RECORDS, checkpoint_ticks=1))
    original = PhaseByPhase.real

    def poison(self, iteration):
        pixels, c = original(self, iteration)
        return (pixels, c) if iteration != 6 else (jnp.full(pixels.shape, jnp.nan), c)

    monkeypatch.setattr(PhaseByPhase, "real", poison)
    state = started.restore(lambda: initial_state(CONFIG))
    with pytest.raises(InputError, match=r"no number at iteration 6 .* last good checkpoint is of iteration 4"):
        started.go(state, lambda line: None)
    assert int(stored(tmp_path / "run")["bad_step"]) == -1


def test_a_second_process_on_one_run_is_refused_naming_the_first(tmp_path):
    import os

    with (
        rundir.lock(tmp_path),
        pytest.raises(InputError, match=f"in use by process {os.getpid()}"),
        rundir.lock(tmp_path),
    ):
        pass


def test_a_run_that_was_killed_before_it_had_described_itself_begins_anew(tmp_path):
    with subprocess.Popen([sys.executable, "-c", ""]) as dead:
        pass
    leftover = f".{rundir.MANIFEST}.{atomic._host()}.{dead.pid}.0.partial"
    (tmp_path / leftover).write_bytes(b"{")
    assert not rundir.open_run(tmp_path, {"seed": 1})
    assert [path.name for path in tmp_path.iterdir()] == [rundir.MANIFEST]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / ".run.jsonx.partial").touch()
    with pytest.raises(InputError, match="is no training run"):
        rundir.open_run(tmp_path / "mine", {"seed": 1})


def test_a_run_begun_otherwise_is_not_continued(tmp_path):
    folder = tmp_path / "run"
    assert not rundir.open_run(folder, {"config": {"batch": 8, "kimg": 1}})
    assert rundir.open_run(folder, {"config": {"batch": 8, "kimg": 2}}, may_change=("config.kimg",))
    with pytest.raises(InputError, match=r"config\.batch = 8, not 16"):
        rundir.open_run(folder, {"config": {"batch": 16, "kimg": 2}})


@pytest.mark.slow
def test_frozen_tensors_keep_their_values_and_the_others_move():
    frozen = transfer.frozen_names(CONFIG, words=["mapping", "torgb"], g_resolutions=[4], d_layers=2)
    config = dataclasses.replace(CONFIG, frozen=frozen, pl_weight=0, r1_gamma=0)
    ours = Phases(config, mesh_of(config, 1))
    before = jax.tree.map(np.array, initial_state(config))
    pixels, c = Noise().batch(0, 16)
    after, _ = ours.iterate(initial_state(config), 0, jnp.asarray(pixels), jnp.asarray(c), NO_LABELS)
    for network in ("G", "D"):
        for name, leaf in getattr(before, network).items():
            if names.is_buffer(name):
                continue
            same = np.array_equal(leaf, getattr(after, network)[name])
            assert same == (f"{network}.{name}" in frozen), f"{network}.{name}"


def test_freeze_rules_name_layers_as_the_official_programs_count_them():
    frozen = transfer.frozen_names(CONFIG, d_layers=2)
    assert frozen == ("D.b8.fromrgb.weight", "D.b8.fromrgb.bias", "D.b8.conv0.weight", "D.b8.conv0.bias")
    assert all(".affine." in name for name in transfer.frozen_names(CONFIG, words=["affine"]))
    biases = ["conv0.affine.bias", "conv0.bias", "conv1.affine.bias", "conv1.bias", "torgb.affine.bias", "torgb.bias"]
    found = transfer.frozen_names(CONFIG, words=["b8.*bias"])
    assert sorted(found) == [f"G.synthesis.b8.{name}" for name in biases]
    with pytest.raises(InputError, match="no tensor of G has 'nothing' in its name"):
        transfer.frozen_names(CONFIG, words=["nothing"])


def test_transfer_copies_by_name_and_says_what_did_not_fit():
    other = dataclasses.replace(CONFIG, generator=dataclasses.replace(GENERATOR, mapping_layers=2), seed=9)
    theirs = initial_state(other)
    model = Model(other.model, {"G_ema": {k: np.asarray(v) for k, v in theirs.G_ema.items()}}, {})
    state, notes = transfer.begin_from(CONFIG, initial_state(CONFIG), model)
    for leaves in (state.G, state.G_ema):
        np.testing.assert_array_equal(leaves["synthesis.b8.conv0.weight"], theirs.G["synthesis.b8.conv0.weight"])
    np.testing.assert_array_equal(state.D["b4.out.weight"], initial_state(CONFIG).D["b4.out.weight"])
    assert notes[0] == "D: the model has none, so it starts fresh"
    assert "G: was left out: mapping.fc1.bias, mapping.fc1.weight" in notes


def test_what_is_frozen_is_as_in_g_ema_which_others_blend_it_with():
    G, G_ema = (initial_state(dataclasses.replace(CONFIG, seed=seed)).G for seed in (8, 9))
    networks = {"G": G, "G_ema": G_ema}
    model = Model(
        CONFIG.model, {n: {k: np.asarray(v) for k, v in leaves.items()} for n, leaves in networks.items()}, {}
    )
    config = dataclasses.replace(CONFIG, frozen=transfer.frozen_names(CONFIG, words=["affine"]))
    state, _ = transfer.begin_from(config, initial_state(config), model)
    for name, leaf in state.G.items():
        np.testing.assert_array_equal(leaf, (G_ema if f"G.{name}" in config.frozen else G)[name], name)


@pytest.mark.slow
def test_a_model_grows_to_a_larger_size_and_first_shows_the_enlarged_image():
    larger = dataclasses.replace(CONFIG, generator=dataclasses.replace(GENERATOR, img_resolution=16))
    larger = dataclasses.replace(larger, discriminator=dataclasses.replace(DISCRIMINATOR, img_resolution=16))
    small = initial_state(CONFIG)
    model = Model(CONFIG.model, {"G_ema": {k: np.asarray(v) for k, v in small.G_ema.items()}}, {})
    state, _ = transfer.begin_from(larger, initial_state(larger), model)
    assert not np.any(state.G["synthesis.b16.torgb.weight"])
    np.testing.assert_array_equal(state.G_ema["synthesis.b8.torgb.weight"], small.G["synthesis.b8.torgb.weight"])
