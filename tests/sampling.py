"""The command that samples, run in this process, and what it wrote."""

from typing import Any

import numpy as np

from stylegan_jax import images
from stylegan_jax.doors import run
from stylegan_jax.sample import main


def sample(*arguments: Any) -> int:
    """The command's exit code."""
    return run(main, "python -m stylegan_jax.sample", [str(argument) for argument in arguments])


def pixels(path: Any) -> np.ndarray:
    """Of a file, as integers whose difference is no overflow."""
    return images.read(path).astype(int)
