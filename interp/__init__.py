"""Resolution-dependent blending of two StyleGAN2 models."""
