"""Small models in files, as the commands meet them."""

from pathlib import Path
from typing import Any

import stylegan_jax as sj
from tests.tiny_models import tiny_model

BASE, TRANSFER = "ffhq.safetensors", "toon.safetensors"
PAIR = ("--base", BASE, "--transfer", TRANSFER)


def save_models(*names: str, **fields: Any) -> None:
    """Writes one model for each name into the working directory: those of the seeds 0, 1, …"""
    for seed, name in enumerate(names):
        sj.save(tiny_model(seed, **fields), name)


def written(folder: Path) -> set[str]:
    """What lies in a folder besides the two models."""
    return {path.name for path in folder.iterdir()} - {BASE, TRANSFER}
