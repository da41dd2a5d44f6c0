"""The threads in which what takes long is done, beside the loop that talks to the pages."""

import asyncio
import queue
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from interp.studio.trouble import line_of

Result = TypeVar("Result")
Said = dict[str, Any]


class GoneError(Exception):
    """Nobody waits for this any more."""


class Workers:
    """One thread for frames, and one for what is saved and read, so that a film stops no handle."""

    def __init__(self) -> None:
        self._frames, self._jobs = ThreadPoolExecutor(1, "frames"), ThreadPoolExecutor(1, "jobs")

    async def frame(self, work: Callable[..., Result], *arguments: Any) -> Result:
        """Draws, in turn."""
        return await asyncio.get_running_loop().run_in_executor(self._frames, work, *arguments)

    async def job(self, work: Callable[..., Result], *arguments: Any) -> Result:
        """Reads or writes, in turn."""
        return await asyncio.get_running_loop().run_in_executor(self._jobs, work, *arguments)

    async def told(self, work: Callable[[Callable[[Said], None]], Said]) -> AsyncIterator[Said]:
        """What a job says on its way, then what it returns, or its error in a line; it stops when nobody listens."""
        lines: queue.SimpleQueue[tuple[Said, bool]] = queue.SimpleQueue()
        gone = False

        def say(line: Said) -> None:
            if gone:
                raise GoneError
            lines.put((line, False))

        def run() -> None:
            try:
                last = work(say)
            except Exception as error:
                last = {} if isinstance(error, GoneError) else {"error": line_of(error)}
            lines.put((last, True))

        running, ended = asyncio.create_task(self.job(run)), False
        try:
            while not ended:
                line, ended = await asyncio.to_thread(lines.get)
                yield line
            await running
        finally:
            gone = True
