"""StyleGAN2 in JAX: networks, checkpoints, sampling."""
