import functools
import itertools
import re

import jax.numpy as jnp
import numpy as np
import pytest

from stylegan_jax.networks.generators import generator
from stylegan_jax.pictures.images import to_uint8
from stylegan_jax.sampler import latents
from tests.golden_data import assert_close, load_npz
from tests.golden_networks import PAIRED, compiled, model, nchw, recorded

LAYERED = ("s01_skip32", "s05_resnet64")
"""The golden models of which every layer's output is stored."""


class Run:
    """One golden generator and everything it makes of the stored inputs, in one compiled synthesis."""

    def __init__(self, name):
        self.file, self.layers_file = f"gen/{name}.gold.npz", f"gen/{name}.layers.npz"
        self.model, self.stored = model(name), load_npz(self.file)
        self.config, self.with_layers = self.model.config.generator, name in LAYERED
        self.program = compiled(self._program)
        self.w, images, self.seen = self._of("G_ema", "ws_psi1")
        sizes = [len(ws) for ws in self._ws("ws_psi1")]
        self.const, self.truncated, self.mixed, self.none, self.random = np.split(images, np.cumsum(sizes)[:-1])

    def _ws(self, first):
        """The ws of five groups of images: three with stored noise, one without, one with given noise."""
        ws = self.stored["ws_psi1"][:2]
        return self.stored[first], self.stored.get("ws_psi07", ws)[:2], self.stored["ws_mixed"], ws, ws

    def _noise(self, network):
        """The images of each layer for the five groups."""
        *by_buffer, none, given = (len(ws) for ws in self._ws("ws_psi1"))
        for key in [key for key in self.stored if key.startswith("rnoise_")]:
            buffer = self.model.networks[network][f"synthesis.{key[7:]}.noise_const"]
            rows = [
                np.broadcast_to(buffer, (sum(by_buffer), *buffer.shape)),
                np.zeros((none, *buffer.shape), np.float32),
            ]
            yield key[7:], np.concatenate([*rows, self.stored[key][:given, 0]])

    def _of(self, network, first):
        """w, images and layers of one network."""
        z, c, ws = self.stored["z"], self.stored["c"], np.concatenate(self._ws(first))
        return self.program(self.model.networks[network], z, c, ws, dict(self._noise(network)))

    def _program(self, weights, z, c, ws, noise):
        g = generator(self.config, weights)
        with recorded(g) as seen:
            outputs = g.mapping(z, c), g.synthesis(ws, noise=noise or "none")
        return *outputs, self._wanted(seen)

    def _wanted(self, seen):
        """The blocks; and every layer of the models that have them stored."""
        block = re.compile(r"synthesis\.b\d+")
        return {path: output for path, output in seen.items() if self.with_layers or block.fullmatch(path)}

    @functools.cached_property
    def of_raw_g(self):
        """w and images of G, whose weights are not averaged, by the program compiled for G_ema."""
        return self._of("G", "ws_raw_G")[:2]

    def check(self, key, actual):
        """Compares with what is stored, which may be fewer samples or channels, or every second pixel."""
        stored_key = key if key in self.stored else f"{key}_s2"
        expected = self.stored[stored_key]
        actual = actual[..., ::2, ::2] if stored_key.endswith("_s2") else actual
        assert_close(actual[: len(expected), : expected.shape[1]], self.file, stored_key, self.stored)


run_of = functools.cache(Run)


@pytest.fixture(params=PAIRED)
def run(request):
    return run_of(request.param)


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
    run.check("img_mixed_const", nchw(run.mixed))
    if "ws_psi07" in run.stored:
        run.check("img_psi07", nchw(run.truncated))


def test_images_without_noise_equal_the_official_ones(run):
    run.check("img_none", nchw(run.none))


def test_images_with_given_noise_equal_the_official_ones(run):
    assert run.config.use_noise == ("img_random" in run.stored)
    if run.config.use_noise:
        run.check("img_random", nchw(run.random))


def test_the_generator_that_is_not_averaged_equals_the_official_one(run):
    w, images = run.of_raw_g
    run.check("ws_raw_G", latents.broadcast(w, run.config.num_ws))
    run.check("img_G_const", nchw(images))


@pytest.mark.parametrize("run", [name for name in PAIRED if name != "s07_noavg32"], indirect=True)
def test_pixels_equal_the_official_ones_but_for_one_level_in_a_thousandth_of_them(run):
    official = run.stored["uint8_psi07_nhwc"].astype(int)
    difference = np.abs(np.asarray(to_uint8(run.truncated))[: len(official)] - official)
    assert difference.max() <= 1 and np.mean(difference > 0) <= 1e-3


@pytest.mark.parametrize("run", LAYERED, indirect=True)
def test_every_layer_equals_the_official_one(run):
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
