"""In what precision the networks compute."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array


def widen(x: Array) -> Array:
    """16-bit arrays as float32, in which sums and gains are computed (√2 and 0.2 have no 16-bit form)."""
    return x if x.dtype.itemsize > 2 else x.astype(jnp.float32)


def product_precision() -> str | None:
    """That of products: float32 is true float32 on every backend, unless `jax.default_matmul_precision` says otherwise.

    JAX's own default is ten bits on GPUs and seven on TPUs.
    """
    config: Any = jax.config
    return None if config.jax_default_matmul_precision else "highest"
