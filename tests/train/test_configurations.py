"""The official configurations, ours for CPUs, and what follows from changes."""

import dataclasses
import json

import numpy as np
import pytest

from stylegan_jax.pictures import images
from stylegan_jax.storage.checkpoint import Model
from stylegan_jax.train.config import TrainConfig
from stylegan_jax.train.data.dataset import Dataset
from stylegan_jax.train.official import Name, official
from stylegan_jax.train.request import Freeze, Records, Request
from stylegan_jax.train.start import configure
from tests.train.test_train import CONFIG


@pytest.mark.parametrize(
    ("name", "resolution", "expected"),
    [
        ("stylegan2", 256, (32, 8, 4, 0.002, 10, 10, None, 8)),
        ("paper256", 256, (64, 8, 8, 0.0025, 1, 20, None, 8)),
        ("paper512", 512, (64, 8, 8, 0.0025, 0.5, 20, None, 8)),
        ("paper1024", 1024, (32, 8, 4, 0.002, 2, 10, None, 8)),
        ("cifar", 32, (64, 2, 32, 0.0025, 0.01, 500, 0.05, 2)),
        ("auto", 64, (32, 1, 4, 0.0025, 0.0256, 10, 0.05, 2)),
        ("auto", 1024, (4, 1, 4, 0.002, 52.4288, 1.25, 0.05, 2)),
        ("cpu", 64, (8, 2, 4, 0.0025, 0.1024, 2.5, 0.05, 2)),
        ("cpu", 1024, (4, 2, 4, 0.002, 52.4288, 1.25, 0.05, 2)),
    ],
)
def test_official_configurations_hold_the_official_values(name, resolution, expected):
    found = official(name, resolution=resolution)
    discriminator, generator = found.discriminator, found.generator
    values = (found.batch, found.mbstd_chunks, discriminator.mbstd_group_size, found.g_lr, found.r1_gamma)
    assert (*values, found.ema_kimg, found.ema_rampup, generator.mapping_layers) == pytest.approx(expected)
    expected = {"cifar": (0, 0), "cpu": (0, 0.9)}.get(name, (2, 0.9))
    assert (found.pl_weight, found.style_mixing) == expected


def test_auto_takes_small_steps_on_cpus_and_the_official_ones_for_gpus_that_are_counted(tmp_path):
    (tmp_path / "data").mkdir()
    for i in range(4):
        images.write_png(tmp_path / "data" / f"{i}.png", np.zeros((8, 8, 3), np.uint8))
    configured = lambda **asked: configure(  # noqa: E731
        Request(data=str(tmp_path / "data"), out=tmp_path / "run", resolution=8, **asked),
        {},
        Dataset.open(tmp_path / "data", resolution=8),
        None,
    )
    assert (configured().batch, configured().mbstd_chunks) == (8, 2)
    assert configured(gpus=1).batch == 32
    assert configured(cfg="stylegan2").batch == 32


@pytest.fixture
def tuned(tmp_path):
    """The configuration of a fine-tune of a model of 64 pixels on CPUs, by what is asked for and changed."""
    (tmp_path / "data").mkdir()
    images.write_png(tmp_path / "data" / "one.png", np.zeros((64, 64, 3), np.uint8))
    data = Dataset.open(tmp_path / "data", resolution=64)
    small = {"channel_base": 256, "channel_max": 8, "z_dim": 8, "w_dim": 8}
    model = Model(official("cpu", small, resolution=64).model, {}, {})

    def tune(freeze: str | None = None, cfg: Name = "auto", **changes):
        asked = Request(data=str(tmp_path / "data"), out=tmp_path / "run", cfg=cfg, freeze=Freeze(freeze=freeze))
        return configure(asked, changes, data, model)

    return tune


def test_a_fine_tune_on_cpus_keeps_and_trains_what_its_blends_need(tuned):
    found = tuned()
    assert (found.blend_share, found.blend_swap) == (0.3, (16, 32))
    assert "G.mapping.fc1.bias" in found.frozen and "G.synthesis.b4.torgb.weight" in found.frozen
    assert "G.synthesis.b32.conv0.bias" in found.frozen and "G.synthesis.b16.conv0.bias" not in found.frozen
    assert "G.synthesis.b64.conv1.weight" not in found.frozen
    assert all(name.startswith("G.") for name in found.frozen)


def test_a_fine_tune_on_cpus_does_what_it_is_told_and_the_official_ones_train_everything(tuned):
    assert tuned(freeze="none").frozen == () and tuned(freeze="none").blend_share == 0.3
    assert tuned(blend_share=0.0).blend_share == 0 and tuned(blend_swap=(16,)).blend_swap == (16,)
    assert set(tuned(freeze="mapping").frozen) == {name for name in tuned().frozen if ".mapping." in name}
    official_one = tuned(cfg="paper256")
    assert (official_one.frozen, official_one.blend_share) == ((), 0)
    assert tuned(freeze="blends", cfg="paper256").frozen == tuned().frozen
    assert tuned(channel_max=16).blend_share == 0, "another architecture has no blends"


def test_on_cpus_progress_is_shown_and_kept_more_often_unless_it_is_said():
    assert Records().every(8, "gpu") == (500, 25_000, 5_000)
    assert Records().every(8, "cpu") == (125, 1_250, 625)
    assert Records(tick=4.0, checkpoint_ticks=1).every(8, "cpu") == (500, 5_000, 500)


def test_changes_reach_the_run_and_both_networks():
    changes = {"batch": 16, "channel_max": 64, "z_dim": 32, "mbstd_group_size": 8, "pl_weight": 0}
    found = official("auto", changes, resolution=32)
    assert found.generator.channel_max == found.discriminator.channel_max == 64
    assert (found.generator.z_dim, found.discriminator.mbstd_group_size, found.pl_weight) == (32, 8, 0)
    assert found.r1_gamma == pytest.approx(0.0002 * 32**2 / 16)


def test_configurations_survive_json():
    config = dataclasses.replace(CONFIG, frozen=("G.mapping.fc0.weight",))
    assert TrainConfig.from_json(json.loads(json.dumps(config.to_json()))) == config
