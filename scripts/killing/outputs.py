"""What lies in a folder where a command ran: finished outputs, by their contents, and unfinished ones."""

import hashlib
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

import convert
from scripts.killing import server
from stylegan_jax.errors import InputError
from stylegan_jax.pictures import images
from stylegan_jax.storage import checkpoint, rundir

_UNFINISHED = re.compile(r".*\.(partial|replaced|unfinished)|.*orbax-checkpoint-tmp.*")
_LOCKS = re.compile(r"\..*\.lock|lock|holder")
_OF_A_RUN = {rundir.METRICS, "lock", "holder"}  # of times, and of the process
DAMAGED = "damaged"


def unfinished(folder: Path) -> list[str]:
    """What somebody is writing, or was: nothing if all that is there is an empty folder for it."""
    return [path for path in _listed(folder, 2) if _UNFINISHED.fullmatch(os.path.basename(path)) and _filled(path)]


def _listed(folder: Path | str, depth: int) -> list[str]:
    found = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                found.append(entry.path)
                if depth and entry.is_dir() and entry.name in ("out", rundir.CHECKPOINTS):
                    found += _listed(entry.path, depth - 1)
    except OSError:  # it has just gone
        pass
    return found


def _filled(path: str) -> bool:
    if not path.endswith(".unfinished"):
        return True
    try:
        return bool(os.listdir(path))
    except OSError:
        return False


def strangers(folder: Path, outputs: Sequence[str], inputs: Sequence[str]) -> list[str]:
    """What is there beside inputs, outputs, locks, and unfinished ones."""
    known = {*outputs, *inputs}
    names = [name for name in os.listdir(folder) if name not in known]
    return [name for name in names if not _UNFINISHED.fullmatch(name) and not _LOCKS.fullmatch(name)]


def contents(folder: Path, outputs: Sequence[str]) -> dict[str, str]:
    """Name → digest of every finished file among some outputs, or DAMAGED; read in a process of its own."""
    answer = folder.with_name(f"{folder.name}.contents")

    def work() -> int:
        found = {}
        for name in outputs:
            found |= _digests(folder / name, name) if os.path.lexists(folder / name) else {}
        answer.write_text(json.dumps(found))
        return 0

    if server.ended(server.forked(work)):
        raise RuntimeError("reading the outputs failed")
    return json.loads(answer.read_text())


def _digests(path: Path, name: str) -> dict[str, str]:
    if path.is_dir() and not (path / checkpoint.MANIFEST).is_file():
        inside = [each for each in sorted(path.iterdir()) if not each.name.startswith(".")]
        inside = [each for each in inside if each.name not in _OF_A_RUN | {rundir.CHECKPOINTS}]
        inside = [each for each in inside if not _UNFINISHED.fullmatch(each.name)]
        return {key: digest for each in inside for key, digest in _digests(each, f"{name}/{each.name}").items()}
    try:
        return {name: _digest(path)}
    except InputError as error:
        return {name: f"{DAMAGED}: {error}"}


def _digest(path: Path) -> str:
    """Of a model its numbers, which are checked; of another file its bytes, a picture's after it was decoded."""
    if path.is_dir() or path.suffix == ".safetensors":
        model = convert.read(path)
        return " ".join(checkpoint.fingerprint(model, network) for network in model.networks)
    if path.suffix == ".png":
        images.read(path)
    return hashlib.sha256(path.read_bytes()).hexdigest()
