"""Seeds or ws → images, on all local devices."""

from stylegan_jax.sampler.run import map_seeds, sample, sample_ws

__all__ = ["map_seeds", "sample", "sample_ws"]
