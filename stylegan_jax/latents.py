"""Latents: seeds → z, labels, w for every layer, truncation, style mixing."""

from collections.abc import Iterable, Sequence
from typing import Literal

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from stylegan_jax.errors import InputError

SEED_LIMIT = 2**32


def z_from_seeds(seeds: Iterable[int], z_dim: int) -> np.ndarray:
    """The latents `[n z_dim]` of the official command line: `RandomState(seed).randn(1, z_dim)` as float32.

    Raises InputError for a seed outside 0 … 2³² - 1.
    """
    rows = [np.random.RandomState(_checked(seed)).randn(1, z_dim) for seed in seeds]
    return np.concatenate(rows or [np.zeros((0, z_dim))]).astype(np.float32)


def _checked(seed: int) -> int:
    if not 0 <= seed < SEED_LIMIT:
        raise InputError(f"seed {seed} is out of range", f"use seeds from 0 to {SEED_LIMIT - 1}")
    return int(seed)


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
    return [int(np.random.RandomState([_checked(seed), 1]).randint(c_dim)) for seed in seeds]


def labels_of(class_idx: int | Literal["random"] | None, seeds: Sequence[int], c_dim: int) -> np.ndarray:
    """One-hot labels `[n c_dim]` of seeds: all of one class, or each of its own random one. InputError as `labels`."""
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
