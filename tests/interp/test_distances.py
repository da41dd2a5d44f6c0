import numpy as np
import pytest

from interp.distances import distances, judge, kind_of
from tests.tiny_models import tiny_model


@pytest.fixture
def base():
    return tiny_model(1).networks["G_ema"]


def moved(weights, share, seed=9):
    """Weights with `share` of their size added as noise; buffers stay."""
    rng = np.random.default_rng(seed)
    return {
        name: leaf if name.endswith(("noise_const", "resample_filter"))
        else leaf + np.float32(share) * np.std(leaf) * rng.standard_normal(leaf.shape, np.float32)
        for name, leaf in weights.items()
    }  # fmt: skip


def test_equal_weights_are_the_same_model(base):
    verdict = judge(base, {name: leaf.copy() for name, leaf in base.items()})
    assert verdict.kinship == "same" and verdict.weights.relative == 0 and verdict.same_noise


@pytest.mark.parametrize(
    ("share", "kinship"), [(1e-4, "fine-tuned"), (0.5, "fine-tuned"), (3, "diverged"), (50, "unrelated")]
)
def test_the_further_the_weights_moved_the_weaker_the_kinship(base, share, kinship):
    verdict = judge(base, moved(base, share))
    assert verdict.kinship == kinship and verdict.same_noise
    assert verdict.weights.cosine == pytest.approx(1 / np.sqrt(1 + share**2), abs=0.05)


def test_independent_models_are_unrelated_and_about_root_2_apart(base):
    verdict = judge(base, tiny_model(2).networks["G_ema"])
    assert verdict.kinship == "unrelated" and not verdict.same_noise and not verdict.blends
    assert verdict.weights.relative == pytest.approx(np.sqrt(2), rel=0.05)
    assert "are no relatives" in verdict.words("a", "b") and "relative distance 1.4" in verdict.words("a", "b")


def test_distances_are_listed_by_resolution_and_kind(base):
    found = {(each.resolution, each.kind): each for each in distances(base, moved(base, 0.1))}
    assert next(iter(found)) == (None, "mapping") and (4, "const") in found and (8, "torgb") in found
    assert [r for r, _ in found if r] == sorted(r for r, _ in found if r)
    assert found[8, "weight"].relative == pytest.approx(0.1, rel=0.1)


def test_models_with_another_mapping_are_compared_in_what_they_share(base):
    deep = tiny_model(1, mapping_layers=8).networks["G_ema"]
    deep.update({name: leaf for name, leaf in base.items() if name.startswith("synthesis.")})
    assert judge(base, deep).kinship == "fine-tuned" and judge(base, deep).weights.relative == 0


def test_zeros_are_no_division(base):
    zeros = {name: np.zeros_like(leaf) for name, leaf in base.items()}
    assert judge(zeros, base).kinship == "unrelated"
    assert all(each.relative in (0.0, np.inf) for each in distances(zeros, base))


def test_every_tensor_has_one_kind():
    assert kind_of("synthesis.b8.torgb.affine.bias") == kind_of("synthesis.b8.torgb.bias") == "torgb"
    assert kind_of("synthesis.b8.conv0.affine.bias") == "affine" and kind_of("synthesis.b8.conv0.bias") == "bias"
    assert kind_of("synthesis.b8.skip.weight") == "weight" and kind_of("mapping.fc0.weight") == "mapping"
