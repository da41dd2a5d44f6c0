"""Blends of models: which tensors come from where, and what is said of it."""

import gc
import json
import weakref

import jax
import numpy as np
import pytest

from interp.arithmetic import mix_leaves
from interp.mix import blend, blend_all, blend_up
from interp.schedules import Layer, constant, inverted, only, pinkney, points, smooth, swap
from stylegan_jax.names import is_buffer, resolution_of
from stylegan_jax.networks.generators import generator
from tests.interp.leaves import POISON, assert_same_bits, weights
from tests.tiny_models import tiny_model


def test_soft_blends_of_models_meet_no_new_program_whatever_the_schedule(base, transfer):
    blend(base, transfer, constant(0.3))
    before = mix_leaves._cache_size()  # pyright: ignore
    for schedule in (points({4: 1, 8: 0.5, 16: 0}), smooth(16, 2), inverted(smooth(4, 0.1)), swap(8), only(4)):
        blend(base, transfer, schedule)
    assert mix_leaves._cache_size() == before  # pyright: ignore


def test_blending_models_up_gives_the_same_blend_lets_them_go_and_changes_none(base, transfer):
    expected = weights(blend(base, transfer, smooth(8, 1)))
    models, names = [base, transfer], [set(weights(model)) for model in (base, transfer)]
    consumed = weights(blend_up(models, [smooth(8, 1)], labels=["base", "transfer"]))
    for name, leaf in expected.items():
        assert_same_bits(consumed[name], leaf)
    assert not models and [set(weights(model)) for model in (base, transfer)] == names


def test_arrays_of_models_that_nobody_else_holds_go_as_they_are_used():
    models = [tiny_model(1), tiny_model(2)]
    name = "synthesis.b16.conv0.weight"
    watched = [weakref.ref(weights(model)[name]) for model in models]
    mixed = blend_up(models, [smooth(8, 1)], labels=["base", "transfer"])
    gc.collect()
    assert name in weights(mixed) and [each() for each in watched] == [None, None]


def test_a_blend_keeps_the_discriminator_of_its_base_unless_it_is_blended_too():
    base, transfer = tiny_model(1, discriminator=True), tiny_model(5, discriminator=True)
    kept = blend(base, transfer, swap(8))
    assert list(kept.networks) == ["G_ema", "D"] and kept.config.discriminator == base.config.discriminator
    for name, leaf in base.networks["D"].items():
        assert_same_bits(kept.networks["D"][name], leaf)
    mixed = blend(base, transfer, constant(1), networks=("D", "G_ema"))
    assert_same_bits(mixed.networks["D"]["b16.conv0.weight"], transfer.networks["D"]["b16.conv0.weight"])
    assert list(blend(tiny_model(1), transfer, swap(8)).networks) == ["G_ema"]


def test_a_discriminator_of_other_classes_than_the_blend_is_not_kept():
    base, transfer = tiny_model(1, discriminator=True), tiny_model(2, c_dim=3)
    assert list(blend(base, transfer, swap(8), mapping="transfer").networks) == ["G_ema"]


def test_swap_takes_coarse_layers_from_transfer_and_fine_ones_from_base_bit_for_bit(pair):
    base, transfer = pair
    mixed = weights(blend(base, transfer, swap(16)))
    for name, leaf in mixed.items():
        low = (resolution_of(name) or 4) <= 16 or name.endswith("noise_const")
        assert_same_bits(leaf, weights(transfer if low else base)[name])


def test_hard_blends_are_the_sources_own_arrays_untouched(base, transfer):
    weights(transfer)["synthesis.b8.conv0.bias"][:] = POISON
    weights(base)["synthesis.b16.conv0.bias"][:] = POISON
    mixed = weights(blend(base, transfer, swap(8)))
    assert mixed["synthesis.b8.conv0.bias"] is weights(transfer)["synthesis.b8.conv0.bias"]
    assert mixed["synthesis.b16.conv0.bias"] is weights(base)["synthesis.b16.conv0.bias"]


@pytest.mark.parametrize(("alpha", "whole"), [(0, 0), (1, 1)])
def test_alpha_0_is_the_base_and_alpha_1_the_transfer_bit_for_bit(base, transfer, alpha, whole):
    mixed = weights(blend(base, transfer, constant(alpha)))
    for name, leaf in weights((base, transfer)[whole]).items():
        assert_same_bits(mixed[name], leaf)


@pytest.mark.parametrize("r_swap", [4, 8])
def test_handing_features_over_equals_swapping_weights_when_w_is_shared(base, transfer, r_swap):
    config = base.config.generator
    ws = jax.random.normal(jax.random.key(0), (2, config.num_ws, config.w_dim))

    @jax.jit
    def both(base, transfer, mixed, ws):
        x = img = None
        for resolution in config.resolutions:
            source = transfer if resolution <= r_swap else base
            block = getattr(generator(config, source).synthesis, f"b{resolution}")
            x, img = block(x, img, ws, noise="none")
        return img, generator(config, mixed).synthesis(ws, noise="none")

    mixed = weights(blend(base, transfer, swap(r_swap)))
    handed_over, swapped = both(weights(base), weights(transfer), mixed, ws)
    np.testing.assert_allclose(swapped, handed_over, atol=1e-5)


def test_mapping_w_avg_and_noise_follow_the_largest_share_at_4(base, transfer):
    for schedule, expected in [(swap(4), "transfer"), (inverted(swap(4)), "base"), (constant(0.5), "base")]:
        recipe = blend(base, transfer, schedule).lineage["recipe"]
        assert (recipe["mapping"], recipe["noise"], recipe["w_avg"]) == (expected,) * 3


def test_pinkneys_rule_takes_sources_from_its_low_resolution_model_even_where_const_is_a_tie(base, transfer):
    tie = pinkney(4, width=1)
    assert tie(Layer(4, "const")) == 0.5
    assert blend(base, transfer, tie).lineage["recipe"]["mapping"] == "transfer"
    assert blend(base, transfer, inverted(tie)).lineage["recipe"]["mapping"] == "base"


def test_sources_are_as_told_and_w_avg_follows_the_mapping(base, transfer):
    mixed = weights(blend(base, transfer, swap(8), mapping="base", noise="transfer"))
    for name in ("mapping.fc0.weight", "mapping.w_avg"):
        assert mixed[name] is weights(base)[name]
    assert mixed["synthesis.b16.conv0.noise_const"] is weights(transfer)["synthesis.b16.conv0.noise_const"]
    other = weights(blend(base, transfer, swap(8), mapping="base", w_avg="transfer"))
    assert other["mapping.w_avg"] is weights(transfer)["mapping.w_avg"]


def test_a_mapping_share_mixes_the_mapping_but_never_the_noise(base, transfer):
    mixed = weights(blend(base, transfer, swap(8), mapping=0.25))
    name = "mapping.fc1.weight"
    np.testing.assert_allclose(mixed[name], 0.75 * weights(base)[name] + 0.25 * weights(transfer)[name], rtol=1e-5)
    for name in weights(base):
        if name.endswith("noise_const"):
            assert any(mixed[name] is weights(model)[name] for model in (base, transfer))


def test_three_models_add_their_shares_and_a_whole_one_is_exact(base, transfer):
    third = tiny_model(3)
    mixed = weights(blend_all(base, [(transfer, only(4)), (third, only(16))]))
    for name, leaf in mixed.items():
        resolution = resolution_of(name)
        source = {4: transfer, 16: third, 8: base, None: transfer}[resolution]
        assert leaf is weights(transfer if is_buffer(name) else source)[name]
    name = "synthesis.b8.conv0.weight"
    arithmetic = weights(blend_all(base, [(transfer, constant(-0.5)), (third, constant(1.25))]))[name]
    expected = 0.25 * weights(base)[name] - 0.5 * weights(transfer)[name] + 1.25 * weights(third)[name]
    np.testing.assert_allclose(arithmetic, expected, atol=1e-6)


def test_two_transfer_models_in_one_call_equal_two_blends_in_a_row_where_they_do_not_overlap(base, transfer):
    third = tiny_model(3)
    at_once = weights(blend_all(base, [(transfer, swap(8)), (third, only(16))]))
    in_a_row = weights(blend(blend(base, transfer, swap(8)), third, only(16), mapping="base", noise="base"))
    for name, leaf in at_once.items():
        assert_same_bits(in_a_row[name], leaf)


def test_all_networks_blend_so_that_training_can_go_on():
    base, transfer = tiny_model(1, discriminator=True), tiny_model(5, discriminator=True)
    mixed = blend(base, transfer, swap(8), networks=("G", "D", "G_ema"))
    assert mixed.config == base.config
    for name, leaf in mixed.networks["D"].items():
        source = transfer if (resolution_of(name) or 4) <= 8 else base
        assert leaf is (transfer if is_buffer(name) else source).networks["D"][name]
    assert mixed.networks["G"]["synthesis.b4.const"] is transfer.networks["G"]["synthesis.b4.const"]


def test_level_1_hands_the_discriminators_resampling_convolution_along():
    base, transfer = tiny_model(1, discriminator=True), tiny_model(5, discriminator=True)
    mixed = blend(base, transfer, swap(8, level=1), networks=("D",))
    assert mixed.networks["D"]["b16.conv1.weight"] is transfer.networks["D"]["b16.conv1.weight"]
    assert mixed.networks["D"]["b16.conv0.weight"] is base.networks["D"]["b16.conv0.weight"]


def test_lineage_names_the_parents_and_everything_that_was_decided(base, transfer):
    mixed = blend(base, transfer, smooth(8, 0.5), mapping="transfer")
    recipe = mixed.lineage["recipe"]
    assert [parent["source"] for parent in mixed.lineage["parents"]] == ["tiny-1", "tiny-2"]
    assert recipe["models"][1] == {"path": "tiny-2", "schedule": "smooth=8:width=0.5"}
    assert (recipe["mapping"], recipe["noise"], recipe["w_avg"]) == ("transfer",) * 3
    again = blend(mixed, base, swap(4))
    assert again.lineage["parents"][0]["recipe"] == recipe and json.dumps(again.lineage)
