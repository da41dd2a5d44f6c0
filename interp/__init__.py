"""Resolution-dependent blending of two StyleGAN2 models."""

from stylegan_jax import starting

starting.begin()
