import zlib

import numpy as np
import pytest

from stylegan_jax.config import GeneratorConfig
from stylegan_jax.filters import setup_filter
from stylegan_jax.names import generator_layout
from stylegan_jax.networks.generators import generator
from stylegan_jax.sampler import latents
from tests.golden_data import assert_close, load_npz
from tests.golden_networks import compiled, nchw

FILE = "big/full_size.npz"
SEED = 24680
FULL_SIZE = {"paper256": (256, 16384), "stylegan2_1024": (1024, 32768)}


def full_size_config(name):
    """config-e at 256, config-f at 1024."""
    resolution, channel_base = FULL_SIZE[name]
    return GeneratorConfig(img_resolution=resolution, channel_base=channel_base, num_fp16_res=4, conv_clamp=256)


def weight_of_recipe(name, shape):
    """The tensor that the manifest's recipe makes for a name."""
    parent, last = name.split(".")[-2:]
    if last == "resample_filter":
        return setup_filter((1, 3, 3, 1))
    r = np.random.Generator(np.random.PCG64([SEED, zlib.crc32(name.encode())])).standard_normal(shape, np.float32)
    if parent.startswith("fc"):
        return r / np.float32(0.01) * np.float32(0.15 if last == "bias" else 1)
    if f"{parent}.{last}" == "affine.bias":
        return 1 + np.float32(0.3) * r
    if last == "noise_strength":
        return np.asarray(np.float32(0.1) + np.float32(0.05) * r)
    scales = {"w_avg": 0.4, "bias": 0.2, "weight": 0.3 if parent == "torgb" else 1}
    return np.float32(scales.get(last, 1)) * r


@pytest.fixture(scope="module", params=FULL_SIZE)
def outputs(request):
    """Name and stored arrays of a full-size generator; its truncated w, and features and image of every block."""
    config = full_size_config(request.param)
    weights = {name: weight_of_recipe(name, shape) for name, shape in generator_layout(config).items()}

    def run(weights, z):
        g = generator(config, weights)
        ws = latents.truncate(latents.broadcast(g.mapping(z), config.num_ws), weights["mapping.w_avg"], 0.7)
        return ws[0, 0], {resolution: (x, img) for resolution, x, img in g.synthesis.steps(ws)}

    w, blocks = compiled(run)(weights, latents.z_from_seeds([1], 512))
    return request.param, load_npz(FILE), w, {r: [nchw(part) for part in block] for r, block in blocks.items()}


def check(outputs, key, actual):
    name, stored, *_ = outputs
    assert_close(actual, FILE, f"{name}.{key}", stored)


def test_the_w_of_a_full_size_mapping_equals_the_official_one(outputs):
    check(outputs, "w", outputs[2])


def test_every_block_of_a_full_size_generator_equals_the_official_one(outputs):
    for resolution, block in outputs[3].items():
        for kind, array in zip(("x", "img"), block, strict=True):
            flat = array.ravel()
            check(outputs, f"b{resolution}.{kind}_probe", flat[:: max(flat.size // 64, 1)][:64])
            statistics = [flat.mean(dtype=float), flat.std(ddof=1, dtype=float), np.abs(flat).max()]
            check(outputs, f"stat_b{resolution}.{kind}", statistics)


def test_the_image_of_a_full_size_generator_equals_the_official_one(outputs):
    *_, blocks = outputs
    resolution = max(blocks)
    img, half = blocks[resolution][1], resolution // 2
    check(outputs, "img_strided", img[..., :: resolution // 128, :: resolution // 128])
    check(outputs, "img_crop48", img[..., half - 24 : half + 24, half - 24 : half + 24])
    check(outputs, "img_corner16", img[..., :16, :16])


def test_every_stored_output_belongs_to_a_test(outputs):
    name, stored, _, blocks = outputs
    tested = {f"{name}.{key}" for key in ("w", "img_strided", "img_crop48", "img_corner16")}
    tested |= {
        f"{name}.{key}" for r in blocks for part in ("x", "img") for key in (f"stat_b{r}.{part}", f"b{r}.{part}_probe")
    }
    assert {key for key in stored if key.startswith(f"{name}.")} == tested
