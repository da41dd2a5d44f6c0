"""Directions against their definitions in NumPy, and by their properties."""

import numpy as np
import pytest

from stylegan_jax.editing.finding import between, mapping_sha256, pca, sefa
from stylegan_jax.errors import InputError
from stylegan_jax.sampler import map_seeds
from tests.tiny_models import tiny_model


@pytest.fixture(scope="module")
def model():
    return tiny_model(1)


def affine(model, *names):
    weights = model.networks["G_ema"]
    return np.concatenate([weights[f"synthesis.{name}.affine.weight"] for name in names]).astype(np.float64)


def test_sefa_is_the_right_singular_vectors_of_the_stacked_affine_layers(model):
    found = sefa(model, 5)
    rows = affine(model, "b4.conv1", "b8.conv0", "b8.conv1", "b16.conv0", "b16.conv1")
    _, singular, vectors = np.linalg.svd(rows)
    for vector, expected in zip(found.vectors[:, 0], vectors[:5], strict=True):
        assert abs(vector @ expected) == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(found.card["eigenvalues"], singular[:5] ** 2, rtol=1e-6)
    assert found.names == ("sefa0", "sefa1", "sefa2", "sefa3", "sefa4") and found.layers.all()


def test_sefa_of_some_layers_looks_at_those_and_moves_those(model):
    found = sefa(model, 3, [1, 2])
    _, _, vectors = np.linalg.svd(affine(model, "b8.conv0", "b8.conv1"))
    for vector, expected in zip(found.vectors[:, 0], vectors[:3], strict=True):
        assert abs(vector @ expected) == pytest.approx(1, abs=1e-5)
    np.testing.assert_array_equal(found.layers, [[False, True, True, False, False, False]] * 3)


def test_pca_is_that_of_numpy_on_the_same_ws(model):
    found = pca(model, 4, samples=600)
    ws = map_seeds(model, range(600))[:, 0].astype(np.float64)
    variances, vectors = np.linalg.eigh(np.cov(ws.T, bias=True))
    for i in range(4):
        assert abs(found.vectors[i, 0] @ vectors[:, -1 - i]) == pytest.approx(1, abs=1e-4)
        assert found.scales[i] == pytest.approx(np.sqrt(variances[-1 - i]), rel=1e-5)
    np.testing.assert_allclose(found.card["explained"], variances[::-1][:4] / variances.sum(), rtol=1e-6)


def test_pca_does_not_depend_on_its_pieces(model, monkeypatch):
    whole = pca(model, 4, samples=300)
    monkeypatch.setattr("stylegan_jax.editing.finding._PIECE", 77)
    pieces = pca(model, 4, samples=300)
    np.testing.assert_allclose(pieces.vectors, whole.vectors, atol=1e-5)


@pytest.mark.parametrize("find", [lambda model: sefa(model, 16), lambda model: pca(model, 16, samples=300)])
def test_directions_are_orthonormal_and_their_largest_component_is_positive(model, find):
    vectors = find(model).vectors[:, 0]
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(16), atol=1e-5)
    assert (vectors[np.arange(16), np.abs(vectors).argmax(1)] > 0).all()


def test_a_scale_is_a_standard_deviation_of_w_along_the_direction(model):
    found = sefa(model, 2)
    ws = map_seeds(model, range(10_000))[:, 0]
    np.testing.assert_allclose(found.scales, (ws @ found.vectors[:, 0].T).std(0), rtol=1e-4)


def test_the_direction_between_two_sets_is_the_difference_of_their_means(model):
    rng = np.random.RandomState(0)
    shift = rng.randn(6, 16)
    sets = [rng.randn(200, 6, 16).astype(np.float32) + share * shift for share in (0, 3)]
    found = between(model, sets[0].astype(np.float32), sets[1].astype(np.float32), "age")
    expected = sets[1].mean(0) - sets[0].mean(0)
    np.testing.assert_allclose(found.vectors[0], expected / np.linalg.norm(expected, axis=1, keepdims=True), atol=1e-5)
    assert found.names == ("age",)


def test_a_classifier_is_not_led_astray_by_what_varies_anyway(model):
    rng = np.random.RandomState(1)
    loud = np.zeros(16)
    loud[0] = 30
    sets = [rng.randn(60, 1, 1) * loud + rng.randn(60, 6, 16) for _ in range(2)]
    sets[1][..., 5] += 4  # what tells them apart
    sets = [each.astype(np.float32) for each in sets]
    found = {
        method: between(model, sets[0], sets[1], "age", method).vectors[0, 0] for method in ("difference", "classifier")
    }
    assert abs(found["classifier"][5]) > 0.95 > abs(found["difference"][5])


def test_sets_that_do_not_differ_have_no_direction_between_them(model):
    same = np.ones((2, 6, 16), np.float32)
    with pytest.raises(InputError, match="the same mean"):
        between(model, same, same, "age")


@pytest.mark.parametrize("find", [sefa, pca])
def test_layers_that_are_not_there_are_refused(model, find):
    with pytest.raises(InputError, match="no layer 6 — use 0 to 5"):
        find(model, 2, [0, 6])


def test_the_layer_of_torgb_alone_has_no_convolution(model):
    with pytest.raises(InputError, match="no convolution is there"):
        sefa(model, 2, [5])


def test_models_share_their_w_if_their_mapping_networks_are_equal(model):
    other = tiny_model(1)
    other.networks["G_ema"]["synthesis.b4.const"] = np.zeros_like(other.networks["G_ema"]["synthesis.b4.const"])
    assert mapping_sha256(other) == mapping_sha256(model)
    assert mapping_sha256(tiny_model(2)) != mapping_sha256(model)
