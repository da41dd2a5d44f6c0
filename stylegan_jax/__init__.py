"""StyleGAN2 in JAX: read the weights people have, blend models layer by layer, sample at scale.

import stylegan_jax as sj
from interp.mix import blend
from interp.schedules import swap
from stylegan_jax.sampler import sample

base, toon = sj.load("ffhq.pkl"), sj.load("toon.pkl")
mixed = blend(base, toon, swap(16))
for images in sample(mixed, seeds=range(36), truncation_psi=0.7): ...
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stylegan_jax import interrupts
from stylegan_jax.storage.shipped import shipped_models

if TYPE_CHECKING:
    from stylegan_jax.storage.checkpoint import Model

interrupts.quiet_start()

__all__ = ["load", "save", "shipped_models"]


def load(path: str | Path, *, networks: Sequence[str] | None = None) -> "Model":
    """Reads any model: ours, an official or TensorFlow `.pkl`, a `.pt`, a training run, a shipped or a public model.

    A bare name such as `portraits` is a shipped model; `./portraits` is a path. Nothing in a file is ever executed.
    What has an address is fetched once and kept in the user's cache.

    Args:
      path: the file, folder or name, or an address: `https://…/ffhq.pkl`, `hf://owner/repo/file`, `gs://…`, `s3://…`.
      networks: which of "G", "D", "G_ema" to read; all by default.

    Raises InputError, which says what the file is and what to do, if it holds no StyleGAN2 model.
    """
    from convert import read

    return read(shipped_models().get(str(path), path), networks=networks)


def save(model: "Model", path: str | Path, *, overwrite: bool = False) -> Path:
    """Writes a model in the form of the suffix: `.safetensors`, `.pkl` (official), otherwise an Orbax directory.

    Raises InputError if `path` exists (unless `overwrite`).
    """
    from convert import write

    return write(model, path, overwrite=overwrite)
