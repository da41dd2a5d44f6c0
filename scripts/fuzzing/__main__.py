"""Damages files of one kind in many ways and reads them under watch.

    scripts/fuzz TARGET [--count 100000] [--seconds 0] [--seed 0] [--keep FOLDER] [FILE ...]

Each mutant follows from the seed and its number, and lies in memory where the system has a folder for it. Readers run
in a process of their own, whose memory is bounded, and which is started anew when it dies. Says every minute how far it
is, at last what came of all, and ends with 1 if anything ran, was imported, opened (elsewhere), connected, or printed,
if another exception than InputError came out or one of several lines with escapes, if a mutant took five seconds or
more than 1 GiB, or if the process died. `--keep` keeps those mutants.
"""

import argparse
import collections
import multiprocessing
import shutil
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

from scripts.fuzzing import worker
from scripts.fuzzing.targets import TARGETS

_SLOW = 5  # seconds of its own
_STUCK, _WARMING = 60, 600  # by the clock, for a mutant and for all that goes before
_MEMORY = Path("/dev/shm")  # of Linux: disks take longer than readers


class Account:
    """What came of all mutants."""

    def __init__(self, keep: Path | None):
        self.outcomes: collections.Counter[str] = collections.Counter()
        self.slowest, self.bad, self.keep = 0.0, [], keep
        self.begun = self.told = time.monotonic()

    def note(self, number: int, outcome: str, seconds: float, events: list[str], mutant: Path) -> None:
        """Counts one, and keeps it if it was not as it should be."""
        self.outcomes[outcome if outcome in ("read", "InputError") else outcome[:80]] += 1
        self.slowest = max(self.slowest, seconds)
        if outcome not in ("read", "InputError") or seconds > _SLOW or events:
            self.bad.append(f"mutant {number}: {outcome}, {seconds:.1f} s, {events[:3]}")
            if self.keep is not None and mutant.exists():
                self.keep.mkdir(parents=True, exist_ok=True)
                place = self.keep / f"{number}-{mutant.name}"
                (shutil.copytree if mutant.is_dir() else shutil.copy)(mutant, place)
        if time.monotonic() > self.told + 60:
            self.told = time.monotonic()
            print(f"{self.pace()}, {len(self.bad)} not as it should be", flush=True)

    def pace(self) -> str:
        """How many there were, and in what time."""
        count, seconds = self.outcomes.total(), time.monotonic() - self.begun
        return f"{count} mutants in {seconds:.0f} s ({count / seconds:.0f} each second)"


def _run(options: argparse.Namespace, folder: Path, account: Account) -> int:
    """Starts workers until all is read, or the time is over; returns how many were read."""
    begin, ending = 0, time.monotonic() + (options.seconds or float("inf"))
    while begin < options.count and time.monotonic() < ending:
        place = Path(tempfile.mkdtemp(dir=folder))
        heard, said = multiprocessing.Pipe(duplex=False)
        arguments = (options.target, options.files, options.seed, range(begin, options.count), place, said)
        process = multiprocessing.get_context("spawn").Process(target=worker.work, args=arguments)
        process.start()
        said.close()
        begin = _listen(heard, begin, ending, place / TARGETS[options.target][0], account)
        process.kill()
        process.join()
        shutil.rmtree(place, ignore_errors=True)
        if begin == 0:
            break
    return min(begin, options.count)


def _listen(heard: Connection, begin: int, ending: float, mutant: Path, account: Account) -> int:
    """Notes what a worker says until it is done, dead, stuck or out of time; returns the number to go on with."""
    number, outcome = begin - 1, ""
    while time.monotonic() < ending or outcome in ("", "begun"):
        try:
            if not heard.poll(_STUCK if outcome else _WARMING):
                account.note(number, "took forever", 0.0, [], mutant)
                break
            number, outcome, seconds, events = heard.recv()
        except EOFError:
            account.note(number, "died", 0.0, [], mutant)
            break
        if outcome == "over":
            return number
        if outcome != "begun":
            account.note(number, outcome, seconds, events, mutant)
    return number + 1


def main() -> int:
    """Reads the mutants and prints the account."""
    parser = argparse.ArgumentParser("fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("files", nargs="*", type=Path, help="of the target torch: the models that are damaged")
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=0, help="stop after so long")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="a folder for the mutants that were not read as they should be")
    options = parser.parse_intermixed_args()
    for file in options.files:
        if not file.is_file():
            parser.error(f"{file}: no such file")
    account = Account(options.keep)
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
        count = _run(options, Path(folder), account)
    print(f"{options.target}: {account.pace()}: {dict(account.outcomes)}, slowest {account.slowest:.2f} s")
    for line in account.bad[:20]:
        print(f"  {line}")
    print("all were read or refused in a line, and nothing else happened" if not account.bad else "NOT as it should be")
    return int(bool(account.bad) or not count)


if __name__ == "__main__":
    sys.exit(main())
