"""A fine-tune that trains its blend: the lower layers learn for the upper ones of the model it began from."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stylegan_jax import names
from stylegan_jax.errors import InputError
from stylegan_jax.train import losses
from stylegan_jax.train.config import TrainConfig
from stylegan_jax.train.loop import mesh_of
from stylegan_jax.train.phases import Phases
from stylegan_jax.train.saved import Checkpoints
from stylegan_jax.train.state import initial_state, start, upper_layers
from tests.train.test_train import CONFIG, NO_LABELS

ALWAYS = dataclasses.replace(CONFIG, blend_share=1.0, blend_swap=(4,), pl_weight=0.0, seed=5)


@pytest.fixture(scope="module")
def partner():
    return initial_state(dataclasses.replace(CONFIG, seed=77)).G


@pytest.fixture(scope="module")
def phases():
    return Phases(ALWAYS, mesh_of(ALWAYS, 2))


def upper(name):
    return (names.resolution_of(name) or 0) > 4


def begun(phases, partner):
    fresh = initial_state(phases.config)
    return jax.device_put(start(phases.config, fresh.G, fresh.D, fresh.G_ema, partner), phases.replicated)


def test_the_loss_is_that_of_the_blend(phases, partner):
    state = begun(phases, partner)
    inputs = phases.draw(3, "Gmain", NO_LABELS)
    assert (inputs.r_swap == 4).all()
    mixed = {
        name: partner[name] if upper(name) and not names.is_buffer(name) else leaf for name, leaf in state.G.items()
    }
    setting = losses.Setting(losses.no_augment, phases.config.chunk, jnp.mean, jnp.dtype("float32"))
    plain = inputs._replace(r_swap=None)
    expected, _ = jax.jit(lambda: losses.g_main(phases._G(mixed), phases._D(state.D), plain, setting=setting))()
    _, found = phases.g_main(state, inputs)
    assert float(found["G/loss"]) == pytest.approx(float(expected), rel=1e-5)


def test_the_lower_layers_learn_and_the_upper_ones_do_not(phases, partner):
    before = {name: np.array(leaf) for name, leaf in begun(phases, partner).G.items()}
    state, _ = phases.g_main(begun(phases, partner), phases.draw(0, "Gmain", NO_LABELS))
    moved = {name for name, leaf in state.G.items() if (np.array(leaf) != before[name]).any()}
    assert not [name for name in moved if upper(name)]
    assert {"synthesis.b4.conv1.weight", "synthesis.b4.const"} <= moved


def test_about_that_share_of_the_iterations_trains_the_blend():
    config = dataclasses.replace(ALWAYS, blend_share=0.3)
    draw = Phases(config, mesh_of(config, 1)).draw
    blended = [int(draw(i, "Dmain", NO_LABELS).r_swap[0]) == 4 for i in range(200)]
    assert 0.2 < np.mean(blended) < 0.4


def test_of_several_hand_overs_each_has_its_turn():
    generator = dataclasses.replace(CONFIG.generator, img_resolution=16)
    discriminator = dataclasses.replace(CONFIG.discriminator, img_resolution=16)
    config = dataclasses.replace(
        ALWAYS, generator=generator, discriminator=discriminator, blend_share=0.6, blend_swap=(4, 8)
    )
    draw = Phases(config, mesh_of(config, 1)).draw
    swaps = [int(draw(i, "Gmain", NO_LABELS).r_swap[0]) for i in range(200)]
    assert {swap: round(swaps.count(swap) / 200, 1) for swap in (4, 8, 16)} == {4: 0.3, 8: 0.3, 16: 0.4}
    assert min(names.resolution_of(name) or 0 for name in upper_layers(config)) == 8


def test_without_a_share_nothing_is_drawn_and_nothing_is_said():
    assert Phases(CONFIG, mesh_of(CONFIG, 1)).draw(0, "Gmain", NO_LABELS).r_swap is None
    data = CONFIG.to_json()
    assert "blend_share" not in data and "blend_swap" not in data
    assert TrainConfig.from_json(data) == CONFIG
    assert TrainConfig.from_json(ALWAYS.to_json()) == ALWAYS


def test_a_checkpoint_holds_the_partner_and_none_where_there_is_none(partner, tmp_path):
    for config in (ALWAYS, CONFIG):
        fresh = initial_state(config)
        state = start(config, fresh.G, fresh.D, fresh.G_ema, partner)
        checkpoints = Checkpoints(tmp_path / f"{config.blend_share}", 2)
        checkpoints.save(state)
        checkpoints.wait()
        again = checkpoints.load(jax.eval_shape(lambda config=config: initial_state(config)))
        assert again is not None
        assert set(again.partner) == {
            name for name in partner if upper(name) and config.blend_share and not names.is_buffer(name)
        }
        for name, leaf in again.partner.items():
            np.testing.assert_array_equal(leaf, partner[name])


def test_what_cannot_be_blended_is_refused():
    with pytest.raises(InputError, match="blend_swap 8: no layers of this model are above — use --blend-swap 4"):
        dataclasses.replace(ALWAYS, blend_swap=(8,))
    with pytest.raises(InputError, match=r"blend_share 1\.5 is no share — use --blend-share 0\.3"):
        dataclasses.replace(ALWAYS, blend_share=1.5)
