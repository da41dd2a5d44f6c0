import functools
import itertools
import re

import jax.numpy as jnp
import numpy as np
import pytest

from stylegan_jax import latents
from stylegan_jax.generator import generator
from stylegan_jax.images import to_uint8
from tests.golden_data import assert_close, load_npz
from tests.networks import PAIRED, compiled, model, nchw, recorded

LAYERED = ("s01_skip32", "s05_resnet64")
"""The golden models of which every layer's output is stored."""


class Run:
    """One golden generator and everything it makes of the stored inputs, in one compiled program."""

    def __init__(self, name):
        self.file, self.layers_file = f"gen/{name}.gold.npz", f"gen/{name}.layers.npz"
        self.model, self.stored = model(name), load_npz(self.file)
        self.config, self.with_layers = self.model.config.generator, name in LAYERED
        self.n = len(self.stored["z"])
        self.few = min(self.n, 2)
        self.program = compiled(self._program)
        self.w, self.const, self.given, self.seen = self._of("G_ema", self.stored["ws_psi1"])

    def _of(self, network, ws):
        """What one network makes of z, of all stored ws after the given ones, and of given noise."""
        ws = np.concatenate([ws, *(self.stored[key][:2] for key in ("ws_psi07", "ws_mixed") if key in self.stored)])
        drawn = {key[7:]: image[:, 0] for key, image in self.stored.items() if key.startswith("rnoise_")}
        noise = {layer: np.concatenate([0 * images, images]) for layer, images in drawn.items()}
        return self.program(self.model.networks[network], self.stored["z"], self.stored["c"], ws, noise)

    def _program(self, weights, z, c, ws, noise):
        g = generator(self.config, weights)
        with recorded(g) as seen:
            w, const = g.mapping(z, c), g.synthesis(ws)
        twice = jnp.concatenate([ws[: self.few]] * 2)
        return w, const, g.synthesis(twice, noise=noise or "none"), self._wanted(seen)

    def _wanted(self, seen):
        """The blocks; and every layer of the models that have them stored."""
        block = re.compile(r"synthesis\.b\d+")
        return {path: output for path, output in seen.items() if self.with_layers or block.fullmatch(path)}

    @functools.cached_property
    def of_raw_g(self):
        """w and images of G, whose weights are not averaged, by the program compiled for G_ema."""
        return self._of("G", self.stored["ws_raw_G"])[:2]

    def check(self, key, actual):
        """Compares with what is stored, which may be fewer samples or channels, or every second pixel."""
        stored_key = key if key in self.stored else f"{key}_s2"
        expected = self.stored[stored_key]
        actual = actual[..., ::2, ::2] if stored_key.endswith("_s2") else actual
        assert_close(actual[: len(expected), : expected.shape[1]], self.file, stored_key, self.stored)


@pytest.fixture(scope="module", params=PAIRED)
def run(request):
    return Run(request.param)


def truncation(key):
    """`ws_psi05_cut8` → 0.5, 8."""
    psi, cutoff = re.findall(r"ws_psi(\d+)(?:_cut(\d+))?$", key)[0]
    return float(f"{psi[0]}.{psi[1:] or 0}"), int(cutoff) if cutoff else None


def test_mapping_and_truncation_equal_the_official_ws(run):
    ws, w_avg = latents.broadcast(run.w, run.config.num_ws), run.model.networks["G_ema"].get("mapping.w_avg")
    for key in [key for key in run.stored if key.startswith("ws_psi")]:
        psi, cutoff = truncation(key)
        run.check(key, ws if psi == 1 else latents.truncate(ws, jnp.asarray(w_avg), psi, cutoff))


def test_every_block_equals_the_official_one(run):
    for resolution in run.config.resolutions:
        x, img = run.seen[f"synthesis.b{resolution}"]
        run.check(f"blk_b{resolution}.x", nchw(x))
        assert (img is None) == (f"blk_b{resolution}.img" not in run.stored)
        if img is not None:
            run.check(f"blk_b{resolution}.img", nchw(img))


def test_images_with_stored_noise_equal_the_official_ones(run):
    run.check("img_const", nchw(run.const))
    run.check("img_mixed_const", nchw(run.const[-1:]))
    if "ws_psi07" in run.stored:
        run.check("img_psi07", nchw(run.const[run.n : -1]))


def test_images_with_zero_noise_equal_the_official_ones_without(run):
    run.check("img_none", nchw(run.given[: run.few]))


def test_images_with_given_noise_equal_the_official_ones(run):
    assert run.config.use_noise == ("img_random" in run.stored)
    if run.config.use_noise:
        run.check("img_random", nchw(run.given[run.few :]))


def test_the_generator_that_is_not_averaged_equals_the_official_one(run):
    w, images = run.of_raw_g
    run.check("ws_raw_G", latents.broadcast(w, run.config.num_ws))
    run.check("img_G_const", nchw(images))


def test_pixels_equal_the_official_ones_but_for_one_level_in_a_thousandth_of_them(run):
    if "uint8_psi07_nhwc" not in run.stored:
        pytest.skip("this model has no w_avg, so there are no truncated images")
    official = run.stored["uint8_psi07_nhwc"].astype(int)
    difference = np.abs(np.asarray(to_uint8(run.const[run.n : -1]))[: len(official)] - official)
    assert difference.max() <= 1 and np.mean(difference > 0) <= 1e-3


def test_every_layer_equals_the_official_one(run):
    if not run.with_layers:
        pytest.skip("layers are stored of s01_skip32 and s05_resnet64 alone")
    stored = load_npz(run.layers_file)
    for key, expected in stored.items():
        path = key if key.startswith("mapping.") else "synthesis." + key.removesuffix(".style").removesuffix(".out")
        actual = run.seen[path] if run.seen[path].ndim == 2 else nchw(run.seen[path])
        assert_close(actual[: len(expected), : expected.shape[1]], run.layers_file, key, stored)


def test_every_stored_output_belongs_to_a_test(run):
    tested = (
        r"z|c|ws(64)?_psi\w+|ws_raw_G|ws_mixed|blk_b\d+\.(x|img)|rnoise_.*|uint8_psi07_nhwc|img64_const|img_const_fp16"
    )
    tested += r"|img_(const|none|random|psi07|mixed_const|G_const)(_s2)?"
    assert [key for key in run.stored if not re.fullmatch(tested, key)] == []


def test_the_transfer_model_equals_the_official_one():
    file, transfer = "gen/s09_transfer64.gold.npz", model("s09_transfer64")
    stored, config = load_npz(file), transfer.config.generator

    @compiled
    def run(weights, raw, z):
        g = generator(config, weights)
        return latents.broadcast(g.mapping(z), config.num_ws), g(z[:2]), generator(config, raw).mapping(z)

    ws, images, w = run(transfer.networks["G_ema"], transfer.networks["G"], stored["z"])
    assert_close(ws, file, "ws_psi1", stored)
    w_avg = jnp.asarray(transfer.networks["G_ema"]["mapping.w_avg"])
    assert_close(latents.truncate(ws, w_avg, 0.7), file, "ws_psi07", stored)
    assert_close(latents.broadcast(w, config.num_ws), file, "ws_raw_G", stored)
    assert_close(nchw(images), file, "img_const", stored)


SEEDS_FILE = "misc/seeds_mixing.npz"


@pytest.fixture(scope="module")
def seeds_and_mixing():
    """Stored arrays, and the images of the full seeds at psi 0.7 and of the four mixes at theirs."""
    stored, auto = load_npz(SEEDS_FILE), model("s02_auto64")
    config, weights = auto.config.generator, auto.networks["G_ema"]
    groups = [stored[key].tolist() for key in ("full_seeds", "mix_rows", "mix_cols")]
    z = latents.z_from_seeds(itertools.chain(*groups), config.z_dim)

    def ws_of(weights, z):
        ws = latents.broadcast(generator(config, weights).mapping(z), config.num_ws)
        psi = jnp.asarray([0.7] * len(groups[0]) + [stored["mix_psi"]] * (len(z) - len(groups[0])), jnp.float32)
        return latents.truncate(ws, weights["mapping.w_avg"], psi[:, None, None])

    seeds, rows, columns = np.split(np.asarray(compiled(ws_of)(weights, z)), np.cumsum([len(g) for g in groups[:2]]))
    mixed = latents.mix_styles(rows, columns, stored["mix_styles"].tolist())
    every = np.concatenate([seeds, mixed.reshape(-1, *seeds.shape[1:])])
    return stored, compiled(lambda weights, ws: generator(config, weights).synthesis(ws))(weights, every)


def test_images_of_seeds_equal_those_of_the_official_command(seeds_and_mixing):
    stored, images = seeds_and_mixing
    for i, seed in enumerate(stored["full_seeds"]):
        assert_close(nchw(images[i : i + 1]), SEEDS_FILE, f"gen_seed{seed}_float", stored)
    difference = np.abs(np.asarray(to_uint8(images[:3])).astype(int) - stored["gen_uint8_psi07"])
    assert difference.max() <= 1 and np.mean(difference > 0) <= 1e-3


def test_style_mixing_equals_that_of_the_official_command(seeds_and_mixing):
    stored, images = seeds_and_mixing
    pairs = [f"mix_r{row}_c{column}" for row in stored["mix_rows"] for column in stored["mix_cols"]]
    for pair, image in zip(pairs, images[3:], strict=True):
        assert_close(nchw(image[None]), SEEDS_FILE, pair, stored)
