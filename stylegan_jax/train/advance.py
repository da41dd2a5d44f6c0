"""How a run goes on from one iteration to a later one: phase by phase, or many iterations in one program."""

import contextlib
import time
from typing import Any, Literal, Protocol, runtime_checkable

import jax
import numpy as np
from jaxtyping import Array

from stylegan_jax import compiling
from stylegan_jax.errors import InputError
from stylegan_jax.train.data.dataset import Dataset
from stylegan_jax.train.phases import Phases
from stylegan_jax.train.resident import Cycles, Resident
from stylegan_jax.train.state import State

Stats = dict[str, Array]
How = Literal["auto", "on", "off"]
SHARE = 1 / 4
"""Of a device's memory: the most that the data set takes there unasked. Weights and activations need the rest."""
_LONGEST = 128  # iterations in one call
_CALL = 1.0  # seconds of one call: between two of them progress is shown and signals are obeyed


@runtime_checkable
class Data(Protocol):
    """What training asks of a data set."""

    def __len__(self) -> int: ...

    @property
    def labels(self) -> np.ndarray:
        """Of every image, [n c_dim]."""
        ...

    def image(self, index: int) -> np.ndarray:
        """The pixels of one image."""
        ...

    def batch(self, counter: int, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Training images number `counter` … `counter` + n - 1 of the endless order, and their labels."""
        ...


@runtime_checkable
class Advance(Protocol):
    """Moves the state on; `seconds` is what the last call took, 0 before there was one."""

    seconds: float

    def __call__(self, state: State, iteration: int, until: int) -> tuple[State, int, Stats]:
        """(the state, its iteration, what the phases report), at most `until`; the state given is used up."""
        ...


class PhaseByPhase:
    """One iteration in a call; every phase is a program, and the images come from the host."""

    def __init__(self, phases: Phases, data: Data):
        self._phases, self._data, self._pending = phases, data, None
        self._labels = jax.device_put(np.asarray(data.labels, np.float32), phases.replicated)
        self.seconds = 0.0

    def __call__(self, state: State, iteration: int, until: int) -> tuple[State, int, Stats]:
        """One iteration; waits for the one before, so that work does not pile up."""
        begun = time.monotonic()
        with compiling.expected() if self._pending is None else contextlib.nullcontext():
            state, means = self._phases.iterate(state, iteration, *self.real(iteration), self._labels)
        if self._pending is not None:
            jax.block_until_ready(self._pending)
            self.seconds = time.monotonic() - begun
        self._pending = means
        return state, iteration + 1, means

    def real(self, iteration: int) -> tuple[Array, Array]:
        """The real images and labels of an iteration, spread over the devices."""
        batch = self._phases.config.batch
        pixels, labels = self._data.batch(iteration * batch, batch)
        return jax.device_put((pixels, np.asarray(labels, np.float32)), self._phases.split)


class Together:
    """As many iterations in one call as take about a second, on a data set that lies on the device."""

    def __init__(self, phases: Phases, data: Dataset, like: State):
        with compiling.expected():
            self._cycles = Cycles(phases, Resident.of(data, phases), like, _LONGEST)
        self._batch, self._order = phases.config.batch, data.order
        self._count, self._ready = 1, 0.0
        self._pending: tuple[Stats, int, float] | None = None
        self.seconds = 0.0

    def __call__(self, state: State, iteration: int, until: int) -> tuple[State, int, Stats]:
        """Some iterations; waits for those of the call before, and learns from them how many take a second."""
        count, begun = min(self._count, until - iteration), time.monotonic()
        indices = self._order.take(iteration * self._batch, count * self._batch).reshape(count, self._batch)
        state, stats = self._cycles(state, indices)
        if self._pending is not None:
            self._learn(*self._pending)
        self._pending = stats, count, begun
        return state, iteration + count, stats

    def _learn(self, stats: Stats, count: int, begun: float) -> None:
        jax.block_until_ready(stats)
        now = time.monotonic()
        self.seconds, self._ready = now - max(begun, self._ready), now
        fitting = int(_CALL * count / max(self.seconds, 1e-6))
        self._count = min(max(fitting, 1), 2 * self._count, self._cycles.most)


def choose(resident: How, phases: Phases, data: Data, like: State) -> Advance:
    """Phase by phase, or together: unasked only on accelerators, where the data set takes no more than `SHARE`.

    Raises InputError where it is asked for and the data set is none whose pixels lie in one array.
    """
    if resident == "on" and not isinstance(data, Dataset):
        raise InputError("this data set does not lie in one array", "leave --resident out", file="--resident on")
    together = resident == "on" or (resident == "auto" and fits(data, phases.mesh.devices.flat[0]))
    return Together(phases, data, like) if together and isinstance(data, Dataset) else PhaseByPhase(phases, data)


def fits(data: Data, device: Any) -> bool:
    """Whether an accelerator has room for the data set; False where that, or its memory, is not known."""
    if not isinstance(data, Dataset):
        return False
    limit = (device.memory_stats() or {}).get("bytes_limit", 0) if device.platform != "cpu" else 0
    return data.images.pixels.nbytes <= SHARE * limit
