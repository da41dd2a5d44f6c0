"""Latents: seeds → z, labels, w for every layer, truncation, style mixing."""

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from stylegan_jax.errors import InputError

SEED_LIMIT = 2**32


@dataclass(frozen=True)
class Drawn:
    """Labels to draw from, as often as they occur: what a model that was trained here remembers of its data."""

    labels: tuple[int | tuple[float, ...], ...]
    counts: tuple[int, ...]

    @functools.cached_property
    def _classes_and_widths(self) -> tuple[int, set[int]]:
        """How many classes there must be, and the widths of its vectors."""
        vectors = {len(each) for each in self.labels if isinstance(each, tuple)}
        return max((each + 1 for each in self.labels if isinstance(each, int)), default=0), vectors

    def check(self, c_dim: int) -> None:
        """Raises InputError unless all fit a conditional model: seeds might draw the one that does not after hours."""
        classes, widths = self._classes_and_widths
        if c_dim and (classes > c_dim or widths - {c_dim}):
            what = "class: the labels that this model remembers of its data are not all its own"
            raise InputError(what, f"pass one from 0 to {c_dim - 1}")


Label = int | Literal["random"] | tuple[float, ...] | Drawn | None
"""A class, one drawn for each seed (of the stored labels), a vector, or nothing."""


def drawn_from(lineage: Mapping[str, Any], label: Label) -> Label:
    """`label`, or for "random" the labels that a model's lineage counts, if it does."""
    stored = lineage.get("labels")
    if label != "random" or not isinstance(stored, list) or not stored:
        return label
    labels = tuple(tuple(map(float, each)) if isinstance(each, list) else int(each) for each, _ in stored)
    return Drawn(labels, tuple(int(count) for _, count in stored))


def drawn_labels(drawn: Drawn, seeds: Iterable[int]) -> list[int | tuple[float, ...]]:
    """A label for every seed, of that seed alone, each as likely as it is frequent."""
    ends = np.cumsum(drawn.counts)
    numbers = [random.randint(int(ends[-1])) for random in _seeded([seed, 1] for seed in _checked(seeds))]
    return [drawn.labels[int(np.searchsorted(ends, number, side="right"))] for number in numbers]


def z_from_seeds(seeds: Iterable[int], z_dim: int, step: Float[np.ndarray, " z"] | None = None) -> np.ndarray:
    """The latents `[n z_dim]` of the official command line: `RandomState(seed).randn(1, z_dim)` as float32.

    `step` is added to all: an edit. Raises InputError for a seed outside 0 … 2³² - 1.
    """
    rows = [random.randn(1, z_dim) for random in _seeded(_checked(seeds))]
    z = np.concatenate(rows or [np.zeros((0, z_dim))]).astype(np.float32)
    return z if step is None else z + step


def _checked(seeds: Iterable[int]) -> Iterator[int]:
    for seed in seeds:
        if not 0 <= seed < SEED_LIMIT:
            raise InputError(f"seed {seed} is out of range", f"use seeds from 0 to {SEED_LIMIT - 1}")
        yield int(seed)


def _seeded(seeds: Iterable[int | list[int]]) -> Iterator[np.random.RandomState]:
    """One generator, seeded anew each time: a new one asks the system for entropy first, which takes far longer."""
    random = np.random.RandomState(0)
    for seed in seeds:
        random.seed(seed)
        yield random


def labels(class_idx: int | Sequence[int] | None, n: int, c_dim: int) -> np.ndarray:
    """One-hot labels `[n c_dim]` of one class, or of one class for each sample.

    Raises InputError where a conditional model gets no class, an unconditional one gets one, or it is out of range.
    """
    if c_dim == 0:
        if class_idx is not None:
            raise InputError("class: this model is not conditional", "leave the class out")
        return np.zeros((n, 0), np.float32)
    if class_idx is None:
        raise InputError(f"class: this model is conditional on {c_dim} classes", f"pass one from 0 to {c_dim - 1}")
    wanted = np.broadcast_to(np.asarray(class_idx), (n,))
    for index in wanted:
        if not 0 <= index < c_dim:
            raise InputError(f"class: {index} is no class of this model", f"use 0 to {c_dim - 1}")
    return np.eye(c_dim, dtype=np.float32)[wanted]


def random_classes(seeds: Iterable[int], c_dim: int) -> list[int]:
    """A class for every seed, `RandomState([seed, 1]).randint(c_dim)`: of that seed alone, and independent of its z.

    Raises InputError for a seed outside 0 … 2³² - 1, and if there are no classes.
    """
    if c_dim == 0:
        raise InputError("class: this model is not conditional", "leave the class out")
    return [int(random.randint(c_dim)) for random in _seeded([seed, 1] for seed in _checked(seeds))]


def labels_of(class_idx: Label, seeds: Sequence[int], c_dim: int) -> np.ndarray:
    """Labels `[n c_dim]` of seeds: all of one class or vector, or each its own random one. InputError as `labels`."""
    if isinstance(class_idx, Drawn):
        class_idx.check(c_dim)
        return np.concatenate([labels_of(each, [0], c_dim) for each in drawn_labels(class_idx, seeds)])
    if isinstance(class_idx, tuple):
        if len(class_idx) != c_dim:
            what = f"class: a vector of {len(class_idx)} numbers, this model takes {c_dim or 'none'}"
            raise InputError(what, f"pass {c_dim} numbers with commas" if c_dim else "leave the class out")
        return np.repeat(np.array([class_idx], np.float32), len(seeds), 0)
    return labels(random_classes(seeds, c_dim) if class_idx == "random" else class_idx, len(seeds), c_dim)


def broadcast(w: Float[Array, "n d"], num_ws: int) -> Float[Array, "n l d"]:
    """One w for every layer."""
    return jnp.broadcast_to(w[:, None], (w.shape[0], num_ws, w.shape[1]))


def truncate(
    ws: Float[Array, "n l d"], w_avg: Float[Array, " d"], psi: ArrayLike, cutoff: int | None = None
) -> Float[Array, "n l d"]:
    """Pulls ws towards `w_avg`: w_avg + psi·(ws - w_avg) in the first `cutoff` layers (all by default).

    At psi = 1 the ws come back unchanged to the bit. psi may be traced and may lie outside [0, 1].
    """
    pulled = jnp.where(psi == 1, ws, w_avg + psi * (ws - w_avg))
    return pulled if cutoff is None else jnp.concatenate([pulled[:, :cutoff], ws[:, cutoff:]], 1)


def mix_styles(rows: np.ndarray, columns: np.ndarray, layers: Sequence[int]) -> np.ndarray:
    """Style mixing: every row's ws with `layers` taken from every column's.

    `[r l d]`, `[c l d]` → `[r c l d]`. Raises InputError for a layer the model does not have.
    """
    unknown = [layer for layer in layers if not 0 <= layer < rows.shape[1]]
    if unknown:
        raise InputError(f"layers: the model has no layer {unknown[0]}", f"use 0 to {rows.shape[1] - 1}")
    mixed = np.repeat(rows[:, None], len(columns), 1)
    mixed[:, :, list(layers)] = columns[None][:, :, list(layers)]
    return mixed
