"""What is decided before anything is mixed: sources, kinds of tensors, and models that differ."""

import dataclasses

import numpy as np
import pytest

from interp.alphas import Kind, Settings, parse_kind
from interp.decisions import decide
from interp.mix import blend
from interp.schedules import constant, layers, swap
from stylegan_jax.config import ModelConfig
from stylegan_jax.errors import InputError
from stylegan_jax.names import is_buffer
from stylegan_jax.sampler.run import sample
from stylegan_jax.storage.checkpoint import Model
from tests.interp.leaves import weights
from tests.tiny_models import random_weights, tiny_model


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"noise": "0.5"}, "noise=0.5: not a source — use base, transfer$"),
        ({"mapping": "toon"}, "mapping=toon: not a source — use base, transfer, or a number"),
        ({"mapping": "nan"}, "mapping=nan: not a source"),
        ({"w_avg": "transfer2"}, "w_avg=transfer2: not a source"),
    ],
)
def test_an_unknown_source_says_which_there_are(base, transfer, options, message):
    with pytest.raises(InputError, match=message):
        blend(base, transfer, swap(8), **options)


def test_an_8_layer_mapping_and_a_2_layer_one_blend_and_the_configuration_follows_the_tensors(transfer):
    base = tiny_model(1, mapping_layers=8, z_dim=24, c_dim=3, conv_clamp=256, num_fp16_res=2)
    low, high = (blend(base, transfer, swap(8), mapping=source) for source in ("transfer", "base"))
    assert (low.config.generator.mapping_layers, low.config.generator.z_dim, low.config.generator.c_dim) == (2, 16, 0)
    assert (high.config.generator.mapping_layers, high.config.generator.z_dim) == (8, 24)
    assert low.config.generator.conv_clamp is None and low.config.generator.num_fp16_res == 2
    assert "mapping.fc7.weight" not in weights(low) and "mapping.fc7.weight" in weights(high)
    for field in ("mapping_layers: 8 in tiny-1, 2 in tiny-2; the blend has 2", "conv_clamp: 256 in tiny-1, None"):
        assert any(note.startswith(field) for note in low.lineage["notes"])
    assert np.isfinite(next(sample(low, [0]))).all()


def test_what_may_not_differ_is_one_error_that_names_every_difference(base):
    narrow = tiny_model(2, channel_max=4, activation="relu")
    with pytest.raises(InputError) as error:
        blend(base, narrow, swap(8))
    lines = str(error.value).splitlines()
    assert lines[0].startswith("tiny-2: ") and "arrays and settings differ from tiny-1" in lines[0]
    assert any("activation: lrelu vs relu" in line for line in lines)
    differing = {name for name, leaf in weights(base).items() if weights(narrow)[name].shape != leaf.shape}
    for name in differing:
        assert any(line.startswith(f"  {name}: {weights(base)[name].shape} vs ") for line in lines), name
    assert lines[-1].startswith("A blend needs one architecture: tiny-1 is ") and "— fine-tune" in lines[-1]


@pytest.mark.parametrize(
    "fields",
    [{"img_resolution": 32}, {"w_dim": 8}, {"img_channels": 1}, {"architecture": "resnet"}, {"use_noise": False}],
)
def test_models_of_another_shape_are_refused(base, fields):
    with pytest.raises(InputError, match="A blend needs one architecture"):
        blend(base, tiny_model(2, **fields), swap(8))


def test_another_resample_filter_is_refused(base, transfer):
    config = dataclasses.replace(transfer.config.generator, resample_filter=(1, 2, 2, 1))
    other = dataclasses.replace(transfer, config=ModelConfig(generator=config))
    with pytest.raises(InputError, match=r"resample_filter: \(1, 3, 3, 1\) vs \(1, 2, 2, 1\)"):
        blend(base, other, swap(8))


def test_a_mapping_share_needs_mappings_of_one_shape(base):
    deep = tiny_model(2, mapping_layers=8)
    blend(base, deep, swap(8))
    with pytest.raises(InputError, match=r"mapping\.fc7\.weight: absent vs"):
        blend(base, deep, swap(8), mapping=0.5)


def test_models_without_w_avg_blend_but_have_none_to_average(base):
    config = ModelConfig(generator=dataclasses.replace(base.config.generator, w_avg_beta=None))
    bare = Model(config, {"G_ema": random_weights(config, "G_ema", 2)}, {"source": "bare.pkl"})
    assert "mapping.w_avg" not in weights(blend(base, bare, swap(8)))
    with pytest.raises(InputError, match=r"bare.pkl: has no w_avg to average"):
        blend(base, bare, swap(8), mapping=0.5)


def test_kinds_fix_or_scale_alpha_by_name(base, transfer):
    kinds = [parse_kind(text) for text in ("affine=0", "torgb=x0.5", "*.b16.conv1.bias=0.25")]
    decided = decide([base.config, transfer.config], ["a", "b"], [constant(1)], Settings(kinds=kinds))
    alphas = {name: alpha for name, (alpha,) in decided.shares["G_ema"].items()}
    assert alphas["synthesis.b8.conv0.affine.weight"] == 0 and alphas["synthesis.b8.conv0.weight"] == 1
    assert alphas["synthesis.b8.torgb.bias"] == 0.5 and alphas["synthesis.b8.torgb.affine.bias"] == 0
    assert alphas["synthesis.b16.conv1.bias"] == 0.25 and alphas["mapping.fc0.bias"] == 1


def test_every_trained_tensor_of_the_synthesis_is_of_some_kind():
    model = tiny_model(architecture="resnet")
    kinds = [Kind(name, 0) for name in ("weight", "affine", "bias", "noise", "torgb", "const")]
    for name in weights(model):
        if name.startswith("synthesis.") and not is_buffer(name):
            assert any(kind.covers(name) for kind in kinds), name


@pytest.mark.parametrize("text", ["ears=0", "torgb", "torgb=", "torgb=x", "torgb=nan", "=1"])
def test_a_text_that_is_no_kind_is_refused(text):
    with pytest.raises(InputError, match=f"kind={text}: "):
        parse_kind(text)


def test_a_network_a_file_does_not_hold_is_named(base, transfer):
    with pytest.raises(InputError, match="tiny-1: holds G_ema but no G, D"):
        blend(base, transfer, swap(8), networks=("G", "D"))


def test_extrapolation_is_said(base, transfer):
    notes = blend(base, transfer, layers(1.5, *[0] * 5)).lineage["notes"]
    assert notes == ["shares reach from -0.5 to 1.5: outside [0, 1] the blend extrapolates"]
