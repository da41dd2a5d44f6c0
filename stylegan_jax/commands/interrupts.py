"""Ctrl-C: the first asks for an end, the second is one, whatever the program is busy with."""

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator

INTERRUPTED = 130
_ONE_KEY = 0.05  # seconds; a launcher that passes the signal on makes two of one key


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
    heard, told = socket.socketpair()
    told.setblocking(False)
    before = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=_listen, args=(heard,), name="second Ctrl-C", daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        told.close()  # the thread reads the end, and ends


def _listen(heard: socket.socket) -> None:
    first = None
    with heard:
        while signals := heard.recv(64):
            for number in signals:
                if number != signal.SIGINT:
                    continue
                now = time.monotonic()
                if first is not None and now - first > _ONE_KEY:
                    with contextlib.suppress(OSError):
                        os.write(2, b"interrupted\n")
                    os._exit(INTERRUPTED)
                first = now if first is None else first
