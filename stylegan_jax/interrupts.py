"""Ctrl-C and SIGTERM: the first asks for an end, a second Ctrl-C is one, whatever the program is busy with."""

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

INTERRUPTED, TERMINATED = 130, 143
_ONE_KEY = 0.05  # seconds; a launcher that passes the signal on makes two of one key


class Terminated(KeyboardInterrupt):
    """SIGTERM, as schedulers send it before they kill: what Ctrl-C clears up, this clears up."""


def end(*_: Any) -> None:
    """Ends the process at once, in one line: the handler of SIGINT for the time of the imports."""
    with contextlib.suppress(OSError):
        os.write(2, b"interrupted\n")
    os._exit(INTERRUPTED)


@contextlib.contextmanager
def handled() -> Iterator[None]:
    """While the block runs, Ctrl-C raises KeyboardInterrupt, a second one ends the process, SIGTERM raises Terminated.

    What somebody else handles already, or is ignored, stays as it is.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    if signal.getsignal(signal.SIGINT) is end:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    before = signal.getsignal(signal.SIGTERM)
    if before == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _raise)
    try:
        with second_ends():
            yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _raise(*_: Any) -> None:
    raise Terminated


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
                    end()
                first = now if first is None else first
