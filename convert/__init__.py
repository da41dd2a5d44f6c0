"""Reads and writes the model files people have; a file is recognised by its content."""

from stylegan_jax import starting as starting  # before all else: it makes Ctrl-C quiet

# isort: split
from convert.kinds import sniff
from convert.locating import locate, naming
from convert.psp import read_encoder
from convert.reading import read, read_config
from convert.vgg16 import read_vgg16
from convert.writing import write

__all__ = ["locate", "naming", "read", "read_config", "read_encoder", "read_vgg16", "sniff", "write"]
