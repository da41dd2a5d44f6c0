"""Checkpoints of the training state: Orbax, written in the background, the last few kept."""

import logging
import re
import shutil
from pathlib import Path
from typing import Any

import jax
import numpy as np

from stylegan_jax import names
from stylegan_jax.checkpoint import disk_errors
from stylegan_jax.errors import InputError
from stylegan_jax.train.state import State

_STEP = re.compile(r"\d{9,}")


class Checkpoints:
    """The checkpoints of one run, `folder/000001234` for iteration 1234; each appears whole or not at all."""

    def __init__(self, folder: Path, keep: int):
        import orbax.checkpoint.experimental.v1 as ocp

        logging.getLogger("absl").setLevel(logging.CRITICAL)  # Orbax narrates, and prints its own errors
        self._ocp, self._folder, self._keep, self._pending = ocp, folder.absolute(), keep, None
        self._folder.mkdir(parents=True, exist_ok=True)
        for leftover in self._folder.iterdir():
            if not _STEP.fullmatch(leftover.name):  # of a save that was killed
                shutil.rmtree(leftover, ignore_errors=True)

    def steps(self) -> list[int]:
        """Iterations of which there is a checkpoint, oldest first."""
        return sorted(int(place.name) for place in self._folder.iterdir() if _STEP.fullmatch(place.name))

    def save(self, state: State) -> None:
        """Begins to write the state, after the previous one is whole; the state may be donated at once."""
        self.wait()
        step = int(state.iteration)
        if step in self.steps():
            return
        leaves = {key: np.array(leaf) for key, leaf in to_leaves(state).items()}  # a copy that no donation reaches
        with disk_errors(self._folder):
            self._pending = self._ocp.save_async(self._folder / f"{step:09d}", leaves)

    def wait(self) -> None:
        """Returns when nothing is being written, and drops what is older than the last few; OSError of a full disk."""
        pending, self._pending = self._pending, None
        if pending is not None:
            with disk_errors(self._folder):
                pending.result()
        for step in self.steps()[: -self._keep]:
            shutil.rmtree(self._folder / f"{step:09d}")

    def load(self, like: State) -> State | None:
        """The newest state, or None; InputError if it is not of the shape of `like`."""
        steps = self.steps()
        if not steps:
            return None
        place, wanted = self._folder / f"{steps[-1]:09d}", to_leaves(like)
        try:
            found = self._ocp.load(place, {k: np.empty(v.shape, v.dtype) for k, v in wanted.items()})
        except Exception as error:  # Orbax and TensorStore raise all kinds
            raise InputError(f"is damaged ({str(error).splitlines()[0][:200]})", "remove it", file=place) from error
        lines = names.differences(found, {k: tuple(v.shape) for k, v in wanted.items()})
        if lines:
            raise InputError("does not fit the run\n  " + "\n  ".join(lines) + "\n", "remove it", file=place)
        return of_leaves(found)


def to_leaves(state: State) -> dict[str, Any]:
    """The state as one flat dict: `G.mapping.fc0.weight`, `ada_p`, …"""
    return names.flatten(state._asdict())


def of_leaves(leaves: dict[str, Any]) -> State:
    """The inverse of `to_leaves`, as arrays that training may donate."""
    tree: dict[str, Any] = {"g_second": {}, "d_second": {}}  # they have no leaves where all is frozen
    for key, leaf in leaves.items():
        field, _, name = key.partition(".")
        if name:
            tree.setdefault(field, {})[name] = leaf
        else:
            tree[field] = leaf
    return jax.tree.map(lambda leaf: jax.numpy.array(leaf, copy=True), State(**tree))
