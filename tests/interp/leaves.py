"""Tensors of blends, compared bit for bit."""

from typing import Any

import numpy as np

from stylegan_jax.storage.checkpoint import Model

POISON = np.array([-0.0, 1e-40, np.inf, -np.inf, np.nan, 0.0, 1.5, -1e-45], np.float32)
"""What a sum would change, or spread."""


def f32(values: Any) -> np.ndarray:
    """As the mixer takes numbers."""
    return np.array(values, np.float32)


def weights(model: Model) -> dict[str, np.ndarray]:
    """The tensors of G_ema."""
    return model.networks["G_ema"]


def assert_same_bits(found: Any, expected: np.ndarray) -> None:
    """Dtype and every bit."""
    assert np.asarray(found).dtype == expected.dtype
    assert np.asarray(found).tobytes() == expected.tobytes()
