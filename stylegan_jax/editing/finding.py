"""Directions of a model: of its weights (SeFa), of its w (GANSpace), and between two sets of w."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal
from weakref import WeakKeyDictionary

import numpy as np
from jaxtyping import Float

from stylegan_jax.editing.directions import Directions
from stylegan_jax.errors import InputError
from stylegan_jax.names import layer_name, resolution_of, w_index
from stylegan_jax.sampler import map_seeds
from stylegan_jax.sampler.latents import Label
from stylegan_jax.storage.checkpoint import Model, digest

SAMPLES, FEW = 100_000, 10_000
"""Ws that a PCA sees, and those by which a standard deviation is measured."""
_PIECE, _BATCH = 10_000, 512
_HASHES: WeakKeyDictionary[Model, str] = WeakKeyDictionary()  # a page asks for them with every picture
Method = Literal["difference", "classifier"]


def sefa(model: Model, count: int = 16, layers: Sequence[int] | None = None, *, class_idx: Label = None) -> Directions:
    """Closed-form factorisation (Shen and Zhou 2021, eq. 5): what the affine layers of the convolutions stretch most.

    The directions are the eigenvectors of AᵀA, largest first, where A has the weights of those affine layers as rows.

    Args:
      model: its G_ema.
      count: how many.
      layers: whose affine layers are looked at, and which an edit moves: indices into ws; all by default.
      class_idx: of a conditional model, for the standard deviations.

    Raises InputError for layers that the model does not have.
    """
    config = model.config.generator
    chosen = _checked(layers, config.num_ws)
    stacked = [weight for layer, weight in _affine_weights(model) if layer in chosen]
    if not stacked:
        raise InputError("layers: no convolution is there", f"use 0 to {config.num_ws - 2}")
    rows = np.concatenate(stacked).astype(np.float64)
    stretched, vectors = np.linalg.eigh(rows.T @ rows)
    vectors = _signed(vectors.T[::-1][:count])
    scales = np.std([*_projected(model, vectors, FEW, class_idx)], 0)
    card = {"method": "sefa", "eigenvalues": stretched[::-1][:count].tolist()}
    return _directions(model, "sefa", vectors, scales, chosen, card)


def pca(
    model: Model,
    count: int = 16,
    layers: Sequence[int] | None = None,
    *,
    samples: int = SAMPLES,
    class_idx: Label = None,
) -> Directions:
    """Principal components of w (GANSpace; Härkönen et al. 2020, 3.1): the seeds 0, 1, … mapped, piece by piece.

    The card has the share of the variance that each explains. Other arguments are those of `sefa`; `samples` is how
    many seeds are mapped.
    """
    chosen = _checked(layers, model.config.generator.num_ws)
    variances, vectors = np.linalg.eigh(covariance(model, samples, class_idx))
    variances = np.maximum(variances[::-1], 0)
    card = {
        "method": "pca",
        "samples": samples,
        "explained": (variances[:count] / variances.sum()).tolist(),
    }
    return _directions(model, "pca", _signed(vectors.T[::-1][:count]), np.sqrt(variances[:count]), chosen, card)


def covariance(model: Model, samples: int, class_idx: Label = None) -> Float[np.ndarray, "d d"]:
    """That of w over the first seeds, float64."""
    total, squares = 0.0, 0.0
    for ws in _mapped(model, samples, class_idx):
        total, squares = total + ws.sum(0), squares + ws.T @ ws
    mean = total / samples
    return squares / samples - np.outer(mean, mean)


def between(
    model: Model,
    without: Float[np.ndarray, "n l d"],
    having: Float[np.ndarray, "m l d"],
    name: str,
    method: Method = "difference",
) -> Directions:
    """The direction from one set of w to another, in each layer.

    Args:
      model: whose ws they are.
      without, having: those without and with what the direction is to be.
      name: of the direction.
      method: the difference of the means, or the normal of a linear classifier (Fisher's discriminant).

    An edit of strength 1 goes one standard deviation of both sets, taken together, along it.
    """
    both = np.concatenate([without, having]).astype(np.float64)
    steps = having.mean(0, dtype=np.float64) - without.mean(0, dtype=np.float64)
    if method == "classifier":
        steps = np.stack([_discriminant(without[:, i], having[:, i]) for i in range(steps.shape[0])])
    lengths = np.linalg.norm(steps, axis=1, keepdims=True)
    if not lengths.all():
        raise InputError("the two sets have the same mean", "use sets that differ")
    vectors = steps / lengths
    scale = np.einsum("nld,ld->nl", both - both.mean(0), vectors).std()
    card = card_of(model, {"method": method, "sets": [len(without), len(having)]})
    return Directions((name,), vectors[None].astype(np.float32), np.array([scale], np.float32), _all(1, steps), card)


def _discriminant(without: np.ndarray, having: np.ndarray) -> np.ndarray:
    """(S + λ)⁻¹ (mean of `having` − mean of `without`), S the covariance within the sets, λ a hundredth of its mean."""
    apart = [each.astype(np.float64) - each.mean(0, dtype=np.float64) for each in (without, having)]
    inside = np.concatenate(apart)
    covariance = inside.T @ inside / len(inside)
    covariance += np.eye(len(covariance)) * max(np.trace(covariance) / len(covariance) / 100, 1e-12)
    return np.linalg.solve(covariance, having.mean(0, dtype=np.float64) - without.mean(0, dtype=np.float64))


def _affine_weights(model: Model) -> Iterator[tuple[int, np.ndarray]]:
    """Index into ws and weights `[channels w_dim]` of the affine layer of every convolution."""
    for name, leaf in model.networks["G_ema"].items():
        layer = layer_name(name)
        if name.endswith(".affine.weight") and layer in ("conv0", "conv1"):
            yield w_index(resolution_of(name) or 4, layer), leaf


def _mapped(model: Model, samples: int, class_idx: Label) -> Iterator[Float[np.ndarray, "n d"]]:
    """The w of the first seeds, float64, piece by piece."""
    for start in range(0, samples, _PIECE):
        seeds = range(start, min(start + _PIECE, samples))
        yield map_seeds(model, seeds, class_idx=class_idx, batch=_BATCH)[:, 0].astype(np.float64)


def _projected(model: Model, vectors: np.ndarray, samples: int, class_idx: Label) -> Iterator[np.ndarray]:
    for ws in _mapped(model, samples, class_idx):
        yield from ws @ vectors.T


def _signed(vectors: np.ndarray) -> np.ndarray:
    """Each with the sign that makes its largest component positive."""
    largest = np.abs(vectors).argmax(1)
    return vectors * np.sign(vectors[np.arange(len(vectors)), largest])[:, None]


def _checked(layers: Sequence[int] | None, num_ws: int) -> list[int]:
    if wrong := [layer for layer in layers or () if not 0 <= layer < num_ws]:
        raise InputError(f"layers: the model has no layer {wrong[0]}", f"use 0 to {num_ws - 1}")
    return list(range(num_ws) if layers is None else layers)


def _directions(
    model: Model, name: str, vectors: np.ndarray, scales: np.ndarray, layers: Sequence[int], card: dict[str, Any]
) -> Directions:
    """The same vector for all layers, moved along in some."""
    num_ws, count = model.config.generator.num_ws, len(vectors)
    everywhere = np.repeat(vectors[:, None], num_ws, 1).astype(np.float32)
    moved = np.tile(np.isin(np.arange(num_ws), layers), (count, 1))
    names = tuple(f"{name}{i}" for i in range(count))
    return Directions(names, everywhere, scales.astype(np.float32), moved, card_of(model, card))


def card_of(model: Model, card: dict[str, Any]) -> dict[str, Any]:
    """A card with the model and its mapping network on it."""
    return {"model": str(model.lineage.get("source")), "mapping_sha256": mapping_sha256(model), **card}


def _all(count: int, steps: np.ndarray) -> np.ndarray:
    return np.ones((count, len(steps)), bool)


def mapping_sha256(model: Model) -> str:
    """By which it is known whether two models share their W: the hash of the mapping network's layers."""
    if model not in _HASHES:
        own = {n: leaf for n, leaf in model.networks["G_ema"].items() if n.startswith("mapping.") and "w_avg" not in n}
        _HASHES[model] = digest(own)
    return _HASHES[model]
