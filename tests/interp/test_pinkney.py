"""The rule of Pinkney's script: shares, tensors and images as it made them."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interp.decisions import decide
from interp.mix import blend
from interp.schedules import inverted, pinkney, swap
from stylegan_jax.networks.generators import generator
from tests.golden_data import assert_close, golden, load_npz
from tests.interp.leaves import assert_same_bits, weights

TABLE = json.loads(golden("blend/blend_table.json").read_text())
STATES = ("low_transfer_r16_l0_hard", "low_base_r32_l1_hard", "low_transfer_r16_l0_w1.0")


def setting(name):
    """The schedule of a golden setting, with transfer or base as its low-resolution model."""
    entry = TABLE[name]
    schedule = pinkney(entry["resolution"], level=entry["level"], width=entry["blend_width"])
    return inverted(schedule) if entry["model_1"] == "base" else schedule


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
    decided = decide([model.config for model in pair], ["base", "transfer"], [setting(name)])
    for tensor, share in TABLE[name]["share_of_model_2"].items():
        (alpha,) = decided.shares["G_ema"][tensor]
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
