import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stylegan_jax.config import GeneratorConfig
from stylegan_jax.discriminator import discriminator
from stylegan_jax.generator import generator
from stylegan_jax.names import generator_layout
from tests.golden_data import load_npz, manifest_entry
from tests.networks import compiled, model, nhwc

MODELS = ("s02_auto64", "s09_base64", "s14_nhwc64")
"""The golden models with stored float16 outputs."""


class Run:
    """Images and logits of one golden model in a 16-bit dtype, beside the stored ones in float32."""

    def __init__(self, name, dtype):
        self.gen_file, self.disc_file = f"gen/{name}.gold.npz", f"disc/{name}.gold.npz"
        gen, disc, golden = load_npz(self.gen_file), load_npz(self.disc_file), model(name)
        self.exact_images, self.exact_logits = nhwc(gen["img_const"]), disc["logits_n4"]
        config, networks = golden.config, golden.networks
        assert config.discriminator
        d_config = config.discriminator
        synthesise = compiled(lambda w, ws: generator(config.generator, w).synthesis(ws, dtype=dtype))
        score = compiled(lambda w, img: discriminator(d_config, w)(img, dtype=dtype))
        self.images = synthesise(networks["G_ema"], gen["ws_psi1"][: len(gen["img_const"])])
        self.logits = score(networks["D"], nhwc(disc["img"][:4].astype(np.float32)))


@pytest.fixture(scope="module", params=MODELS)
def in_float16(request):
    return Run(request.param, jnp.float16)


def listed_difference(file, key):
    """The measured difference of the official float16 run from its float32 run."""
    return manifest_entry(file)["fp32_noise"][f"{key}_fp16_vs_fp32"]["max_abs"]


def test_float16_images_are_within_twice_the_official_difference(in_float16):
    error = np.abs(in_float16.images - in_float16.exact_images).max()
    assert 0 < error <= 2 * listed_difference(in_float16.gen_file, "img_const")


def test_float16_logits_are_within_twice_the_official_difference(in_float16):
    error = np.abs(in_float16.logits - in_float16.exact_logits).max()
    assert 0 < error <= 2 * listed_difference(in_float16.disc_file, "logits_n4")


def test_bfloat16_images_and_logits_stay_close_and_come_as_float32():
    run = Run("s09_base64", jnp.bfloat16)
    assert run.images.dtype == run.logits.dtype == jnp.float32
    assert 10 * np.log10(4 / np.mean(np.square(run.images - run.exact_images))) > 45  # PSNR in decibels, span [-1, 1]
    assert np.abs(run.logits - run.exact_logits).max() < 0.01


@pytest.mark.parametrize("architecture", ["skip", "resnet"])
def test_only_the_named_blocks_compute_in_16_bits(architecture):
    config = GeneratorConfig(img_resolution=64, num_fp16_res=2, channel_max=8, architecture=architecture)
    weights = {name: jax.ShapeDtypeStruct(shape, jnp.float32) for name, shape in generator_layout(config).items()}
    ws = jax.ShapeDtypeStruct((1, config.num_ws, config.w_dim), jnp.float32)

    def blocks(weights, ws):
        return [(x, img) for _, x, img in generator(config, weights).synthesis.steps(ws, dtype=jnp.bfloat16)]

    traced = jax.eval_shape(blocks, weights, ws)
    assert [x.dtype.name for x, _ in traced] == ["float32"] * 3 + ["bfloat16"] * 2
    assert {img.dtype.name for _, img in traced if img is not None} == {"float32"}
