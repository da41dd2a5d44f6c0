"""Style channels: how far each of them varies, edits of single ones, and those that tell two sets of ws apart."""

import math
from collections.abc import Iterator, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from jaxtyping import Float, Int

from stylegan_jax.editing.directions import Directions, Edit
from stylegan_jax.editing.finding import card_of, covariance
from stylegan_jax.errors import InputError, shown
from stylegan_jax.names import layer_name, resolution_of, w_index
from stylegan_jax.sampler import stylespace
from stylegan_jax.sampler.stylespace import Shift
from stylegan_jax.storage.checkpoint import Model

_SAMPLES = 4096
_DEVIATIONS: WeakKeyDictionary[Model, Shift] = WeakKeyDictionary()  # a page asks for them with every picture


def deviations(model: Model) -> Shift:
    """The standard deviation of every style channel over mapped w, of all classes: √(aᵀ·cov(w)·a) of a row a of A."""
    if model not in _DEVIATIONS:
        spread = covariance(model, _SAMPLES, "random" if model.config.generator.c_dim else None)
        variances = [((rows @ spread) * rows).sum(1) for _, rows, _ in _affine(model)]
        _DEVIATIONS[model] = np.sqrt(np.maximum(np.concatenate(variances), 0)).astype(np.float32)
    return _DEVIATIONS[model]


def styles_of(model: Model, ws: Float[np.ndarray, "n l d"]) -> Float[np.ndarray, "n s"]:
    """The styles of ws, A·w + b in every layer, float64."""
    return np.concatenate([ws[:, index] @ rows.T + bias for index, rows, bias in _affine(model)], 1)


def shift_of(edits: Sequence[Edit], model: Model) -> Shift:
    """What edits of single channels add to all of them; InputError for a channel that the model does not have."""
    indices = [_index(edit.name, model) for edit in edits]  # which refuses before w is mapped
    shift, spread = np.zeros(stylespace.count(model.config.generator), np.float32), deviations(model)
    for edit, index in zip(edits, indices, strict=True):
        shift[index] += np.float32(edit.strength) * spread[index]
    return shift


def along(model: Model, chosen: Int[np.ndarray, " k"], signs: Sequence[float], card: dict[str, Any]) -> Directions:
    """Directions along single channels, called after them."""
    names = [f"{layer}:{i}" for layer, size in stylespace.layers(model.config.generator).items() for i in range(size)]
    vectors = np.zeros((len(chosen), 1, len(names)), np.float32)
    vectors[np.arange(len(chosen)), 0, chosen] = signs
    return Directions(
        tuple(names[index] for index in chosen),
        vectors,
        deviations(model)[chosen],
        np.ones((len(chosen), 1), bool),
        card_of(model, {"space": "style", "method": "styles", **card}),
    )


def between(
    model: Model, without: Float[np.ndarray, "n l d"], having: Float[np.ndarray, "m l d"], count: int = 16
) -> Directions:
    """The channels in which two sets of ws differ most: |difference of the means| / deviation of both together, θ.

    (Wu et al. 2021, 4.2, with the two sets in place of examples against all.) A positive strength leads from the first
    set to the second.
    """
    sets = [styles_of(model, ws) for ws in (without, having)]
    difference, spread = sets[1].mean(0) - sets[0].mean(0), np.concatenate(sets).std(0)
    theta = np.abs(difference) / np.maximum(spread, 1e-6 * spread.max() or 1)
    if not theta.any():
        raise InputError("the two sets have the same styles", "use sets that differ")
    best = np.argsort(-theta, kind="stable")[:count]
    card = {"sets": [len(without), len(having)], "theta": theta[best].tolist()}
    return along(model, best, np.where(difference[best] < 0, -1.0, 1.0).tolist(), card)


def _index(name: str, model: Model) -> int:
    """The place of a channel such as `b64.conv1:137` among all."""
    sizes = stylespace.layers(model.config.generator)
    layer, _, channel = name.rpartition(":")
    if layer not in sizes:
        raise InputError("the model has no such layer", f"use {', '.join(sizes)}", file=f"--style {shown(name)}")
    if int(channel) >= sizes[layer]:
        what, last = f"{layer} has {sizes[layer]} channels", f"{layer}:{sizes[layer] - 1}"
        raise InputError(what, f"use {layer}:0 to {last}", file=f"--style {shown(name)}")
    layers = list(sizes)
    return sum(sizes[each] for each in layers[: layers.index(layer)]) + int(channel)


def _affine(model: Model) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Index into ws, A `[channels w_dim]` as it is applied, and b of every layer, float64."""
    config, weights = model.config.generator, model.networks["G_ema"]
    for layer in stylespace.layers(config):
        rows, bias = (weights[f"synthesis.{layer}.affine.{leaf}"].astype(np.float64) for leaf in ("weight", "bias"))
        index = w_index(resolution_of(layer) or 4, layer_name(layer) or "")
        yield index, rows / math.sqrt(config.w_dim), bias
