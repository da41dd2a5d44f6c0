import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stylegan_jax import names
from stylegan_jax.config import DiscriminatorConfig, GeneratorConfig, ModelConfig
from stylegan_jax.networks.discriminator import discriminator
from tests.golden_data import assert_close, load_npz
from tests.golden_networks import PAIRED, compiled, in_both_modes, model, nchw, nhwc, recorded
from tests.tiny_models import random_weights


class Run:
    """One golden discriminator and everything it makes of the stored images, in one compiled program."""

    def __init__(self, name):
        self.file = f"disc/{name}.gold.npz"
        self.model, self.stored = model(name), load_npz(self.file)
        assert self.model.config.discriminator
        self.config = self.model.config.discriminator
        self.sizes = [int(key[8:]) for key in self.stored if re.fullmatch(r"logits_n\d", key)]
        img = nhwc(self.stored["img"].astype(np.float32))
        self.logits, self.seen = compiled(self._program)(self.model.networks["D"], img, self.stored["c"])

    def _program(self, weights, img, c):
        """Logits of the first n images for each n, what the blocks make of all, and the statistic of four."""
        d = discriminator(self.config, weights)
        with recorded(d) as seen:
            logits = {len(img): d(img, c)}
        ends = *seen["b8"], seen.get("mapping")

        def first(n):
            return jax.tree.map(lambda rows: rows[:n], ends)

        logits |= {n: d.b4(*first(n)) for n in self.sizes if n < len(img)}
        blocks = {f"b{resolution}": seen[f"b{resolution}"] for resolution in self.config.resolutions[1:]}
        return logits, {**blocks, "mbstd": d.b4.with_stddev(*first(4)[:2]), "mapping": ends[2]}

    def check(self, key, actual):
        """Compares with what is stored, which may be fewer samples or channels."""
        expected = self.stored[key]
        assert_close(actual[: len(expected), : expected.shape[1]], self.file, key, self.stored)


@pytest.fixture(scope="module", params=PAIRED)
def run(request):
    return Run(request.param)


def test_logits_equal_the_official_ones_at_every_batch_size(run):
    for n in run.sizes:
        run.check(f"logits_n{n}", run.logits[n])


def test_every_block_equals_the_official_one(run):
    for resolution in run.config.resolutions[1:]:
        x, img = run.seen[f"b{resolution}"]
        run.check(f"blk4_b{resolution}.x", nchw(x))
        if run.config.architecture == "skip":
            run.check(f"blk4_b{resolution}.img", nchw(img))


def test_the_minibatch_statistic_equals_the_official_one(run):
    channels = run.config.mbstd_num_channels
    run.check("blk4_b4.mbstd", nchw(run.seen["mbstd"][..., -channels:]))


def test_the_projected_labels_equal_the_official_ones(run):
    assert ("cmap" in run.stored) == (run.config.c_dim > 0)
    if run.config.c_dim > 0:
        run.check("cmap", run.seen["mapping"])


def test_every_stored_output_belongs_to_a_test(run):
    tested = r"img|c|cmap|logits(64)?_n\d|blk4_b\d+\.(x|img)|blk4_b4\.mbstd|logits_n4_fp16"
    assert [key for key in run.stored if not re.fullmatch(tested, key)] == []


def tiny(**fields):
    return DiscriminatorConfig(**{"img_resolution": 8, "channel_max": 8, **fields})


def test_logits_of_a_batch_follow_its_groups_and_without_the_statistic_only_the_image():
    with_statistic, without = tiny(mbstd_group_size=2), tiny(mbstd_num_channels=0)
    img = np.random.RandomState(0).randn(4, 8, 8, 3).astype(np.float32)
    for config, follows in ((with_statistic, True), (without, False)):
        weights = weights_of(config)
        run = compiled(lambda weights, img, config=config: discriminator(config, weights)(img))
        changed = np.abs(run(weights, img) - run(weights, np.concatenate([img[:3], -img[3:]])))[:, 0]
        assert changed[3] > 1e-3 and (changed[1] > 1e-5) == follows and max(changed[0], changed[2]) < 1e-6


def weights_of(config):
    return random_weights(ModelConfig(generator=GeneratorConfig(img_resolution=8), discriminator=config), "D", 0)


def trace(config, n):
    """The abstract logits of n images without labels."""
    img = jax.ShapeDtypeStruct((n, 8, 8, 3), jnp.float32)
    return jax.eval_shape(lambda weights, img: discriminator(config, weights)(img), weights_of(config), img)


def test_a_batch_that_its_groups_do_not_divide_is_refused():
    with pytest.raises(ValueError, match="a batch of 6 does not split into groups of 4"):
        trace(tiny(), 6)


def test_a_conditional_discriminator_without_labels_is_refused():
    with pytest.raises(ValueError, match=r"labels c of shape \[n 3\] are missing"):
        trace(tiny(c_dim=3), 2)


SHAPES = [{"img_resolution": r} for r in (8, 256, 1024)]
SHAPES += [{"img_resolution": r, "architecture": a} for r in (8, 32) for a in ("orig", "skip")]
SHAPES += [{"img_resolution": 16, "img_channels": n, "architecture": "skip"} for n in (1, 4)]
SHAPES += [{"img_resolution": 8, "c_dim": 5, "cmap_dim": 12}, {"img_resolution": 8, "mbstd_num_channels": 0}]
SHAPES += [{"img_resolution": 16, "resample_filter": taps} for taps in ((1, 2, 1), (0.1,) * 8, ((1, 2), (3, 4)), (1,))]


@pytest.mark.parametrize("fields", SHAPES, ids=str)
def test_every_configuration_gives_one_float32_logit_per_image_even_in_16_bits(fields):
    config = DiscriminatorConfig(**fields)
    side = config.img_resolution
    img, c = (jax.ShapeDtypeStruct((4, *s), jnp.float32) for s in ((side, side, config.img_channels), (config.c_dim,)))
    layout = names.discriminator_layout(config)
    weights = {name: jax.ShapeDtypeStruct(shape, jnp.float32) for name, shape in layout.items()}
    logits = jax.eval_shape(
        lambda weights, img, c: discriminator(config, weights)(img, c, dtype=jnp.bfloat16), weights, img, c
    )
    assert logits.shape == (4, 1) and logits.dtype == jnp.float32


def test_tree_mode_traces_the_very_same_program():
    config, img = tiny(), jnp.ones((4, 8, 8, 3))
    weights = weights_of(config)
    programs = in_both_modes(lambda: jax.make_jaxpr(jax.grad(lambda w: discriminator(config, w)(img).sum()))(weights))
    assert programs[0] == programs[1]
