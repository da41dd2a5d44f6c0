import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interp.alphas import resolve_sources
from interp.rendering import Renderer
from interp.schedules import constant
from stylegan_jax.config import GeneratorConfig
from stylegan_jax.names import generator_layout
from stylegan_jax.networks.discriminator import discriminator
from stylegan_jax.networks.generators import generator
from stylegan_jax.sampler import prepared
from tests.golden_data import load_npz, manifest_entry
from tests.golden_networks import compiled, model, nhwc
from tests.tiny_models import tiny_model

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


# Products of float32, as each program asks for them of the backend


SMALL: dict[str, Any] = {"img_resolution": 32, "channel_max": 8}


def precisions(program, *arguments):
    """Those of all products in a program, as it is handed to the backend: DEFAULT is JAX's own, short on GPUs."""
    text = program.lower(*arguments).as_text()
    products = [
        line for line in text.splitlines() if "stablehlo.convolution" in line or "stablehlo.dot_general" in line
    ]
    assert products
    return {found for line in products for found in re.findall("HIGHEST|HIGH|DEFAULT", line) or ["DEFAULT"]}


def test_the_networks_compute_float32_in_full_from_python_too():
    tiny = tiny_model(discriminator=True, architecture="resnet", **SMALL)
    config, d_config = tiny.config.generator, tiny.config.discriminator
    assert d_config
    z, img = np.zeros((1, 16), np.float32), np.zeros((1, 32, 32, 3), np.float32)
    g = jax.jit(lambda w, z: generator(config, w)(jnp.asarray(z)))
    assert precisions(g, tiny.networks["G_ema"], z) == {"HIGHEST"}
    weights = {n: a for n, a in tiny.networks["D"].items() if not n.endswith("resample_filter")}
    filters = {n: a for n, a in tiny.networks["D"].items() if n.endswith("resample_filter")}
    d = jax.jit(jax.grad(lambda w, img: discriminator(d_config, {**w, **filters})(jnp.asarray(img)).sum()))
    assert precisions(d, weights, img) == {"HIGHEST"}


@pytest.mark.parametrize("form", ["strips", "shared"])
def test_the_prepared_plan_computes_float32_in_full(form):
    tiny = tiny_model(**SMALL)
    config, weights = tiny.config.generator, tiny.networks["G_ema"]
    ws = np.zeros((2, config.num_ws, 16), np.float32)
    leaves = prepared.prepared(weights, form)
    program = jax.jit(lambda leaves, ws: prepared.synthesise("prepared", config, leaves, ws, form=form))
    assert precisions(program, leaves, ws) == {"HIGHEST"}


@pytest.mark.parametrize("plan", ["plain", "prepared"])
def test_films_and_figures_compute_float32_in_full(plan):
    models = [tiny_model(seed, **SMALL) for seed in (0, 1)]
    renderer = Renderer(models, ["a", "b"], devices=1, plan=plan)
    weights = renderer._weights([constant(0.5)], resolve_sources([constant(0.5)], None, None, None), ())
    ws = np.zeros((4, models[0].config.generator.num_ws, 16), np.float32)
    with jax.default_matmul_precision("bfloat16"):
        assert precisions(renderer.programs[1], weights, ws, np.zeros(4, np.uint32)) == {"HIGHEST"}


def test_another_precision_is_asked_for_by_name():
    tiny = tiny_model(**SMALL)
    program = jax.jit(lambda w, ws: generator(tiny.config.generator, w).synthesis(jnp.asarray(ws)))
    with jax.default_matmul_precision("tensorfloat32"):
        found = precisions(program, tiny.networks["G_ema"], np.zeros((1, 8, 16), np.float32))
    assert found == {"HIGH", "HIGHEST"}  # styles stay exact
