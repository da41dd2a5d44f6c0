"""Writes a model in any supported format, which the file's suffix names."""

from pathlib import Path

from convert import fresh, official, rosinality
from stylegan_jax.storage import checkpoint
from stylegan_jax.storage.checkpoint import Model


def made_up(model: Model, path: str | Path) -> list[str]:
    """What `write` adds to a model because the format wants it, a line each."""
    if Path(path).suffix != ".pkl" or not fresh.lacks_discriminator(model):
        return []
    return [f"D: the model has none, so a fresh one of the same shape is written (seed {fresh.SEED})"]


def write(model: Model, path: str | Path, *, overwrite: bool = False, sg3: bool = False) -> Path:
    """Writes a model in the format of the suffix and returns its absolute path.

    `.pkl` is a pickle for stylegan2-ada-pytorch, or (`sg3`) for the stylegan3 repository, `.pt` a rosinality
    checkpoint, `.safetensors` one file of ours, anything else an Orbax directory. Raises InputError if `path` exists
    (unless `overwrite`) or the format cannot hold the model, OSError if the disk is full or unwritable.
    """
    suffix = Path(path).suffix
    if suffix == ".pkl":
        return official.write(model, path, overwrite=overwrite, sg3=sg3)
    save = rosinality.write if suffix in (".pt", ".pth") else checkpoint.save
    return save(model, path, overwrite=overwrite)
