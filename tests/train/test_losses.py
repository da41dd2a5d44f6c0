"""Losses, gradients and whole iterations against the official program, in float64 and float32."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh

from stylegan_jax import names
from stylegan_jax.config import DiscriminatorConfig, GeneratorConfig
from stylegan_jax.networks.discriminator import Discriminator, discriminator
from stylegan_jax.networks.generators import generator
from stylegan_jax.networks.layers import initial_weights
from stylegan_jax.train import losses
from stylegan_jax.train.config import TrainConfig
from stylegan_jax.train.losses import Inputs, Setting
from stylegan_jax.train.phases import Phases
from stylegan_jax.train.state import average, start, trained
from tests.golden_data import load_npz, manifest_entry, tolerance

CASES = {
    "t1_skip16": (
        GeneratorConfig(img_resolution=16, z_dim=16, w_dim=16, mapping_layers=2, channel_base=128, channel_max=8),
        DiscriminatorConfig(img_resolution=16, channel_base=128, channel_max=8, mbstd_group_size=4),
    ),
    "t2_cond32": (
        GeneratorConfig(
            img_resolution=32, z_dim=16, w_dim=12, c_dim=5, mapping_layers=2, channel_base=256, channel_max=8
        ),
        DiscriminatorConfig(img_resolution=32, c_dim=5, channel_base=256, channel_max=8, mbstd_group_size=2),
    ),
}
SETTING = Setting(mean=jnp.mean)
EACH = ["t1_skip16", pytest.param("t2_cond32", marks=pytest.mark.slow)]  # double gradients take long to compile
GAINS = {"Gmain": 1, "Greg": 4, "Dmain": 1, "Dreg": 16}


def nhwc(images):
    return jnp.asarray(np.moveaxis(images, 1, -1), jnp.float32)


def weights(stored, network):
    prefix = f"{network}0."
    return {k.removeprefix(prefix): jnp.asarray(v) for k, v in stored.items() if k.startswith(prefix)}


def run_phase(case, phase, stored):
    """(gradients, stats) of one phase from the stored start."""
    g_config, d_config = CASES[case]
    G, D = weights(stored, "G"), weights(stored, "D")
    inputs = Inputs(z=jnp.asarray(stored["in_z"]), c=jnp.asarray(stored["in_c"]))
    real, c = nhwc(stored["in_real_img"]), inputs.c

    def loss(moving):
        g = generator(g_config, {**G, **moving} if phase[0] == "G" else G)
        d = discriminator(d_config, {**D, **moving} if phase[0] == "D" else D)
        if phase == "Gmain":
            found = losses.g_main(g, d, inputs, setting=SETTING)
        elif phase == "Greg":
            half = Inputs(z=inputs.z[:2], c=inputs.c[:2], pl_noise=nhwc(stored["in_pl_noise"]))
            found = losses.g_reg(g, half, jnp.float32(0.3), weight=2, decay=0.01, setting=SETTING)
        elif phase == "Dmain":
            found = losses.d_main(g, d, inputs, real, c, setting=SETTING)
        else:
            found = losses.d_reg(d, real, c, None, gamma=10, setting=SETTING)
        return found[0] * GAINS[phase], found[1]

    moving = trained(G if phase[0] == "G" else D, frozenset())
    return jax.jit(jax.grad(loss, has_aux=True))(moving)


@functools.cache
def phase_of(case, phase):
    stored = load_npz(f"train/{case}.losses.npz")
    return stored, *run_phase(case, phase, stored)


@pytest.mark.parametrize("phase", GAINS)
@pytest.mark.parametrize("case", EACH)
def test_gradients_of_each_phase_equal_the_official_ones_in_float64(case, phase):
    stored, gradients, _ = phase_of(case, phase)
    expected = {k.split("grad64.")[1]: v for k, v in stored.items() if k.startswith(f"{phase}.grad64.")}
    assert set(expected) <= set(gradients)
    for name, gradient in gradients.items():
        want = expected.get(name, np.zeros(gradient.shape))  # what the phase does not reach has gradient 0
        error = np.max(np.abs(np.asarray(gradient, np.float64) - want))
        allowed = tolerance(f"train/{case}.losses.npz", f"{phase}.grad64.{name}", want)
        assert error <= allowed, f"{name}: {error:.3g} > {allowed:.3g}"


@pytest.mark.parametrize("phase", GAINS)
@pytest.mark.parametrize("case", EACH)
def test_reported_losses_equal_the_official_ones(case, phase):
    stored, _, stats = phase_of(case, phase)
    for name, value in stats.means.items():
        key = f"{phase}.64.Loss_{name.replace('/', '_')}.0"
        assert float(value) == pytest.approx(stored[key].mean(), rel=1e-5, abs=1e-7), name


@pytest.mark.parametrize("case", EACH)
def test_path_length_mean_moves_as_in_the_official_program(case):
    stored, _, stats = phase_of(case, "Greg")
    assert float(stats.pl_mean) == pytest.approx(float(stored["Greg.64.pl_mean_after"]), rel=1e-6)


def train_config(case):
    g_config, d_config = CASES[case]
    return TrainConfig(
        generator=g_config, discriminator=d_config, batch=4, g_lr=0.0025, d_lr=0.0025, r1_gamma=10, augment="none"
    )


def two_iterations(case):
    """The official two iterations by our compiled phases; yields (iteration, state)."""
    begun, stored = load_npz(f"train/{case}.losses.npz"), load_npz(f"train/{case}.iters.npz")
    config = train_config(case)
    phases = Phases(config, Mesh(np.array(jax.devices()[:1]), ("batch",)))
    G = weights(begun, "G")
    G_ema = {k: v if names.is_buffer(k) else 0.5 * v for k, v in G.items()}
    state = start(config, G, weights(begun, "D"), G_ema)
    c = jnp.asarray(stored["c"])
    for t in range(2):
        inputs = lambda phase, t=t: Inputs(z=jnp.asarray(stored["in_z"][t, list(GAINS).index(phase)]), c=c)  # noqa: E731
        real = nhwc(stored["in_real"][t])
        state, _ = phases.g_main(state, inputs("Gmain"))
        if t == 0:
            z = inputs("Greg").z[:2]
            state, _ = phases.g_reg(state, Inputs(z=z, c=c[:2], pl_noise=nhwc(stored["pl_noise"])))
        state, _ = phases.d_main(state, inputs("Dmain"), real, c)
        if t == 0:
            state, _ = phases.d_reg(state, None, real, c)
        state = state._replace(G_ema=jax.jit(average)(state.G, state.G_ema, jnp.float32(stored[f"it{t}.ema_beta"])))
        yield t, state, stored


@pytest.mark.slow
@pytest.mark.parametrize("case", EACH)
def test_two_whole_iterations_equal_the_official_ones(case):
    entry = f"train/{case}.iters.npz"
    noise = manifest_entry(entry)["fp32_noise"]
    for t, state, stored in two_iterations(case):
        assert float(state.pl_mean) == pytest.approx(float(stored[f"it{t}.pl_mean"]), rel=1e-5)
        for network, leaves in (("G", state.G), ("D", state.D), ("Gema", state.G_ema)):
            allowed = max(10 * noise[f"it{t}.{network}.max_abs"], 1e-6)
            for key in (k for k in stored if k.startswith(f"it{t}.{network}.")):
                error = np.max(np.abs(np.asarray(leaves[key.split(".", 2)[2]]) - stored[key]))
                assert error <= allowed, f"{key}: {error:.3g} > {allowed:.3g}"


@pytest.mark.parametrize("group", [1, 2, 4, 8, None])
def test_chunks_of_a_batch_are_scored_as_if_each_were_alone(group):
    config = DiscriminatorConfig(img_resolution=8, channel_base=64, channel_max=8, mbstd_group_size=group)
    scorer = TrainConfig(generator=CASES["t1_skip16"][0], discriminator=config, batch=12, mbstd_chunks=3).scorer
    d = discriminator(scorer, initial_weights(Discriminator, config, jax.random.key(0)))
    images = jax.random.normal(jax.random.key(1), (12, 8, 8, 3))
    none = jnp.zeros((12, 0))
    together = jax.jit(lambda x: losses.in_chunks(d, x, none, size=4, dtype=jnp.float32))(images)
    alone = np.concatenate([jax.jit(d)(images[i : i + 4]) for i in range(0, 12, 4)])
    np.testing.assert_allclose(together, alone, atol=1e-5)
