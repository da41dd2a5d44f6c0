"""Work in background threads: the results come in order, little waits, and errors surface."""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


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
