"""Ctrl-C and SIGTERM: the first asks for an end, a second Ctrl-C is one, whatever the program is busy with."""

import atexit
import contextlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from stylegan_jax import starting

INTERRUPTED, TERMINATED = starting.INTERRUPTED, 143
_ONE_KEY = 0.05  # seconds; a launcher that passes the signal on makes two of one key
_SOON = 0.02  # seconds until a signal is obeyed that could not be
_IMPORTING = "<frozen importlib"


class Terminated(KeyboardInterrupt):
    """SIGTERM, as schedulers send it before they kill: what Ctrl-C clears up, this clears up."""


@contextlib.contextmanager
def handled() -> Iterator[None]:
    """While the block runs, Ctrl-C raises KeyboardInterrupt, a second one ends the process, SIGTERM raises Terminated.

    What somebody else handles already, or is ignored, stays as it is.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with second_ends(), _Obedience().kept():
        yield


class _Obedience:
    """Raises where an exception reaches the command, which it does neither from an import nor from a callback.

    What is compiled ends badly when its import is interrupted, for good, as Python imports nothing twice; the garbage
    collector, weak references and `__del__` swallow what is raised in them.
    """

    def __init__(self) -> None:
        self._due: type[KeyboardInterrupt] | None = None
        self._last = -_ONE_KEY
        self._unraisable = sys.unraisablehook
        self._before: dict[int, Any] = {}

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """While the block runs, in the main thread."""
        hook = sys.unraisablehook = self._swallowed
        try:
            if hasattr(signal, "setitimer"):  # not Windows
                self._take(signal.SIGALRM, self._obey, signal.SIG_DFL)
            self._take(signal.SIGTERM, self._hear, signal.SIG_DFL)
            self._take(signal.SIGINT, self._hear, starting.end, signal.default_int_handler)
            yield
        finally:
            self._due = None
            for number, handler in self._before.items():
                signal.signal(number, handler)
            if sys.unraisablehook == hook:
                sys.unraisablehook = self._unraisable

    def _take(self, number: int, handler: Callable[[int, FrameType | None], None], *of: Any) -> None:
        """Makes `handler` that of a signal, if it has one `of` these."""
        before = signal.getsignal(number)
        if before in of:
            self._before[number] = before
            signal.signal(number, handler)

    def _soon(self) -> bool:
        """Whether what is due will be tried once more."""
        if not hasattr(signal, "SIGALRM") or signal.SIGALRM not in self._before:
            return False
        signal.setitimer(signal.ITIMER_REAL, _SOON)
        return True

    def _hear(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if now - self._last > _ONE_KEY:
            self._due, self._last = (Terminated if number == signal.SIGTERM else KeyboardInterrupt), now
            self._obey(number, frame)

    def _obey(self, _number: int, frame: FrameType | None) -> None:
        due = self._due
        if due is not None and not (_is_importing(frame) and self._soon()):
            self._due = None
            raise due

    def _swallowed(self, report: Any) -> None:
        """Python's hook for what a callback raises: takes ours back, to raise it again."""
        if isinstance(report.exc_value, KeyboardInterrupt):
            self._due = type(report.exc_value)
            if self._soon():
                return
        self._unraisable(report)


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith(_IMPORTING):
            return True
        frame = frame.f_back
    return False


def leave(code: int) -> None:
    """Ends a command that was interrupted and has cleared up; where this process is another program, does nothing.

    Python's own way out takes the backend from threads that still compile or compute, which can crash.
    """
    if not starting.is_program:
        return
    atexit.unregister(getattr(sys.modules.get("jax._src.api"), "clean_up", leave))
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


@contextlib.contextmanager
def second_ends() -> Iterator[None]:
    """While the block runs, a second SIGINT ends the process at once, with exit code 130.

    The first is left to its handler, which Python calls between two of its own instructions: not while compiled code
    runs or XLA compiles. The second is heard by a thread, from the pipe that the signal itself writes to. What is
    unfinished then is cleared at the next start, as after a kill.
    """
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        yield  # a job in the background hears no Ctrl-C
        return
    heard, written = socket.socketpair()
    written.setblocking(False)
    before = signal.set_wakeup_fd(written.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=_listen, args=(heard,), name="second Ctrl-C", daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        written.close()  # the thread reads the end, and ends


def _listen(heard: socket.socket) -> None:
    first = None
    with heard:
        while signals := heard.recv(64):
            for number in signals:
                if number != signal.SIGINT:
                    continue
                now = time.monotonic()
                if first is not None and now - first > _ONE_KEY:
                    starting.end()
                first = now if first is None else first
