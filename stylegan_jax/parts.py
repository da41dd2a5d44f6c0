"""The share of a process in a job that several do, each on its own."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from stylegan_jax.errors import InputError

_MOST = 1_000_000
_SLICES = ("MEGASCALE_NUM_SLICES", "MEGASCALE_SLICE_ID")


@dataclass(frozen=True)
class Part:
    """Part `index` of `count`, counted from 0: a block of neighbouring images, as large as the others to within one."""

    index: int = 0
    count: int = 1

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
        raise InputError("is no number of parts", f"use 1 to {_MOST}", file=f"--part {text}")
    if index >= count:
        remedy = f"parts count from 0: use 0/{count} to {count - 1}/{count}"
        raise InputError(f"there is no part {index}", remedy, file=f"--part {text}")
    return Part(index, count)


def discover(environ: Mapping[str, str] = os.environ) -> Part:
    """The part of this process in a TPU pod, a SLURM job or array, or whatever `jax.distributed` knows.

    Raises InputError where there is none of them.
    """
    return _of_tpu(environ) or _of_slurm(environ) or _of_jax(environ)


def _of_tpu(environ: Mapping[str, str]) -> Part | None:
    """Hosts of a slice, and slices of a multislice job."""
    hosts = [host for host in environ.get("TPU_WORKER_HOSTNAMES", "").split(",") if host]
    host, slices, slice_ = (_number(environ, key) for key in ("TPU_WORKER_ID", *_SLICES))
    if not hosts or host is None:
        return None
    return _part(host + len(hosts) * (slice_ or 0), len(hosts) * (slices or 1))


def _of_slurm(environ: Mapping[str, str]) -> Part | None:
    """Tasks of a step, and tasks of a job array."""
    rank, ranks = _number(environ, "SLURM_PROCID"), _number(environ, "SLURM_NTASKS") or 1
    task, tasks = _number(environ, "SLURM_ARRAY_TASK_ID"), _number(environ, "SLURM_ARRAY_TASK_COUNT") or 1
    if rank is None and task is None:
        return None
    first, step = _number(environ, "SLURM_ARRAY_TASK_MIN") or 0, _number(environ, "SLURM_ARRAY_TASK_STEP") or 1
    position = 0 if task is None else (task - first) // step
    return _part((rank or 0) + ranks * position, ranks * tasks)


def _of_jax(environ: Mapping[str, str]) -> Part:
    """Meets the other processes for a moment; afterwards none of them depends on another."""
    import jax

    count, index = _number(environ, "JAX_NUM_PROCESSES"), _number(environ, "JAX_PROCESS_ID")
    try:
        jax.distributed.initialize(num_processes=count, process_id=index)
    except (ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:150]
        what = f"--distributed: finds no TPU pod, no SLURM job, and jax.distributed finds none either ({reason})"
        raise InputError(what, "pass --part I/N instead") from error
    found = _part(jax.process_index(), jax.process_count())
    jax.distributed.shutdown()
    return found


def _part(index: int, count: int) -> Part:
    if not 0 <= index < count:
        raise InputError(f"--distributed: process {index} of {count}", "pass --part I/N instead")
    return Part(index, count)


def _number(environ: Mapping[str, str], key: str) -> int | None:
    text = environ.get(key, "").strip()
    return int(text) if text.isdecimal() else None
