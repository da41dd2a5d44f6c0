"""The blend's arithmetic, pure and jitted: (1 − Σ α_k)·base + Σ α_k·p_k for one tensor or for many. Needs JAX alone."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float


@jax.jit
def mix_leaves(base: ArrayLike, others: Sequence[ArrayLike], alphas: Float[Any, " k"]) -> Array:
    """Mixes one tensor of the base with the same tensor of `k` others.

    Bit-equal to a model whose share is 1 while the others' are 0, whatever they hold (−0.0, 1e-40, inf, NaN); a share
    of 0 contributes nothing. The gradient is that of the plain formula, at 0 and 1 too.
    """
    leaves = [jnp.asarray(leaf) for leaf in (base, *others)]
    return _mix(jnp.asarray(alphas).astype(leaves[0].dtype), *leaves)


@jax.jit
def mix_trees(
    base: Mapping[str, ArrayLike], others: Sequence[Mapping[str, ArrayLike]], alphas: Mapping[str, Float[Any, " k"]]
) -> dict[str, Array]:
    """Mixes the tensors named by `alphas`, each with its own α per transfer model; pure, and α is data.

    Compiled once for a set of names and shapes: neither α nor a schedule nor r_swap recompiles. Raises KeyError where
    a model lacks a tensor.
    """
    return {name: mix_leaves(base[name], [other[name] for other in others], alpha) for name, alpha in alphas.items()}


@jax.custom_jvp
def _mix(alphas: Array, base: Array, *others: Array) -> Array:
    mixed = _used(1 - alphas.sum(), base)
    for i, other in enumerate(others):
        mixed = mixed + _used(alphas[i], other)
    mixed = jnp.where(jnp.all(alphas == 0), base, mixed)
    for i, other in enumerate(others):
        mixed = jnp.where(jnp.all(alphas == np.eye(len(others))[i].astype(alphas.dtype)), other, mixed)
    return mixed


def _used(share: Array, leaf: Array) -> Array:
    """What a model contributes: nothing at share 0, whatever it holds."""
    return jnp.where(share == 0, 0, share * leaf)


@_mix.defjvp
def _mix_jvp(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    return _mix(*primals), jax.jvp(_plain, primals, tangents)[1]


def _plain(alphas: Array, base: Array, *others: Array) -> Array:
    """The formula alone, whose tangent the mixture has: `where` alone has gradient 0 at the ends."""
    mixed = (1 - alphas.sum()) * base
    for i, other in enumerate(others):
        mixed = mixed + alphas[i] * other
    return mixed
