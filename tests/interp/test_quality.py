import dataclasses
import json

import numpy as np
import pytest

import stylegan_jax as sj
from interp import quality
from interp.diagnose import diagnose
from interp.rendering import Renderer
from interp.schedules import swap
from stylegan_jax.commands import cli
from stylegan_jax.errors import InputError
from stylegan_jax.sampler import map_seeds, sample_ws
from stylegan_jax.scores import appearance, features, metrics
from tests.tiny_models import tiny_model


def test_a_blend_of_a_model_and_nearly_itself_is_as_good_as_its_parents(base):
    leaves = {**base.networks["G_ema"]}
    leaves["synthesis.b8.conv1.bias"] = leaves["synthesis.b8.conv1.bias"] + np.float32(1e-4)
    twin = dataclasses.replace(base, networks={"G_ema": leaves})
    found = quality.quality((base, twin), ("a", "b"))
    assert list(found.swaps) == [8]
    np.testing.assert_allclose(found.swaps[8], 1, atol=0.01)


def test_the_quality_of_a_pair_is_that_of_its_images_for_one_w(base, transfer):
    found = quality.quality((base, transfer), ("a", "b"))
    ws = map_seeds(base, range(64), truncation_psi=0.7)
    mixed = sj.blend(base, transfer, 8)
    shown = [np.concatenate(list(sample_ws(model, ws))) for model in (mixed, base, transfer)]
    np.testing.assert_allclose(found.swaps[8], appearance.blend_quality(*shown), rtol=0.01)
    own = np.concatenate(list(sj.sampler.sample(transfer, range(64), truncation_psi=0.7)))
    assert found.dead[1][0.7] == np.flatnonzero(appearance.dead(own)).tolist()


def test_conditional_models_are_judged_on_random_classes():
    pair = [tiny_model(seed, c_dim=3) for seed in (1, 2)]
    assert set(quality.quality(pair, ("a", "b")).dead[0]) == {0.7, 1.0}


def test_models_too_small_to_be_described_are_refused():
    pair = [tiny_model(seed, img_resolution=8) for seed in (1, 2)]
    with pytest.raises(InputError, match="blends are judged from 16 pixels on"):
        quality.quality(pair, ("a", "b"))


def test_strangeness_is_the_toon_distance_from_the_blends_own_samples(base, transfer):
    strange = quality.Strangeness(Renderer((base, transfer), ("a", "b")), swap(8), 64)
    mixed = sj.blend(base, transfer, 8)
    own, more = (
        features.proxy_features(np.concatenate(list(sj.sampler.sample(mixed, seeds, truncation_psi=psi))))
        for seeds, psi in ((range(64), 0.7), (range(64, 128), 1))
    )
    np.testing.assert_allclose(strange.of_samples(1), metrics.toon_distance(more, own), rtol=0.05)


def test_diagnose_prints_the_quality_and_writes_it_down(base, transfer, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    sj.save(base, "a.safetensors")
    sj.save(transfer, "b.safetensors")
    arguments = ("a.safetensors", "b.safetensors", "--quality", "--json", "found.json")
    assert cli.run(diagnose, "diagnose", arguments) == 0
    shown = capsys.readouterr().out
    assert "swap 8" in shown and "dead seeds of b.safetensors at psi 1: " in shown
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["kinship"] == "unrelated" and set(found["quality"]["swaps"]["8"]) == {"saturation", "sharpness"}
    assert cli.run(diagnose, "diagnose", arguments) == 2
    assert "found.json: exists" in capsys.readouterr().err
