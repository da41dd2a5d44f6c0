"""The folder of a training run: its lock, its description, its records, its snapshots."""

import contextlib
import json
import os
import re
import socket
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from stylegan_jax.errors import InputError, brief, say, shown
from stylegan_jax.storage import atomic, inputs

MANIFEST = "run.json"
METRICS = "metrics.jsonl"
CHECKPOINTS = "checkpoints"
_LARGEST = 16 << 20  # bytes of a description
_LOCK, _HOLDER = "lock", "holder"  # Windows lets nobody read a file that is locked
_SNAPSHOT = re.compile(r"network-snapshot-(\d{6,})\.safetensors")


def is_run(path: str | Path) -> bool:
    """Whether `path` is the folder of a training run."""
    return (Path(path) / MANIFEST).is_file()


def latest_snapshot(path: str | Path) -> Path:
    """The newest model file of a run; InputError where there is none yet."""
    found = newest(os.listdir(path))
    if found is None:
        raise InputError("this training run has made no snapshot yet", "wait for the first, or train on", file=path)
    inputs.require_regular_file(Path(path) / found)  # no folder, which might be a run itself
    return Path(path) / found


def newest(names: Iterable[str]) -> str | None:
    """The latest snapshot among the names in a run's folder."""
    found = [(int(match[1]), name) for name in names if (match := _SNAPSHOT.fullmatch(name))]
    return max(found)[1] if found else None


def snapshot_path(path: Path, nimg: int) -> Path:
    """Where the model after `nimg` images is written; the number counts thousands, as in the official names."""
    return path / f"network-snapshot-{nimg // 1000:06d}.safetensors"


def is_begun(path: str | Path) -> bool:
    """Whether a run is there already; InputError if something else is."""
    folder = Path(path)
    if folder.exists() and not folder.is_dir():
        raise InputError("is a file", "name a folder", file=path)
    if is_run(folder):
        return True
    if folder.is_dir() and not all(_comes_first(file.name) for file in folder.iterdir()):
        raise InputError("exists and is no training run", "give the run another folder", file=path)
    return False


def _comes_first(name: str) -> bool:
    """Whether a run that was killed before it had described itself may have left a file of this name."""
    return name in (_LOCK, _HOLDER) or atomic.is_unfinished(name, MANIFEST)


def open_run(path: str | Path, description: Mapping[str, Any], *, may_change: tuple[str, ...] = ()) -> bool:
    """Makes the folder of a run, or continues it. Returns whether it was there.

    Args:
      description: JSON data that decides what the run computes; must be that of the folder, if it is one.
      may_change: dotted keys that a continuation may set anew.

    Raises InputError naming the first difference, or if the folder is something else.
    """
    folder, wanted = Path(path), json.loads(json.dumps(description))
    found = _read(folder / MANIFEST) if is_begun(folder) else None
    if found is not None:
        _compare(found, wanted, may_change, path)
    if found != wanted:
        folder.mkdir(parents=True, exist_ok=True)
        with atomic.new_file(folder / MANIFEST, overwrite=True) as file:
            file.write(json.dumps(wanted, indent=1).encode())
    return found is not None


def _read(file: Path) -> dict[str, Any]:
    data = inputs.contents(file, most=_LARGEST)
    try:
        found = inputs.parsed(data, inputs.Budget(len(data)))
        if type(found) is not dict:
            raise ValueError("no table")
    except ValueError as error:
        raise InputError("is damaged", "give the run another folder", file=file) from error
    return found


def _compare(
    found: Mapping[str, Any], wanted: Mapping[str, Any], may_change: tuple[str, ...], path: object, prefix: str = ""
) -> None:
    """Raises InputError for the first difference. Tables are compared where ours has one, whatever the file holds."""
    for key in sorted({*found, *wanted}):
        name, here, there = f"{prefix}{key}", found.get(key), wanted.get(key)
        if name in may_change or here == there:
            continue
        within = _is_table(there) or any(each.startswith(f"{name}.") for each in may_change)
        if within and all(_is_table(each) or each is None for each in (here, there)):
            _compare(here or {}, there or {}, may_change, path, f"{name}.")
            continue
        what = f"was begun with {shown(name)} = {brief(here)}, not {brief(there)}"
        raise InputError(what, "run the same command again, or give the run another folder", file=path)


def _is_table(value: object) -> bool:
    return isinstance(value, dict)


@contextlib.contextmanager
def lock(path: str | Path) -> Iterator[None]:
    """Keeps other processes out of a run; InputError at once, naming the holder. A killed holder's lock is free."""
    folder = Path(path)
    folder.mkdir(parents=True, exist_ok=True)
    holder = folder / _HOLDER
    with atomic.turn(folder / _LOCK, wait=False) as free:
        if not free:
            raise InputError(f"is in use by {_named(holder)}", "wait for it, or give the run another folder", file=path)
        holder.write_text(f"process {os.getpid()} on {socket.gethostname()}")
        try:
            yield
        finally:
            holder.unlink(missing_ok=True)


def _named(holder: Path) -> str:
    try:
        return shown(inputs.contents(holder, most=1000).decode().strip(), 100) or "another process"
    except (InputError, UnicodeDecodeError):  # it has just begun, or ended
        return "another process"


def append_metrics(path: Path, line: Mapping[str, Any]) -> None:
    """Adds one line of JSON to the run's metrics."""
    with open(path / METRICS, "a") as file:
        file.write(json.dumps(line) + "\n")


def forget_metrics_after(path: Path, nimg: int) -> None:
    """Drops the lines that a resumed run is going to write again, and those that are none, which stderr is told."""
    file = path / METRICS
    if not file.is_file():
        return
    lines = file.read_bytes().split(b"\n")
    found = [(line, _nimg(line)) for line in lines if line.strip()]
    cut = bool(lines[-1].strip()) and found[-1][1] is None  # by a kill: nothing is lost that is not written again
    if damaged := sum(at is None for _, at in found) - cut:
        say(f"{file}: damaged, {damaged} of {len(found)} lines are dropped; the run itself does not need them")
    with atomic.new_file(file, overwrite=True) as handle:
        handle.write(b"".join(line + b"\n" for line, at in found if at is not None and at <= nimg))


def _nimg(line: bytes) -> float | None:
    """How far the run was at a line of its metrics; None for what is no such line."""
    try:
        nimg = json.loads(line).get("nimg", 0)
    except (ValueError, AttributeError, RecursionError):
        return None
    return nimg if type(nimg) in (int, float) else None
