"""Kills every command that writes, often in the middle of a write, and looks at what is left.

    scripts/kills [NAME ...] [--count 100] [--seed 0]

Each runs on tiny models, in a process that is killed (SIGKILL) at a random moment: nine times of ten while something
is unfinished, as a rehearsal has shown when that is, else at any time. Disks are slow for it: every fsync waits. Then
every finished output must be whole (that which was to be replaced, or the new one, to the last byte) and none lost
(but for an index, which goes before what it describes); whatever else is left must have the name of something
unfinished; and the same command run again must end well, with the outputs of the rehearsal and nothing beside them.
Commands that go on where they stopped are killed several times. Ends with 1 if any of this is not so.
"""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from scripts.killing import outputs, server
from scripts.killing.commands import COMMANDS, Killed, make_inputs

_POLL = 0.002  # seconds
_TRIES = 8  # for one kill, where the command ends before


@dataclass
class Rehearsal:
    """A run that nobody kills: how long it takes, when something is unfinished, what it makes."""

    seconds: float
    writes: list[float]
    made: dict[str, str]


@dataclass
class Account:
    """What came of the kills of one command."""

    kills: int = 0
    inside: int = 0
    late: int = 0
    findings: list[str] = field(default_factory=list)

    def check(self, is_right: bool, what: str) -> None:
        """Notes what is not as it should be."""
        if not is_right:
            self.findings.append(f"kill {self.kills}: {what}")


class Stage:
    """The folder where one command runs and is killed."""

    def __init__(self, command: Killed, base: Path, inputs: Path, seed: int):
        self.command, self.base, self.inputs, self.rng = command, base, inputs, random.Random(seed)
        self.folder, self.log, self.account = base / "folder", base / "log", Account()
        self.standing: dict[str, str] = {}
        self._lay_out({})
        if command.former:
            self._run(command.former)
        self.former = outputs.contents(self.folder, command.outputs)
        shutil.copytree(self.folder, base / "before", symlinks=True)
        self._run(command.typed)  # compiles
        self._lay_out(self.former)
        self.rehearsal = self._rehearse()

    def _lay_out(self, former: dict[str, str]) -> None:
        self.standing = former
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.base / "before" if former else self.inputs, self.folder, symlinks=True)

    def _run(self, typed: tuple[str, ...]) -> None:
        code = server.ended(server.start(typed, self.folder, self.log))
        if code:
            raise RuntimeError(f"{' '.join(typed)} ended with {code}: {self.log.read_text()}")

    def _rehearse(self) -> Rehearsal:
        begun, writes, since = time.monotonic(), [], None
        pid = server.start(self.command.typed, self.folder, self.log)
        while not _is_over(pid):
            now, busy = time.monotonic(), bool(outputs.unfinished(self.folder))
            if busy and since is None:
                since = now
            elif not busy and since is not None:
                writes.append(now - since)
                since = None
            time.sleep(_POLL)
        if server.ended(pid):
            raise RuntimeError(f"the rehearsal failed: {self.log.read_text()}")
        return Rehearsal(time.monotonic() - begun, writes, outputs.contents(self.folder, self.command.outputs))

    def kill(self) -> None:
        """Kills one run, or where it goes on some, looks at what is left, and lets the next one end."""
        self._lay_out(self.former if self.rng.random() < 0.7 else {})
        for _ in range(self.rng.randint(1, 3) if self.command.goes_on else 1):
            if not self._killed():
                self.account.late += 1
                return
            self._look()
        code = server.ended(server.start(self.command.typed, self.folder, self.log))
        said = self.log.read_text()
        self.account.check(code == 0, f"the next run ended with {code}: {said[-300:]}")
        self.account.check("cannot be read" not in said, f"the next run said {said[-300:]}")
        found = outputs.contents(self.folder, self.command.outputs)
        differing = sorted(
            name for name in {*found, *self.rehearsal.made} if found.get(name) != self.rehearsal.made.get(name)
        )
        self.account.check(not differing, f"after the next run {differing} differ")
        left = [*outputs.unfinished(self.folder), *self._strangers()]
        self.account.check(not left, f"the next run left {left}")

    def _killed(self) -> bool:
        """Whether a run was killed before it ended."""
        pid = server.start(self.command.typed, self.folder, self.log)
        if self._waited(pid):
            return False
        os.kill(pid, signal.SIGKILL)
        if server.ended(pid) != -signal.SIGKILL:
            return False
        self.account.kills += 1
        self.account.inside += bool(outputs.unfinished(self.folder))
        return True

    def _waited(self, pid: int) -> bool:
        """Waits for the moment; whether the process ended before it came."""
        writes = self.rehearsal.writes
        if not writes or self.rng.random() < 0.1:
            return self._ended_within(pid, self.rng.uniform(0, self.rehearsal.seconds))
        number, was = self.rng.randrange(len(writes)) // (2 if self.command.goes_on else 1), False
        awaited = number
        while not _is_over(pid):
            busy = bool(outputs.unfinished(self.folder))
            if busy and not was:
                if not awaited:
                    delay = self.rng.choice((0.0, self.rng.uniform(0, writes[number])))
                    return self._ended_within(pid, delay)
                awaited -= 1
            was = busy
            time.sleep(_POLL)
        return True

    def _ended_within(self, pid: int, seconds: float) -> bool:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if _is_over(pid):
                return True
            time.sleep(min(left, 0.01))
        return False

    def _look(self) -> None:
        """What a kill must not do."""
        found = outputs.contents(self.folder, self.command.outputs)
        lost = sorted(name for name in self.standing if name not in {*found, *self.command.derived})
        self.account.check(not lost, f"lost {lost}")
        for name, digest in found.items():
            whole = digest in (self.standing.get(name), self.rehearsal.made.get(name))
            newer = self.command.typed[0] == "train" and not digest.startswith(outputs.DAMAGED)  # than the last one
            self.account.check(whole or newer, f"{name} is neither the former nor the new one ({digest[:200]})")
        self.account.check(not (others := self._strangers()), f"left {others}")

    def _strangers(self) -> list[str]:
        return outputs.strangers(self.folder, self.command.outputs, os.listdir(self.inputs))


def _is_over(pid: int) -> bool:
    """Whether a child has ended; it stays to be waited for."""
    found = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    return found is not None


def main() -> int:
    """Kills, and prints what came of it."""
    parser = argparse.ArgumentParser("kills", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(COMMANDS)} (default: all)")
    parser.add_argument("--count", type=int, default=100, help="kills of each")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if unknown := [name for name in options.names if name not in COMMANDS]:
        parser.error(f"{unknown[0]}: no such command")
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    server.prepare()
    bad = 0
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        inputs = Path(folder, "inputs")
        inputs.mkdir()
        _make_inputs(inputs)
        for name in options.names or COMMANDS:
            bad += _act(name, Path(folder, name), inputs, options)
    print("nothing was damaged or lost" if not bad else f"{bad} findings")
    return int(bool(bad))


def _make_inputs(folder: Path) -> None:
    """In a process of its own: a fork of one where JAX has its threads hangs."""

    def make() -> int:
        make_inputs(folder)
        return 0

    if server.ended(server.forked(make)):
        raise RuntimeError("the inputs could not be made")


def _act(name: str, base: Path, inputs: Path, options: argparse.Namespace) -> int:
    """Kills one command as often as asked; returns the number of findings."""
    base.mkdir()
    begun = time.monotonic()
    stage = Stage(COMMANDS[name], base, inputs, options.seed)
    account = stage.account
    while account.kills < options.count and account.late < _TRIES * options.count:
        stage.kill()
    share = f"{account.inside} inside a write, {account.late} came too late"
    print(f"{name}: {account.kills} kills, {share}, {len(account.findings)} findings, {time.monotonic() - begun:.0f} s")
    for finding in account.findings[:20]:
        print(f"  {finding}")
    sys.stdout.flush()
    return len(account.findings)


if __name__ == "__main__":
    sys.exit(main())
