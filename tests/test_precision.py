import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stylegan_jax.config import GeneratorConfig
from stylegan_jax.discriminator import discriminator
from stylegan_jax.generator import generator
from stylegan_jax.names import generator_layout
from tests.golden_data import load_npz, manifest_entry
from tests.networks import compiled, model, nchw, nhwc

MODELS = ("s02_auto64", "s09_base64", "s14_nhwc64")
"""The golden models with stored float16 outputs."""


class Run:
    """Images and logits of one golden model in float32, float16 and bfloat16."""

    def __init__(self, name):
        self.model = model(name)
        self.gen_file, self.disc_file = f"gen/{name}.gold.npz", f"disc/{name}.gold.npz"
        self.gen, self.disc = load_npz(self.gen_file), load_npz(self.disc_file)
        networks, ws = self.model.networks, self.gen["ws_psi1"][: len(self.gen["img_const_fp16"])]
        img = nhwc(self.disc["img"][:4].astype(np.float32))
        dtypes = (jnp.float16, jnp.bfloat16)
        self.images = dict(zip(dtypes, compiled(self._images)(networks["G_ema"], ws), strict=True))
        self.logits = dict(zip(dtypes, compiled(self._logits)(networks["D"], img), strict=True))

    def _images(self, weights, ws):
        synthesis = generator(self.model.config.generator, weights).synthesis
        return [synthesis(ws, dtype=dtype) for dtype in (jnp.float16, jnp.bfloat16)]

    def _logits(self, weights, img):
        assert self.model.config.discriminator
        score = discriminator(self.model.config.discriminator, weights)
        return [score(img, dtype=dtype) for dtype in (jnp.float16, jnp.bfloat16)]


@pytest.fixture(scope="module", params=MODELS)
def run(request):
    return Run(request.param)


def listed_difference(file, key):
    """The measured difference of the official float16 run from its float32 run."""
    return manifest_entry(file)["fp32_noise"][f"{key}_fp16_vs_fp32"]["max_abs"]


def test_float16_images_are_within_twice_the_official_difference(run):
    error = np.abs(nchw(run.images[jnp.float16]) - run.gen["img_const"]).max()
    assert 0 < error <= 2 * listed_difference(run.gen_file, "img_const")


def test_float16_logits_are_within_twice_the_official_difference(run):
    error = np.abs(run.logits[jnp.float16] - run.disc["logits_n4"]).max()
    assert 0 < error <= 2 * listed_difference(run.disc_file, "logits_n4")


def test_bfloat16_images_look_the_same(run):
    error = nchw(run.images[jnp.bfloat16]) - run.gen["img_const"]
    assert 10 * np.log10(4 / np.mean(np.square(error))) > 40  # PSNR in decibels; images span [-1, 1]
    assert np.abs(run.logits[jnp.bfloat16] - run.disc["logits_n4"]).max() < 0.01


def test_results_are_float32_whatever_the_blocks_compute_in(run):
    for results in (run.images, run.logits):
        assert {value.dtype for value in results.values()} == {np.dtype(np.float32)}


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
