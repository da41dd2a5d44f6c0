"""Small random models for tests that need a network but no golden."""

from typing import Any

import numpy as np

from stylegan_jax.config import DiscriminatorConfig, GeneratorConfig, ModelConfig
from stylegan_jax.filters import setup_filter
from stylegan_jax.names import layout_of
from stylegan_jax.storage.checkpoint import Model


def tiny_model(seed: int = 0, *, discriminator: bool = False, **fields: Any) -> Model:
    """A 16×16 generator whose every tensor matters: biases, noise strengths and w_avg are not zero."""
    fields = {"img_resolution": 16, "z_dim": 16, "w_dim": 16, "channel_max": 8, "mapping_layers": 2, **fields}
    generator = GeneratorConfig(**fields)
    shared = {name: fields[name] for name in ("img_resolution", "img_channels", "c_dim") if name in fields}
    config = ModelConfig(
        generator=generator,
        discriminator=DiscriminatorConfig(channel_max=8, **shared) if discriminator else None,
    )
    networks = ("G", "D", "G_ema") if discriminator else ("G_ema",)
    weights = {network: random_weights(config, network, seed + i) for i, network in enumerate(networks)}
    return Model(config, weights, {"source": f"tiny-{seed}"})


def random_weights(config: ModelConfig, network: str, seed: int) -> dict[str, np.ndarray]:
    """Plausible weights for every tensor of `network`."""
    rng = np.random.RandomState(seed)
    return {name: _leaf(rng, name, shape) for name, shape in layout_of(config, network).items()}


def _leaf(rng: np.random.RandomState, name: str, shape: tuple[int, ...]) -> np.ndarray:
    value = rng.standard_normal(shape)
    if name.endswith("resample_filter"):
        value = setup_filter((1, 3, 3, 1))
    elif name.endswith("affine.bias"):
        value = 1 + 0.3 * value
    elif name.endswith(("bias", "noise_strength", "w_avg")):
        value = 0.3 * value
    elif name.startswith("mapping.fc"):
        value = 100 * value
    return np.asarray(value, np.float32)
