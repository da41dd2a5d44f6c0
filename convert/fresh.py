"""Tensors as training begins with them: of a discriminator for a model that has none, which the official loaders insist
on, and of blocks that a model grows."""

import dataclasses

import numpy as np

from convert.facts import configured_taps
from stylegan_jax import names
from stylegan_jax.config import DiscriminatorConfig, GeneratorConfig, ModelConfig
from stylegan_jax.filters import setup_filter
from stylegan_jax.storage.checkpoint import Model

SEED = 0
_ALIKE = ("img_resolution", "img_channels", "c_dim", "channel_base", "channel_max", "channel_table", "num_fp16_res")
_ALIKE += ("fp16_channels_last", "conv_clamp", "activation")


def lacks_discriminator(model: Model) -> bool:
    """Whether there is none, and can be one: a 4×4 model has none, as discriminators begin at 8×8."""
    return "D" not in model.networks and model.config.generator.img_resolution >= 8


def with_discriminator(model: Model) -> Model:
    """The model with a discriminator, freshly drawn where it `lacks` one."""
    if not lacks_discriminator(model):
        return model
    generator = model.config.generator
    config = model.config.discriminator or DiscriminatorConfig(**{name: getattr(generator, name) for name in _ALIKE})
    return dataclasses.replace(
        model,
        config=ModelConfig(generator=generator, discriminator=config),
        networks={**model.networks, "D": drawn(config, names.discriminator_layout(config))},
    )


def drawn(
    config: GeneratorConfig | DiscriminatorConfig, layout: names.Layout, seed: int = SEED
) -> dict[str, np.ndarray]:
    """Initial values of a network's tensors as the official programs draw them.

    Weights are N(0, 1) over the learning rate's multiplier, so is noise; biases are 0, but 1 where they scale channels.
    """
    random = np.random.RandomState(seed)
    return {name: _leaf(random, config, name, shape) for name, shape in layout.items()}


def _leaf(
    random: np.random.RandomState, config: GeneratorConfig | DiscriminatorConfig, name: str, shape: tuple[int, ...]
) -> np.ndarray:
    if name.endswith("resample_filter"):
        return setup_filter(configured_taps(config, name))
    if name.endswith((".bias", ".noise_strength", ".w_avg")):
        return np.full(shape, name.endswith(".affine.bias"), np.float32)
    rate = config.mapping_lr_multiplier if name.startswith("mapping.fc") else 1
    return (random.standard_normal(shape) / rate).astype(np.float32)
