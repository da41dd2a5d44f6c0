"""The share of a process in a job that several do, each on its own."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from stylegan_jax.errors import InputError, say

_MOST = 1_000_000
_SPECIAL_STEPS = 0xFFFFFF00  # SLURM's numbers for batch scripts and their like begin above
_PATIENCE = 60  # seconds for all processes of a job to begin
_QUIET = 4  # seconds until it is said what is waited for
_MEETING = """
import jax
jax.distributed.initialize(num_processes={count}, process_id={index}, initialization_timeout={patience})
print(jax.process_index(), jax.process_count(), flush=True)
jax.distributed.shutdown()
"""
_SLICES = ("MEGASCALE_NUM_SLICES", "MEGASCALE_SLICE_ID")


@dataclass(frozen=True)
class Array:
    """The task numbers of a job array when it was first submitted: `first`, `first` + `step`, … `count` of them."""

    first: int = 0
    step: int = 1
    count: int = 1

    def position(self, task: int) -> int:
        """Which of them a task is, from 0; InputError if it is none."""
        position, rest = divmod(task - self.first, self.step)
        if rest or not 0 <= position < self.count:
            what = f"--distributed: task {task} is none of this set's job array, {self}"
            raise InputError(what, f"submit with --array={self}, or any of these tasks")
        return position

    def __str__(self) -> str:
        step = f":{self.step}" if self.step > 1 else ""
        return f"{self.first}-{self.first + self.step * (self.count - 1)}{step}"


@dataclass(frozen=True)
class Part:
    """Part `index` of `count`, counted from 0: a block of neighbouring images, as large as the others to within one.

    `array` numbers the tasks of the job array that it was found in.
    """

    index: int = 0
    count: int = 1
    array: Array | None = field(default=None, compare=False)

    def share(self, n: int) -> range:
        """Which of `n` images this part makes; nothing if there are more parts than images."""
        return range(n * self.index // self.count, n * (self.index + 1) // self.count)

    @property
    def suffix(self) -> str:
        """What it adds to a file name: `-0-of-4`, or nothing where one part is all."""
        return f"-{self.index}-of-{self.count}" if self.count > 1 else ""

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


def parse(text: str) -> Part:
    """`0/8` … `7/8`. Raises InputError for anything else."""
    found = re.fullmatch(r"\s*(\d{1,7})\s*/\s*(\d{1,7})\s*", text)
    if found is None:
        raise InputError("is no part", "write I/N such as 0/8", file=f"--part {text[:60] or repr(text)}")
    index, count = int(found[1]), int(found[2])
    if not 1 <= count <= _MOST:
        raise InputError(
            "is no number of parts", f"write I/N with N of 1 to {_MOST}, such as 0/8", file=f"--part {text}"
        )
    if index >= count:
        remedy = f"parts count from 0: use 0/{count} to {count - 1}/{count}"
        raise InputError(f"there is no part {index}", remedy, file=f"--part {text}")
    return Part(index, count)


def discover(environ: Mapping[str, str] = os.environ, *, submitted: Array | None = None) -> Part:
    """The part of this process in a TPU pod, a SLURM job or array, or whatever `jax.distributed` knows.

    Args:
      environ: variables of the environment.
      submitted: the job array that began the set: a task that is submitted again does what its number had then.

    Raises InputError where there is none of them.
    """
    return _of_tpu(environ) or _of_slurm(environ, submitted) or _of_jax(environ)


def array_to_json(array: Array | None) -> dict[str, int] | None:
    """For a manifest."""
    return None if array is None else asdict(array)


def array_from_json(data: Any) -> Array | None:
    """What `array_to_json` wrote; None for anything else."""
    try:
        found = Array(**data)
    except TypeError:
        return None
    whole = all(type(number) is int for number in (found.first, found.step, found.count))
    return found if whole and found.step > 0 and found.count > 0 else None


def _of_tpu(environ: Mapping[str, str]) -> Part | None:
    """Hosts of a slice, and slices of a multislice job."""
    hosts = [host for host in environ.get("TPU_WORKER_HOSTNAMES", "").split(",") if host]
    host, slices, slice_ = (_number(environ, key) for key in ("TPU_WORKER_ID", *_SLICES))
    if not hosts or host is None:
        return None
    return _part(host + len(hosts) * (slice_ or 0), len(hosts) * (slices or 1))


def _of_slurm(environ: Mapping[str, str], submitted: Array | None) -> Part | None:
    """Tasks of a step, and tasks of a job array."""
    rank, task = _number(environ, "SLURM_PROCID"), _number(environ, "SLURM_ARRAY_TASK_ID")
    if rank is None and task is None:
        return None
    ranks = _number(environ, "SLURM_STEP_NUM_TASKS") or _number(environ, "SLURM_NTASKS") or 1
    if ranks > 1 and not rank and not _in_a_step(environ):
        what = f"--distributed: SLURM started this process alone, not each of the job's {ranks} tasks"
        raise InputError(what, "start it with srun, or pass --part I/N instead")
    if task is None:
        return _part(rank or 0, ranks)
    array = submitted or _array(environ, task)
    found = _part((rank or 0) + ranks * array.position(task), ranks * array.count)
    return Part(found.index, found.count, array)


def _in_a_step(environ: Mapping[str, str]) -> bool:
    """Whether srun started this process; a batch script has rank 0 too."""
    step = _number(environ, "SLURM_STEP_ID")
    return "SLURM_STEP_NUM_TASKS" in environ or (step is not None and step < _SPECIAL_STEPS)


def _array(environ: Mapping[str, str], task: int) -> Array:
    """The job array of this submission; InputError if its numbers have gaps, which nothing in the environment tells."""
    first, step = _number(environ, "SLURM_ARRAY_TASK_MIN"), _number(environ, "SLURM_ARRAY_TASK_STEP") or 1
    first, count = first or 0, _number(environ, "SLURM_ARRAY_TASK_COUNT") or 1
    last = _number(environ, "SLURM_ARRAY_TASK_MAX")
    array = Array(first, step, count)
    if (
        (last is not None and last != first + step * (count - 1))
        or (task - first) % step
        or task > first + step * (count - 1)
    ):
        what = f"--distributed: the job array's {count} tasks are no range, and no set was begun by one"
        raise InputError(what, f"submit with --array=0-{count - 1}, or pass --part I/N instead")
    return array


def _of_jax(environ: Mapping[str, str]) -> Part:
    """Index and count as the environment has them, otherwise from a meeting of the processes, which then part."""
    count, index = _number(environ, "JAX_NUM_PROCESSES"), _number(environ, "JAX_PROCESS_ID")
    if count is not None and index is not None:
        return _part(index, count)
    return _met(count, index)


def _met(count: int | None, index: int | None) -> Part:
    """Index and count of a meeting of all processes.

    A process of its own attends: JAX aborts the one that waits in vain, and nothing can catch that.
    """
    program = _MEETING.format(count=count, index=index, patience=_PATIENCE)
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", program], **pipes) as meeting:
        try:
            out, err = meeting.communicate(timeout=_QUIET)
        except subprocess.TimeoutExpired:
            say(f"meeting the other processes (at most {_PATIENCE} s) …")
            out, err = meeting.communicate()
    said, failed = out.split(), err.strip().splitlines()
    if len(said) == 2:
        return _part(int(said[0]), int(said[1]))
    words = next((line for line in failed if "DEADLINE_EXCEEDED" in line), failed[-1] if failed else "no answer")
    reason = "nobody else came" if "DEADLINE_EXCEEDED" in words else " ".join(words.split())[:150]
    what = f"--distributed: finds no TPU pod, no SLURM job, and jax.distributed finds none either ({reason})"
    raise InputError(what, "pass --part I/N instead")


def _part(index: int, count: int) -> Part:
    if not 0 <= index < count:
        raise InputError(f"--distributed: process {index} of {count}", "pass --part I/N instead")
    return Part(index, count)


def _number(environ: Mapping[str, str], key: str) -> int | None:
    text = environ.get(key, "").strip()
    return int(text) if text.isdecimal() else None
