"""Reads and writes the model files people have; the kind of a file is told by its content."""

from convert.kinds import sniff
from convert.reading import read
from convert.writing import write

__all__ = ["read", "sniff", "write"]
