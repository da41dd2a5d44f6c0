"""Checkpoints of the training state: Orbax, written in the background, the last few kept."""

import contextlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np

from stylegan_jax import names
from stylegan_jax.errors import InputError, remedy_of, say, system_fault
from stylegan_jax.storage.checkpoint import crc32
from stylegan_jax.storage.quiet import quiet
from stylegan_jax.train.state import State

_STEP = re.compile(r"\d{9,}")
_UNFINISHED = re.compile(r"\d{9,}\.orbax-checkpoint-tmp.*")
_SUMS = "crc32"


class Checkpoints:
    """The checkpoints of one run, `folder/000001234` for iteration 1234; each appears whole or not at all.

    One that cannot be read is kept, counts as none when older ones are dropped, and makes room for a new one of the
    same iteration.
    """

    def __init__(self, folder: Path, keep: int):
        import orbax.checkpoint.experimental.v1 as ocp

        quiet()
        self._ocp, self._folder, self._keep, self._pending = ocp, folder.absolute(), keep, None
        self._unreadable: set[int] = set()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:
            raise InputError("is no folder", "move it elsewhere: the run then begins anew", file=folder) from error
        for leftover in self._folder.iterdir():
            if _UNFINISHED.fullmatch(leftover.name):  # of a save that was killed
                shutil.rmtree(leftover, ignore_errors=True)

    def steps(self) -> list[int]:
        """Iterations of which there is a checkpoint that is not known to be unreadable, oldest first."""
        return [step for step in self._found() if step not in self._unreadable]

    def _found(self) -> list[int]:
        return sorted(int(place.name) for place in self._folder.iterdir() if _STEP.fullmatch(place.name))

    def _place(self, step: int) -> Path:
        return self._folder / f"{step:09d}"

    def save(self, state: State) -> None:
        """Begins to write the state, after the previous one is whole; the state may be donated at once.

        OSError of a full disk names the folder, here and in `wait`.
        """
        self.wait()
        step = int(state.iteration)
        if step in self.steps():
            return
        leaves = {key: np.array(leaf) for key, leaf in to_leaves(state).items()}  # a copy that no donation reaches
        sums = {_SUMS: {key: crc32(leaf) for key, leaf in leaves.items()}}
        with _disk_named(self._folder):
            overwrite = step in self._unreadable
            self._pending = self._ocp.save_async(self._place(step), leaves, overwrite=overwrite, custom_metadata=sums)
        self._unreadable.discard(step)

    def wait(self) -> None:
        """Returns when nothing is being written, and drops what is older than the last few."""
        pending, self._pending = self._pending, None
        if pending is not None:
            with _disk_named(self._folder):
                pending.result()
        for step in self.steps()[: -self._keep]:
            shutil.rmtree(self._place(step))

    def load(self, like: State) -> State | None:
        """The newest state that can be read, or None where there is none; says on stderr which ones cannot be read.

        Raises InputError if there are some and none can be read, or if it is not of the shape of `like`.
        """
        faults: list[InputError] = []
        for step in reversed(self._found()):
            try:
                state = self._read(step, to_leaves(like))
            except InputError as error:
                faults.append(error)
                self._unreadable.add(step)
                continue
            for fault in faults:
                say(f"{fault.file}: {fault.what}; going on from iteration {step}")
            return state
        if faults:
            raise faults[0]
        return None

    def _read(self, step: int, wanted: dict[str, Any]) -> State:
        place = self._place(step)
        try:
            found = self._ocp.load(place, {k: np.empty(v.shape, v.dtype) for k, v in wanted.items()})
            sums = (self._ocp.metadata(place).custom_metadata or {}).get(_SUMS, {})
        except Exception as error:  # Orbax and TensorStore raise all kinds
            raise _unreadable(error, place) from error
        lines = names.differences(found, {k: tuple(v.shape) for k, v in wanted.items()})
        if lines:
            what = "does not fit the run\n  " + "\n  ".join(lines) + "\n"
            raise InputError(what, "give the run another folder", file=place)
        if wrong := [key for key, leaf in found.items() if key in sums and crc32(leaf) != sums[key]]:
            what = f"is damaged: the checksums of {len(wrong)} arrays differ, {', '.join(wrong[:6])}"
            raise InputError(what, "remove it: the run then begins anew", file=place)
        return of_leaves(found)


@contextlib.contextmanager
def _disk_named(folder: Path) -> Iterator[None]:
    """Whatever Orbax and TensorStore raise of a full or failing disk becomes an OSError that names the place."""
    try:
        yield
    except Exception as error:
        if (fault := system_fault(error)) is None:
            raise
        raise OSError(fault.errno, fault.strerror, str(folder)) from error


def _unreadable(error: Exception, place: Path) -> InputError:
    """What the system said, where it is at fault: nothing is wrong with the checkpoint then."""
    if (fault := system_fault(error)) is not None:
        return InputError(f"cannot be read ({fault.strerror})", remedy_of(fault), file=place)
    reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
    return InputError(f"cannot be read ({reason})", "move it elsewhere: the run then begins anew", file=place)


def to_leaves(state: State) -> dict[str, Any]:
    """The state as one flat dict: `G.mapping.fc0.weight`, `ada_p`, …"""
    return names.flatten(state._asdict())


def of_leaves(leaves: dict[str, Any]) -> State:
    """The inverse of `to_leaves`, as arrays that training may donate."""
    tree: dict[str, Any] = {"g_second": {}, "d_second": {}, "partner": {}}  # which may have no leaves
    for key, leaf in leaves.items():
        field, _, name = key.partition(".")
        if name:
            tree.setdefault(field, {})[name] = leaf
        else:
            tree[field] = leaf
    return jax.tree.map(lambda leaf: jax.numpy.array(leaf, copy=True), State(**tree))
