"""Writes a model in any supported form; the form is told by the file's suffix."""

from pathlib import Path

from convert import official
from stylegan_jax import checkpoint
from stylegan_jax.checkpoint import Model


def write(model: Model, path: str | Path, *, overwrite: bool = False) -> Path:
    """Writes a model in the form of the suffix and returns its absolute path.

    `.pkl` is a stylegan2-ada-pytorch pickle, `.safetensors` one file of ours, anything else an Orbax directory. Raises
    InputError if `path` exists (unless `overwrite`), OSError if the disk is full or unwritable.
    """
    save = official.write if Path(path).suffix == ".pkl" else checkpoint.save
    return save(model, path, overwrite=overwrite)
