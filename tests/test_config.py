import dataclasses
import json

import pytest

from convert import facts
from stylegan_jax.config import (
    DiscriminatorConfig,
    GeneratorConfig,
    ModelConfig,
    embed_width,
    resolutions_up_to,
)


def test_resolutions_are_the_powers_of_two_from_4_to_1024():
    assert resolutions_up_to(4) == (4,)
    assert resolutions_up_to(1024) == (4, 8, 16, 32, 64, 128, 256, 512, 1024)


@pytest.mark.parametrize("resolution", [0, 2, 3, 24, 2048, -8])
def test_other_resolutions_are_refused(resolution):
    with pytest.raises(ValueError, match=f"resolution {resolution} is not a power of two between 4 and 1024"):
        resolutions_up_to(resolution)


def test_a_configuration_of_another_resolution_is_refused_when_it_is_made():
    with pytest.raises(ValueError, match="resolution 24"):
        GeneratorConfig(img_resolution=24)
    with pytest.raises(ValueError, match="resolution 4: a discriminator starts at 8"):
        DiscriminatorConfig(img_resolution=4)


def test_a_generator_of_1024_is_the_official_config_f_by_default():
    config = GeneratorConfig(img_resolution=1024)
    assert (config.z_dim, config.w_dim, config.c_dim, config.img_channels) == (512, 512, 0, 3)
    assert (config.mapping_layers, config.mapping_lr_multiplier, config.w_avg_beta) == (8, 0.01, 0.995)
    assert (config.architecture, config.activation, config.resample_filter) == ("skip", "lrelu", (1, 3, 3, 1))
    assert (config.use_noise, config.conv_clamp, config.num_fp16_res) == (True, None, 0)
    assert config.num_ws == 18 and config.mapping_widths == (512,) * 9
    assert [config.channels(r) for r in config.resolutions] == [512, 512, 512, 512, 512, 256, 128, 64, 32]


def test_a_discriminator_of_1024_is_the_official_one_by_default():
    config = DiscriminatorConfig(img_resolution=1024)
    assert (config.architecture, config.freeze_layers, config.cmap_dim) == ("resnet", 0, None)
    assert (config.mbstd_group_size, config.mbstd_num_channels, config.mapping_layers) == (4, 1, 8)
    assert config.cmap_features == 0


def test_config_e_halves_the_channels_above_32():
    config = GeneratorConfig(img_resolution=1024, channel_base=16384)
    assert [config.channels(r) for r in config.resolutions] == [512, 512, 512, 512, 256, 128, 64, 32, 16]


def test_a_channel_table_stands_in_where_no_formula_describes_a_model():
    config = GeneratorConfig(img_resolution=16, channel_table=(48, 40, 24))
    assert [config.channels(r) for r in (4, 8, 16)] == [48, 40, 24]
    with pytest.raises(ValueError, match=r"channel_table has 2 entries for resolutions \(4, 8, 16\)"):
        GeneratorConfig(img_resolution=16, channel_table=(48, 40))


@pytest.mark.parametrize("img_resolution, num_ws", [(4, 2), (8, 4), (64, 10), (256, 14), (1024, 18)])
def test_a_generator_takes_one_w_per_layer(img_resolution, num_ws):
    assert GeneratorConfig(img_resolution=img_resolution).num_ws == num_ws


@pytest.mark.parametrize(
    "img_resolution, num_fp16_res, lowest",
    [(1024, 4, 128), (256, 4, 32), (64, 4, 8), (64, 2, 32), (32, 9, 8), (64, 0, 128), (4, 0, 8)],
)
def test_the_highest_resolutions_run_in_16_bits_but_never_4(img_resolution, num_fp16_res, lowest):
    assert GeneratorConfig(img_resolution=img_resolution, num_fp16_res=num_fp16_res).fp16_resolution == lowest


def test_labels_widen_the_mapping_by_their_embedding():
    plain = GeneratorConfig(img_resolution=8, c_dim=5, z_dim=16, w_dim=40, mapping_layers=3)
    assert embed_width(plain) == 40 and plain.mapping_widths == (56, 40, 40, 40)
    shaped = dataclasses.replace(plain, embed_features=8, layer_features=24)
    assert embed_width(shaped) == 8 and shaped.mapping_widths == (24, 24, 24, 40)


def test_a_discriminator_maps_labels_alone_to_its_4x4_width_unless_cmap_dim_says_otherwise():
    config = DiscriminatorConfig(img_resolution=8, c_dim=5, channel_max=24, mapping_layers=2)
    assert config.cmap_features == 24 and config.mapping_widths == (24, 24, 24)
    assert dataclasses.replace(config, cmap_dim=12).mapping_widths == (12, 12, 12)


CONFIGS = [
    ModelConfig(generator=GeneratorConfig(img_resolution=1024)),
    ModelConfig(generator=GeneratorConfig(img_resolution=8), discriminator=DiscriminatorConfig(img_resolution=8)),
    ModelConfig(
        generator=GeneratorConfig(
            img_resolution=16,
            channel_table=(48, 40, 24),
            resample_filter=((1, 2), (3, 4)),
            w_avg_beta=None,
            conv_clamp=256.5,
            architecture="resnet",
        ),
        discriminator=DiscriminatorConfig(img_resolution=16, c_dim=3, resample_filter=(1, 2, 1), mbstd_group_size=None),
    ),
]


@pytest.mark.parametrize("config", CONFIGS, ids=["config-f", "both", "odd"])
def test_a_configuration_survives_json(config):
    restored = ModelConfig.from_json(json.loads(json.dumps(config.to_json())))
    assert restored == config and hash(restored) == hash(config)


def test_json_of_something_else_is_refused():
    data = CONFIGS[1].to_json()
    with pytest.raises(TypeError, match="kernel_size"):
        ModelConfig.from_json({"generator": {**data["generator"], "kernel_size": 5}})
    with pytest.raises(ValueError, match="resolution 24"):
        ModelConfig.from_json({"generator": {**data["generator"], "img_resolution": 24}})


@pytest.mark.parametrize(
    "field, value",
    [
        ("activation", "softmax"),
        ("mapping_activation", ["lrelu"]),
        ("architecture", None),
        ("architecture", "unet"),
        ("img_resolution", None),
        ("z_dim", True),
        ("resample_filter", None),
        ("resample_filter", [[1, 2], [3]]),
        ("channel_table", [512, "512"]),
        ("mapping_layers", 10**6),
        ("use_noise", 1),
        ("mapping_lr_multiplier", 0),
        ("mapping_lr_multiplier", 0.0),
        ("mapping_lr_multiplier", 1e-300),
        ("mapping_lr_multiplier", float("nan")),
        ("conv_clamp", -1),
        ("conv_clamp", 1e31),
        ("w_avg_beta", 1.5),
    ],
)
def test_a_stored_field_that_no_network_has_is_refused(field, value):
    data = CONFIGS[1].to_json()
    with pytest.raises(ValueError, match=f"{field} is no value of a network"):
        ModelConfig.from_json({**data, "generator": {**data["generator"], field: value}})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"channel_max": 0}, "no feature maps at resolution 4"),
        ({"channel_base": 8, "img_resolution": 16}, "no feature maps at resolution 16"),
        ({"channel_table": (8, 0)}, "no feature maps at resolution 8"),
        ({"img_channels": 0}, "images without channels"),
        ({"z_dim": 0}, "widths 0, 512"),
        ({"w_dim": 0}, "widths 512, 0"),
        ({"layer_features": 0}, "widths 512, 0, 0"),
    ],
)
def test_a_network_without_numbers_somewhere_is_none(fields, message):
    with pytest.raises(ValueError, match=message):
        GeneratorConfig(**{"img_resolution": 8, **fields})


def test_a_table_of_channels_stands_where_the_stored_rule_would_leave_none():
    config = GeneratorConfig(img_resolution=16, channel_base=8, channel_table=(8, 7, 6))
    assert facts.simplest(config) == config
    assert facts.simplest(dataclasses.replace(config, channel_table=(512, 512, 512))).channel_table is None


def test_a_conditional_network_may_do_without_z_and_an_unconditional_discriminator_without_a_mapping():
    assert GeneratorConfig(img_resolution=8, z_dim=0, c_dim=3, mapping_layers=1).mapping_widths == (512, 512)
    assert DiscriminatorConfig(img_resolution=8).mapping_widths[-1] == 0
    with pytest.raises(ValueError, match="widths 0, 0"):
        DiscriminatorConfig(img_resolution=8, c_dim=3, cmap_dim=0)


def test_each_network_has_its_configuration_and_an_absent_one_is_named():
    config = CONFIGS[1]
    assert config.of("G") is config.of("G_ema") is config.generator
    assert config.of("D") is config.discriminator
    with pytest.raises(KeyError, match="D"):
        CONFIGS[0].of("D")


def test_configurations_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        CONFIGS[0].generator.img_resolution = 8  # type: ignore[misc]
