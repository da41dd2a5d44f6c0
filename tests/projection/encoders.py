"""Encoders that nobody has trained, for tests that need one of the right form."""

import numpy as np

from stylegan_jax.projection.encoder import EncoderConfig, EncoderFile, layout
from stylegan_jax.projection.latentspace import latent_space, widest
from stylegan_jax.storage import checkpoint


def untrained(model, seed=0):
    """An encoder of a model: random weights, of which the first answers are no means."""
    config = EncoderConfig.for_generator(model.config.generator)
    random, space = np.random.RandomState(seed), latent_space(model, samples=500)
    weights = {name: random.standard_normal(shape).astype(np.float32) for name, shape in layout(config).items()}
    weights |= {"center": space.center, "unwhiten": widest(space, config.rank)[1]}
    return EncoderFile(config, weights, checkpoint.fingerprint(model), {"model": model.lineage["source"], "looks": 0})
