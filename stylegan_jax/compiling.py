"""Says that a program is being compiled, before somebody wonders what the silence means."""

import contextlib
import logging
import sys
import threading
import time
from collections.abc import Iterator

_PATIENCE = 1.0  # seconds until it is said
_AGAIN = 10.0  # seconds until it may be said once more: programs that are compiled one after the other are one wait
_LOGGERS = ("jax._src.interpreters.pxla", "jax._src.dispatch")
_BEGINS, _ENDS = "Compiling ", "Finished XLA compilation"
_said = -_AGAIN


class _Listener(logging.Filter):
    """Hears from JAX's own log when a compilation begins and ends; what is said below `level` goes no further."""

    def __init__(self, level: int) -> None:
        super().__init__()
        self._level = level
        self._timer: threading.Timer | None = None

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether others, such as a handler of the root logger, hear it too: as if nobody listened."""
        self.hear(str(record.msg))
        return record.levelno >= self._level

    def hear(self, text: str) -> None:
        """Starts and stops the clock."""
        if text.startswith((_BEGINS, _ENDS)):
            self.stop()
        if text.startswith(_BEGINS):
            self._timer = _say_later()

    def stop(self) -> None:
        """What had begun is over."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _say_later() -> threading.Timer:
    timer = threading.Timer(_PATIENCE, _say)
    timer.daemon = True
    timer.start()
    return timer


def _say() -> None:
    global _said
    now = time.monotonic()
    if now - _said < _AGAIN:
        return
    _said = now
    from tqdm import tqdm

    tqdm.write("compiling …", file=sys.stdout)  # above a bar, if there is one
    sys.stdout.flush()


@contextlib.contextmanager
def announced() -> Iterator[None]:
    """While the block runs, a compilation that takes over a second is announced."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    before = [logger.level for logger in loggers]
    listener = _Listener(min(logger.getEffectiveLevel() for logger in loggers))
    for logger in loggers:
        logger.addFilter(listener)
        logger.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        listener.stop()
        for logger, level in zip(loggers, before, strict=True):
            logger.removeFilter(listener)
            logger.setLevel(level)


@contextlib.contextmanager
def expected() -> Iterator[None]:
    """As `announced`, around a first call whose tracing already takes long."""
    timer = _say_later()
    try:
        yield
    finally:
        timer.cancel()
