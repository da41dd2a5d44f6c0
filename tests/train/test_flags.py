"""The flags of `train` are the fields of its configurations, each with a meaning."""

import dataclasses

import pytest

from stylegan_jax.config import GeneratorConfig
from stylegan_jax.train.config import TrainConfig
from stylegan_jax.train.flags import Changes, meanings
from stylegan_jax.train.official import NETWORK_FIELDS, official
from stylegan_jax.train.request import Freeze, Records, Request

FIELDS = {field.name for field in dataclasses.fields(TrainConfig)} - {"generator", "discriminator", "frozen"}


def test_every_field_of_the_configuration_is_a_flag():
    assert {field.name for field in dataclasses.fields(Changes)} == {*FIELDS, *NETWORK_FIELDS, "lr"}


@pytest.mark.parametrize("asked", [TrainConfig, Request, Freeze, Records])
def test_every_flag_says_what_it_means(asked):
    groups = {"generator", "discriminator", "configuration", "freeze", "records"}
    names = {field.name for field in dataclasses.fields(asked)}
    assert all(meanings(asked).get(name) for name in (names if asked is Freeze else names - groups))


def test_meanings_stand_in_the_base_s_source_too():
    assert meanings(GeneratorConfig)["channel_max"] == "Most feature maps of a layer."


def test_what_is_not_given_is_as_the_official_configuration_says():
    assert Changes().given() == {"mirror": False}
    plain = official("paper256", resolution=256)
    assert official("paper256", Changes().given(), resolution=256) == plain


def test_one_learning_rate_stands_for_both_and_yields_to_that_of_one_network():
    assert Changes(lr=0.1, d_lr=0.2).given() == {"mirror": False, "g_lr": 0.1, "d_lr": 0.2}


def test_zero_stands_for_none_where_none_is_a_value_and_zero_makes_no_sense():
    given = Changes(ema_rampup=0.0, conv_clamp=0.0, w_avg_beta=0.0, pl_weight=0.0).given()
    assert given == {"mirror": False, "ema_rampup": None, "conv_clamp": None, "w_avg_beta": 0.0, "pl_weight": 0.0}
