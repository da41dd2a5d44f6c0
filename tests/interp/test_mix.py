import dataclasses
import gc
import json
import weakref

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import convert
from interp.alphas import Kind, alpha_table, parse_kind, resolve_sources
from interp.mix import blend, blend_all, blend_up, mix_leaves, mix_trees, plan_blend
from interp.schedules import Layer, constant, inverted, layers, only, pinkney, points, smooth, swap
from stylegan_jax.config import ModelConfig
from stylegan_jax.errors import InputError
from stylegan_jax.names import is_buffer, resolution_of
from stylegan_jax.networks.generators import generator
from stylegan_jax.sampler.run import sample
from stylegan_jax.storage.checkpoint import Model
from tests.golden_data import assert_close, golden, load_npz
from tests.golden_networks import compiled
from tests.tiny_models import random_weights, tiny_model

TABLE = json.loads(golden("blend/blend_table.json").read_text())
STATES = ("low_transfer_r16_l0_hard", "low_base_r32_l1_hard", "low_transfer_r16_l0_w1.0")
POISON = np.array([-0.0, 1e-40, np.inf, -np.inf, np.nan, 0.0, 1.5, -1e-45], np.float32)


@pytest.fixture(scope="module")
def pair():
    return tuple(convert.read(golden(f"gen/s09_{name}64.pkl"), networks=["G_ema"]) for name in ("base", "transfer"))


@pytest.fixture
def base():
    return tiny_model(1)


@pytest.fixture
def transfer():
    return tiny_model(2)


def f32(values):
    return np.array(values, np.float32)


def setting(name):
    """The schedule of a golden setting, with transfer or base as its low-resolution model."""
    entry = TABLE[name]
    schedule = pinkney(entry["resolution"], level=entry["level"], width=entry["blend_width"])
    return inverted(schedule) if entry["model_1"] == "base" else schedule


def weights(model):
    return model.networks["G_ema"]


def assert_same_bits(found, expected):
    assert np.asarray(found).dtype == expected.dtype
    assert np.asarray(found).tobytes() == expected.tobytes()


def compilations():
    """How many programs the core has been compiled to."""
    return mix_trees._cache_size()  # pyright: ignore


# The leaf


@pytest.mark.parametrize("jitted", [False, True])
def test_a_share_of_0_or_1_gives_the_bits_of_its_source_whatever_the_other_holds(jitted):
    mix = jax.jit(mix_leaves) if jitted else mix_leaves
    other = POISON[::-1].copy()
    assert_same_bits(mix(POISON, [other], f32([0])), POISON)
    assert_same_bits(mix(POISON, [other], f32([1])), other)
    third = np.full_like(POISON, np.nan)
    assert_same_bits(mix(POISON, [other, third], f32([0, 0])), POISON)
    assert_same_bits(mix(POISON, [other, third], f32([1, 0])), other)


def test_a_model_with_no_share_contributes_nothing_to_a_mixture_of_others():
    bad, one, two = (np.full(3, x, np.float32) for x in (np.nan, 1, 3))
    np.testing.assert_array_equal(mix_leaves(bad, [one, two], f32([0.25, 0.75])), np.full(3, 2.5))
    np.testing.assert_array_equal(mix_leaves(one, [bad, two], f32([0, 0.5])), np.full(3, 2))


@pytest.mark.parametrize("alpha", [-0.5, 0.3, 1.5])
def test_between_and_beyond_the_ends_it_is_the_plain_formula(alpha):
    a, b = f32([1, -2, 3]), f32([5, 7, -11])
    np.testing.assert_allclose(mix_leaves(a, [b], f32([alpha])), (1 - alpha) * a + alpha * b, rtol=1e-6)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_the_gradient_is_the_plain_formulas_at_the_ends_too(alpha):
    a, b, weight = f32([1, -2]), f32([5, 7]), f32([0.5, 2])
    loss = lambda alphas, a, b: jnp.sum(mix_leaves(a, [b], alphas) * weight)  # noqa: E731
    by_alpha, by_a, by_b = jax.jit(jax.grad(loss, (0, 1, 2)))(f32([alpha]), a, b)
    np.testing.assert_allclose(by_alpha, [np.sum((b - a) * weight)], rtol=1e-6)
    np.testing.assert_allclose(by_a, (1 - alpha) * weight, rtol=1e-6)
    np.testing.assert_allclose(by_b, alpha * weight, rtol=1e-6)


def test_an_image_has_forward_mode_derivatives_in_alpha(base, transfer):
    config = base.config.generator
    rng = np.random.RandomState(0)
    ws, along = rng.standard_normal((1, config.num_ws, config.w_dim)), rng.standard_normal((1, 16, 16, 3))
    ws, along = ws.astype(np.float32), along.astype(np.float32)

    def image(alpha):
        alphas = {name: alpha[None] for name in weights(base) if not is_buffer(name)}
        mixed = {**weights(base), **mix_trees(weights(base), [weights(transfer)], alphas)}
        return generator(config, mixed).synthesis(jnp.asarray(ws))

    @compiled
    def derivatives(alpha):
        direction = jnp.ones(())
        pushed = jax.jvp(image, (alpha,), (direction,))[1]
        linear = jax.linearize(image, alpha)[1](direction)
        pulled = jax.vjp(image, alpha)[1](jnp.asarray(along))[0]
        return pushed, jax.jacfwd(image)(alpha), linear, pulled

    pushed, jacobian, linear, pulled = derivatives(f32(0.3))
    assert np.abs(pushed).max() > 0.1
    for found in (jacobian, linear):
        np.testing.assert_allclose(found, pushed, atol=1e-5 * np.abs(pushed).max())
    np.testing.assert_allclose(np.vdot(pushed, along), pulled, rtol=1e-4)
    ends = [compiled(image)(f32(0.3 + step)) for step in (0.002, -0.002)]
    error = np.linalg.norm(pushed - (ends[0] - ends[1]) / 0.004)
    assert error < 0.02 * np.linalg.norm(pushed)


# The core on trees


def test_the_core_compiles_once_for_every_alpha_schedule_and_r_swap(base, transfer):
    names = [n for n in weights(base) if resolution_of(n) and not is_buffer(n)]
    runs = []
    for schedule in (swap(4), swap(16), inverted(swap(8)), smooth(8, 0.5), constant(0.0), constant(0.3), only(16)):
        table = alpha_table(names, [schedule], resolve_sources([schedule], None, None, None))
        alphas = {name: f32(alpha) for name, alpha in table.items()}
        mix_trees({n: weights(base)[n] for n in names}, [{n: weights(transfer)[n] for n in names}], alphas)
        runs.append(compilations())
    assert len(set(runs)) == 1


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


def test_alpha_is_differentiable_through_the_generator():
    base, transfer = (tiny_model(seed, img_resolution=8) for seed in (1, 2))
    config = base.config.generator
    ws = jax.random.normal(jax.random.key(0), (1, config.num_ws, config.w_dim))
    names = [n for n in weights(base) if resolution_of(n) and not is_buffer(n)]

    @jax.jit
    def brightness(alpha):
        alphas = {name: alpha[None] for name in names}
        mixed = {**weights(base), **mix_trees(weights(base), [weights(transfer)], alphas)}
        return generator(config, mixed).synthesis(ws).mean()

    slope = jax.grad(brightness)(jnp.float32(0))
    step = (brightness(jnp.float32(1e-2)) - brightness(jnp.float32(-1e-2))) / 2e-2
    assert slope == pytest.approx(float(step), rel=0.02)


# Models


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


@pytest.mark.parametrize("name", [name for name, entry in TABLE.items() if entry["blend_width"] is None])
def test_every_hard_golden_setting_is_the_papers_swap(pair, name):
    base, transfer = pair
    entry = TABLE[name]
    schedule = swap(entry["resolution"], level=entry["level"])
    schedule = inverted(schedule) if entry["model_1"] == "base" else schedule
    theirs = weights(blend(base, transfer, setting(name)))
    for tensor, leaf in weights(blend(base, transfer, schedule)).items():
        assert leaf is theirs[tensor], tensor


@pytest.mark.parametrize("name", TABLE)
def test_pinkneys_rule_takes_the_golden_share_of_every_tensor(pair, name):
    plan = plan_blend([model.config for model in pair], ["base", "transfer"], [setting(name)])
    for tensor, share in TABLE[name]["share_of_model_2"].items():
        (alpha,) = plan.shares["G_ema"][tensor]
        assert (alpha if TABLE[name]["model_2"] == "transfer" else 1 - alpha) == pytest.approx(share, abs=1e-15)


@pytest.mark.parametrize("name", STATES)
def test_pinkneys_rule_gives_the_golden_tensors(pair, name):
    base, transfer = pair
    mixed = weights(blend(base, transfer, setting(name)))
    file = f"blend/state_{name}.npz"
    stored = load_npz(file)
    for tensor, leaf in stored.items():
        if TABLE[name]["blend_width"] is None:
            assert_same_bits(mixed[tensor], leaf)
        else:
            np.testing.assert_allclose(mixed[tensor], leaf, atol=2e-7 * np.abs(leaf).max(), err_msg=tensor)


def test_pinkneys_rule_gives_the_golden_images_in_all_settings(pair):
    base, transfer = pair
    file = "blend/blend_images.npz"
    stored, config = load_npz(file), base.config.generator

    @jax.jit
    def images(w, ws, z):
        network = generator(config, w)
        own = jnp.repeat(network.mapping(z)[:, None], config.num_ws, 1)
        return network.synthesis(jnp.concatenate([ws, own])).transpose(0, 3, 1, 2)

    for name in TABLE:
        found = images(weights(blend(base, transfer, setting(name))), stored["ws_fixed"][:1], stored["z"][1:])
        assert_close(found[:1], file, f"img_ws_{name}", stored)
        assert_close(found[1:], file, f"img_z_{name}", stored)


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


# Sources


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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"noise": "0.5"}, "--noise 0.5: not a source — use base, transfer$"),
        ({"mapping": "toon"}, "--mapping toon: not a source — use base, transfer, or a number"),
        ({"mapping": "nan"}, "--mapping nan: not a source"),
        ({"w_avg": "transfer2"}, "--w-avg transfer2: not a source"),
    ],
)
def test_an_unknown_source_says_which_there_are(base, transfer, options, message):
    with pytest.raises(InputError, match=message):
        blend(base, transfer, swap(8), **options)


# Models that differ


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


def test_what_may_not_differ_is_one_error_that_names_every_culprit(base):
    narrow = tiny_model(2, channel_max=4, activation="relu")
    with pytest.raises(InputError) as error:
        blend(base, narrow, swap(8))
    lines = str(error.value).splitlines()
    assert lines[0].startswith("tiny-2: ") and "arrays and settings differ from tiny-1" in lines[0]
    assert any("activation: lrelu vs relu" in line for line in lines)
    culprits = {name for name, leaf in weights(base).items() if weights(narrow)[name].shape != leaf.shape}
    for name in culprits:
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


# Kinds, several models, all networks


def test_kinds_fix_or_scale_alpha_by_name(base, transfer):
    kinds = [parse_kind(text) for text in ("affine=0", "torgb=x0.5", "*.b16.conv1.bias=0.25")]
    plan = plan_blend([base.config, transfer.config], ["a", "b"], [constant(1)], kinds=kinds)
    alphas = {name: alpha for name, (alpha,) in plan.shares["G_ema"].items()}
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
    with pytest.raises(InputError, match=f"--kind {text}: "):
        parse_kind(text)


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


def test_a_network_a_file_does_not_hold_is_named(base, transfer):
    with pytest.raises(InputError, match="tiny-1: holds G_ema but no G, D"):
        blend(base, transfer, swap(8), networks=("G", "D"))


def test_extrapolation_is_said(base, transfer):
    notes = blend(base, transfer, layers(1.5, *[0] * 5)).lineage["notes"]
    assert notes == ["shares reach from -0.5 to 1.5: outside [0, 1] the blend extrapolates"]


def test_lineage_names_the_parents_and_everything_that_was_decided(base, transfer):
    mixed = blend(base, transfer, smooth(8, 0.5), mapping="transfer")
    recipe = mixed.lineage["recipe"]
    assert [parent["source"] for parent in mixed.lineage["parents"]] == ["tiny-1", "tiny-2"]
    assert recipe["models"][1] == {"path": "tiny-2", "schedule": "smooth=8:width=0.5"}
    assert (recipe["mapping"], recipe["noise"], recipe["w_avg"]) == ("transfer",) * 3
    again = blend(mixed, base, swap(4))
    assert again.lineage["parents"][0]["recipe"] == recipe and json.dumps(again.lineage)
