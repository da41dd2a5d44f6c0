"""How a run ends early: signals are heard at once, answered with a line, and obeyed between two iterations."""

import contextlib
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from types import FrameType

from tqdm import tqdm

_CODES = {signal.SIGTERM: 75, signal.SIGINT: 130}
_NAMES = {signal.SIGTERM: "SIGTERM", signal.SIGINT: "Ctrl-C"}
_LOOK = 0.2  # seconds; signals interrupt the wait where the system gives them to the main thread, as it mostly does


class Stopped(Exception):
    """What could be left out was left out, because the run shall end."""


class Ending:
    """Which exit code a signal asked for, 0 while there was none; and what the run does meanwhile."""

    def __init__(self) -> None:
        self.code = 0
        self._task, self._began, self._usual = "the start", time.monotonic(), 0.0

    def doing(self, task: str, usual: float = 0) -> None:
        """Notes what begins now, and how many seconds it usually takes; 0 if that is not known."""
        self._task, self._began, self._usual = task, time.monotonic(), usual

    def check(self) -> None:
        """Raises Stopped if the run shall end."""
        if self.code:
            raise Stopped

    def hear(self, number: int, frame: FrameType | None = None) -> None:
        """The handler of both signals: asks for the end, and says how far it is."""
        name = signal.Signals(number)
        self.code = _CODES[name]
        left = self._usual - (time.monotonic() - self._began)
        when = f"in about {max(left, 1):.0f} s" if self._usual else "which may take a while"
        tqdm.write(f"{_NAMES[name]}: saving after {self._task}, {when}")


def run(work: Callable[[Ending], int]) -> int:
    """Runs `work` in a thread of its own, and returns its result.

    Python hears signals in the main thread alone, and not while that compiles or waits for a device, which can take
    minutes. Called in another thread, it runs the work there, and hears none.
    """
    ending = Ending()
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(_handled(ending))
        except ValueError:  # not in the main thread
            return work(ending)
        pool = stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="training"))
        future = pool.submit(work, ending)
        while not future.done():
            wait([future], _LOOK)
        return future.result()


@contextlib.contextmanager
def _handled(ending: Ending) -> Iterator[None]:
    before = {number: signal.signal(number, ending.hear) for number in _CODES}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
