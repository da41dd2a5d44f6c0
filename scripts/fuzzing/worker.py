"""The process that reads mutants: what it may take and do, and what it says of each."""

import os
import random
import resource
import sys
import time
import unicodedata  # noqa: F401  Python imports it for odd names
import warnings
from multiprocessing.connection import Connection
from pathlib import Path

from scripts.fuzzing.targets import TARGETS, Target
from stylegan_jax.errors import InputError

_FORBIDDEN = ("exec", "compile", "import", "open", "socket", "subprocess", "os.", "ctypes", "shutil", "urllib", "pty")
_HARMLESS = ("os.listdir", "os.scandir", "os.walk", "shutil.rmtree", "os.remove", "os.mkdir", "os.rmdir", "os.fwalk")
_MEMORY = 1 << 30  # bytes beyond what reading the intact files took


def _watch(folder: Path, events: list[str], harmless: tuple[str, ...]) -> None:
    """From now on, notes in `events` what this process does outside of its folder."""

    def hook(event: str, arguments: tuple) -> None:
        inside = event in ("open", *_HARMLESS) and (
            isinstance(arguments[0], int) or str(arguments[0]).startswith(str(folder))
        )
        if event.startswith(_FORBIDDEN) and not inside and event not in harmless:
            events.append(f"{event} {str(arguments)[:200]}")

    sys.addaudithook(hook)


def _outcome(target: Target, path: Path) -> str:
    """`read`, or the class of the exception; of an InputError whether it can be printed."""
    try:
        target.read(path)
    except InputError as error:
        text = str(error)
        plain = all(line.isprintable() for line in text.split("\n")) and len(text) < 100_000
        return "InputError" if plain else f"unprintable: {text[:200]!a}"
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:200]!a}"
    return "read"


def _hear(file: Path) -> None:
    """From now on, what this process prints goes to a file: also what libraries print of their own, and warnings."""
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    sys.stdout.flush()
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    warnings.simplefilter("always")  # and not once for each place
    for hidden in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
        warnings.simplefilter("ignore", hidden)  # as Python itself does


def _heard(file: Path) -> list[str]:
    """What was printed since the last time."""
    if not os.stat(file).st_size:
        return []
    text = file.read_text(errors="replace")
    os.truncate(file, 0)
    return [f"printed {text[:300]!a}"]


def work(make: str, files: list[Path], seed: int, numbers: range, folder: Path, said: Connection) -> None:
    """Reads mutants and says of each: its number, outcome, seconds, what it did."""
    printed = folder / "printed"
    _hear(printed)
    name, factory = TARGETS[make]
    target, path = factory(folder, files), folder / name
    target.intact(path)
    for number in range(40):  # whatever readers import late
        target.mutate(random.Random(f"warm {number}"), path)
        _outcome(target, path)
    _heard(printed)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + _MEMORY, resource.RLIM_INFINITY))
    events: list[str] = []
    if target.audited:
        _watch(folder, events, target.harmless)
    for number in numbers:
        target.mutate(random.Random(f"{seed} {number}"), path)
        events.clear()
        said.send((number, "begun", 0.0, []))
        start = time.process_time()
        outcome = _outcome(target, path)
        seconds = time.process_time() - start
        said.send((number, outcome, seconds, [*events, *_heard(printed)]))
    said.send((numbers.stop, "over", 0.0, []))
