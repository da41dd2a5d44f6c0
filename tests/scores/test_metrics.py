import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stylegan_jax.errors import InputError
from stylegan_jax.networks.generators import generator
from stylegan_jax.scores import metrics
from tests import golden_data, golden_networks

FILE = "misc/metrics.npz"


@pytest.fixture(scope="module")
def stored():
    return golden_data.load_npz(FILE)


@pytest.fixture(scope="module")
def results():
    return json.loads(golden_data.golden("misc/metrics_results.json").read_text())


def test_moments_divide_by_n(stored):
    found = metrics.moments(stored["real"])
    np.testing.assert_allclose(found.mean, stored["real_mu"], rtol=1e-12)
    np.testing.assert_allclose(found.covariance, stored["real_cov"], rtol=1e-9)


def test_fid_is_the_official_one(stored, results):
    assert metrics.fid(stored["real"], stored["gen"]) == pytest.approx(results["fid"], rel=1e-9)
    assert metrics.fid(stored["real"], stored["gen"][:200]) == pytest.approx(results["fid_gen200"], rel=1e-9)


def test_fid_of_a_set_and_itself_is_zero_even_with_fewer_images_than_features(stored):
    assert metrics.fid(stored["real"][:5], stored["real"][:5]) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("key", "sizes"),
    [
        ("kid_subsets20_size100", {"subsets": 20, "subset_size": 100}),
        ("kid_full_1subset_size1000", {"subsets": 1, "subset_size": 1000}),
    ],
)
def test_kid_draws_the_official_subsets(stored, results, key, sizes):
    random = np.random.RandomState(results["kid_numpy_seed"])
    assert metrics.kid(stored["real"], stored["gen"], random=random, **sizes) == pytest.approx(results[key], rel=1e-5)


def test_inception_score_is_the_official_one(stored, results):
    mean, std = metrics.inception_score(stored["probs"])
    assert mean == pytest.approx(results["is_mean"], rel=1e-5)
    assert std == pytest.approx(results["is_std"], rel=1e-5)


def test_precision_and_recall_are_the_official_ones(stored, results):
    found = metrics.precision_recall(stored["real"], stored["gen"])
    assert found.precision == pytest.approx(results["pr_precision_k3"], rel=1e-6)
    assert found.recall == pytest.approx(results["pr_recall_k3"], rel=1e-6)


def test_precision_and_recall_compare_distances_in_float16_with_radii_in_float16():
    rng = np.random.RandomState(1)
    real, generated = (rng.randn(n, 64).astype(np.float16) for n in (400, 500))

    def distances(x, y):
        return np.sqrt(np.square(x[:, None].astype(np.float64) - y).sum(-1)).astype(np.float16)

    def covered(probes, manifold):
        radii = np.sort(distances(manifold, manifold), 1)[:, 3]
        return (distances(probes, manifold) <= radii).any(1).mean()

    found = metrics.precision_recall(real.astype(np.float32), generated.astype(np.float32))
    assert (found.precision, found.recall) == (covered(generated, real), covered(real, generated))


@pytest.mark.parametrize(
    "score",
    [
        lambda x: metrics.kid(x, x, random=np.random.RandomState(0)),
        lambda x: metrics.kid(x.repeat(9, 0), x, random=np.random.RandomState(0)),
        lambda x: metrics.precision_recall(x, x),
        lambda x: metrics.inception_score(x),
        lambda x: metrics.fid(x[:0], x),
        lambda x: metrics.path_length(x[:0, 0]),
    ],
)
def test_a_score_of_too_few_images_is_refused(score):
    with pytest.raises(InputError, match=r"of \d images — give \d+ or more"):
        score(np.ones((1, 4), np.float32))


def test_slerp_is_the_official_one(stored):
    found = metrics.slerp(*(jnp.asarray(stored[f"slerp_{name}"]) for name in "abt"))
    np.testing.assert_allclose(found, stored["slerp_y"], atol=1e-6)


def test_path_length_averages_between_the_1st_and_99th_percentile(stored, results):
    assert metrics.path_length(stored["ppl_filter_dist"]) == pytest.approx(results["ppl_filter_mean"], rel=1e-6)


@pytest.mark.parametrize("case", ["ppl_w_end", "ppl_w_full", "ppl_z_full", "ppl_w_full_crop"])
def test_path_distances_are_the_official_ones_up_to_float32(case, stored, results):
    """Differences of nearly equal images over 1e-8: the official float32 run itself is 1 % off its float64 one."""
    model = golden_networks.model("s01_skip32")
    network = generator(model.config.generator, jax.tree.map(jnp.asarray, dict(model.networks["G_ema"])))
    prefix = f"{case}.noise.synthesis."
    buffers = {key.removeprefix(prefix): jnp.asarray(value) for key, value in stored.items() if key.startswith(prefix)}
    noise = {name.removesuffix(".noise_const"): buffer for name, buffer in buffers.items()}

    def synthesize(w):
        ws = jnp.broadcast_to(w[:, None], (len(w), network.synthesis.num_ws, w.shape[1]))
        return network.synthesis(ws, noise=noise)

    def features(images):
        n, height, width, _ = images.shape
        pooled = images.reshape(n, 8, height // 8, 8, width // 8, 3).mean((2, 4))
        return pooled.transpose(0, 3, 1, 2).reshape(n, -1) @ stored["ppl_P"]

    first, second = jnp.split(jnp.asarray(stored[f"{case}.z01"]), 2)
    t = jnp.asarray(stored[f"{case}.t"]) * (0 if "end" in case else 1)
    program = golden_networks.compiled(
        lambda ends: metrics.path_distances(
            ends, network.mapping, synthesize, features, space="z" if "_z_" in case else "w", crop="crop" in case
        )
    )
    found = program(metrics.PathEnds(first, second, t))
    official_error = results[f"{case}.fp32_vs_fp64"]["max_abs"]
    np.testing.assert_allclose(found, stored[f"{case}.dist64"], atol=3 * official_error, rtol=0)


def test_rgba_images_are_described_on_white():
    images = jnp.array([[[[10.0, 20, 30, 255], [10, 20, 30, 0]]]])
    np.testing.assert_allclose(metrics.in_rgb(images), [[[[10, 20, 30], [255, 255, 255]]]], rtol=1e-6)


def test_images_above_256_pixels_are_averaged_down_and_grey_ones_get_three_channels():
    images = jnp.arange(512 * 512, dtype=jnp.float32).reshape(1, 512, 512, 1) / (512 * 512)
    seen = []
    ends = metrics.PathEnds(jnp.ones((1, 4)), jnp.ones((1, 4)), jnp.zeros(1))
    metrics.path_distances(
        ends, lambda z: z, lambda w: images.repeat(2, 0), lambda x: seen.append(x) or x.reshape(2, -1)
    )
    assert seen[0].shape == (2, 256, 256, 3)
    expected = (np.asarray(images[0, :2, :2, 0]).mean() + 1) * 127.5
    np.testing.assert_allclose(seen[0][0, 0, 0], expected, rtol=1e-6)


def test_toon_distance_is_one_for_the_samples_it_is_measured_by_and_grows_outside():
    random = np.random.RandomState(0)
    own = random.randn(500, 40) * np.linspace(1, 3, 40) + 7
    assert metrics.toon_distance(own, own).mean() == pytest.approx(1, rel=1e-9)
    middle = own.mean(0)
    twice = middle + 2 * (own - middle)
    np.testing.assert_allclose(metrics.toon_distance(twice, own), 4 * metrics.toon_distance(own, own), rtol=1e-9)
    narrow = np.zeros(40)
    narrow[0] = 5  # the axis of the least variance is none of the thirty
    assert metrics.toon_distance((middle + narrow)[None], own)[0] < 0.5
    with pytest.raises(InputError, match="toon distance in 30 dimensions of 30 images"):
        metrics.toon_distance(own, own[:30])
