"""Resolution-dependent blending of two StyleGAN2 models."""

from stylegan_jax import starting as starting  # before all else: it makes Ctrl-C quiet
