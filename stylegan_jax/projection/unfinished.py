"""What an interrupted projection leaves, so that it can go on: a file that is written now and then."""

import dataclasses
import hashlib
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from stylegan_jax.errors import InputError
from stylegan_jax.pictures.naming import difference
from stylegan_jax.projection.descent import Settings, Standing, State, Step
from stylegan_jax.storage import arrays, atomic, checkpoint, inputs
from stylegan_jax.storage.checkpoint import Model
from stylegan_jax.storage.inputs import Budget

EVERY = 20.0
"""Seconds between two writes: so much work is soon done again."""
_MOMENTS = ("parameters", "first", "second")
_MOST = 256  # arrays: three of each noise image and of w


class Unfinished:
    """The place of one projection's file.

    Args:
      path: of the file.
      resume: go on with what is there; else it must not be there.
      overwrite: unless going on, what is there may be replaced.

    Raises InputError for a file that is there and is neither to be gone on with nor replaced.
    """

    def __init__(self, path: Path, *, resume: bool, overwrite: bool = False):
        if path.exists() and not (resume or overwrite):
            remedy = "pass --resume to go on with it, or --overwrite to begin anew"
            raise InputError("a projection was interrupted", remedy, file=path)
        self.path, self._resume = path, resume
        self._written, self._made_by = time.monotonic(), {}

    def begin(self, made_by: Mapping[str, Any]) -> Standing | None:
        """Where to go on, None for the beginning; `made_by` is all that the result depends on.

        Raises InputError for the file of another projection, and for what is no such file.
        """
        self._made_by = json.loads(json.dumps(made_by))
        if not (self._resume and self.path.exists()):
            return None
        try:
            found, leaves = _read(self.path)
            standing = Standing(int(leaves.pop("step")), State(*(_below(leaves, name) for name in _MOMENTS)))
        except Exception as error:  # numpy and zipfile raise all kinds
            raise InputError("is no interrupted projection", "move it away", file=self.path) from error
        if changed := difference(found, self._made_by):
            raise InputError(
                f"was {changed}", "type what was typed then, or pass --overwrite in place of --resume", file=self.path
            )
        return standing

    def keep(self, step: Step) -> None:
        """Writes where a descent stands, if the last time is long ago; whole or not at all."""
        if time.monotonic() - self._written < EVERY:
            return
        standing = step.standing()
        leaves = {f"{moment}.{name}": leaf for moment in _MOMENTS for name, leaf in _flat(standing, moment).items()}
        made_by = np.array(json.dumps(self._made_by))
        with atomic.new_file(self.path, overwrite=True) as file:
            np.savez(file, made_by=made_by, step=np.array(standing.step), **leaves)  # type: ignore[arg-type]
        self._written = time.monotonic()

    def done(self) -> None:
        """The results are written: the file goes."""
        self.path.unlink(missing_ok=True)


def described(
    model: Model, pictures: np.ndarray, settings: Settings, loss: str, start: np.ndarray | None, seed: int
) -> dict[str, Any]:
    """All that the steps of a projection depend on."""
    begun = None if start is None else hashlib.sha256(np.ascontiguousarray(start, "<f4").tobytes()).hexdigest()
    return {
        "model_sha256": checkpoint.fingerprint(model),
        "pictures_sha256": hashlib.sha256(np.ascontiguousarray(pictures).tobytes()).hexdigest(),
        "loss": loss,
        "start_sha256": begun,
        "seed": seed,
        **dataclasses.asdict(settings),
    }


def _read(path: Path) -> tuple[Any, dict[str, np.ndarray]]:
    """What the file says that it was made by, and its other arrays by name."""
    with inputs.open_regular(path) as file:
        budget = Budget(os.fstat(file.fileno()).st_size)
        with inputs.open_zip(file, budget, most=_MOST) as archive:
            leaves = {name: arrays.read(archive, entry, budget) for name, entry in arrays.members(archive).items()}
    return inputs.parsed(str(leaves.pop("made_by")).encode(), budget), leaves


def _flat(standing: Standing, moment: str) -> dict[str, np.ndarray]:
    """`w`, and the noise images as `noise.b8.conv0`."""
    tree = getattr(standing.state, moment)
    return {"w": tree["w"], **{f"noise.{name}": leaf for name, leaf in tree.get("noise", {}).items()}}


def _below(leaves: Mapping[str, np.ndarray], moment: str) -> dict[str, Any]:
    """The inverse of `_flat`."""
    start = f"{moment}.noise."
    noise = {name.removeprefix(start): leaf for name, leaf in leaves.items() if name.startswith(start)}
    return {"w": leaves[f"{moment}.w"], **({"noise": noise} if noise else {})}
