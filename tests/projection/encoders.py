"""Small encoders that nobody has trained, for tests that need one of the right form."""

import dataclasses

import numpy as np

from stylegan_jax.projection.encoder import EncoderConfig, EncoderFile, layout
from stylegan_jax.projection.latentspace import latent_space, widest
from stylegan_jax.storage import checkpoint


def untrained(model, seed=0):
    """An encoder of a model: random weights, of which even the first answers are no means."""
    usual = EncoderConfig.for_generator(model.config.generator)
    config = dataclasses.replace(usual, rank=8, width=4, most=8, features=16)
    random, space = np.random.RandomState(seed), latent_space(model, samples=500)
    weights = {name: random.standard_normal(shape).astype(np.float32) for name, shape in layout(config).items()}
    weights |= {"center": space.center, "unwhiten": widest(space, config.rank)[1]}
    return EncoderFile(config, weights, checkpoint.fingerprint(model), {"model": model.lineage["source"], "looks": 0})


def silent(model):
    """An encoder whose first answers are the mean."""
    drawn = untrained(model)
    weights = {n: leaf * 0 if n.startswith(("first.", "further.")) else leaf for n, leaf in drawn.weights.items()}
    return dataclasses.replace(drawn, weights=weights)
