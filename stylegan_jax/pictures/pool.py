"""Work in background threads: the results come in order, little waits, and errors surface."""

import contextlib
import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Share:
    """Memory that threads share: whoever needs a piece of it waits until so much is free, or nobody else has any."""

    def __init__(self, size: int):
        self._size, self._held = size, 0
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def held(self, size: int) -> Iterator[None]:
        """Keeps `size` bytes of it while the block runs."""
        with self._changed:
            self._changed.wait_for(lambda: self._held == 0 or self._held + size <= self._size)
            self._held += size
        try:
            yield
        finally:
            with self._changed:
                self._held -= size
                self._changed.notify_all()


def threads() -> int:
    """As many as this process may use cores."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_order(
    work: Callable[[Item], Result], items: Iterable[Item], *, waiting: int, workers: int | None = None
) -> Generator[Result, None, None]:
    """Yields `work(item)` for every item, in order, working ahead in threads.

    Args:
      waiting: at most so many items are taken beyond those whose results were yielded.
      workers: threads; one for each core by default. With one, the work itself is done in order.

    Raises the first error of `work` or `items`; what has not begun then, or when it is closed, is dropped.
    """
    begun: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(workers or threads())
    try:
        for item in items:
            begun.append(pool.submit(work, item))
            while begun and (len(begun) > waiting or begun[0].done()):
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
