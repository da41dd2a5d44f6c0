"""The command that samples, run in this process, and what it wrote."""

from typing import Any

import numpy as np

from stylegan_jax.commands import cli
from stylegan_jax.commands import sample as command
from stylegan_jax.pictures import images


def sample(*arguments: Any) -> int:
    """The command's exit code."""
    return cli.run(command.sample, "python -m stylegan_jax sample", [str(argument) for argument in arguments])


def pixels(path: Any) -> np.ndarray:
    """Of a file, as integers whose difference is no overflow."""
    return images.read(path).astype(int)
