"""Keeps off the terminal what Orbax and TensorStore print beside the exception they raise."""

import logging
import sys
import warnings
from collections.abc import Callable
from typing import Any


def _for_others(record: logging.LogRecord) -> bool:
    """Whether a record of asyncio's is not about a task of a failed save or load that nobody waited for."""
    text = record.getMessage()
    return "orbax" not in text and "tensorstore" not in text


def quiet() -> None:
    """From now on; what others say is heard as before.

    When one write of a save fails, Orbax closes its event loop while TensorStore's threads still write: each of them
    then reports, whenever it ends, that the loop is closed.
    """
    logging.getLogger("absl").setLevel(logging.CRITICAL)  # Orbax narrates, and logs the errors that it raises
    logging.getLogger("asyncio").addFilter(_for_others)  # once, however often it is added
    warnings.filterwarnings("ignore", r"coroutine '\w*Handler\.", RuntimeWarning)  # what it begins and gives up
    if not isinstance(sys.unraisablehook, _Unraisable):
        sys.unraisablehook = _Unraisable(sys.unraisablehook)


class _Unraisable:
    """Python's hook for exceptions that nobody can catch, but for closed loops."""

    def __init__(self, before: Callable[[Any], Any]):
        self._before = before

    def __call__(self, report: Any) -> None:
        if not (isinstance(report.exc_value, RuntimeError) and str(report.exc_value) == "Event loop is closed"):
            self._before(report)
