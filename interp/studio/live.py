"""The live line to one page: the newest question is answered, those it has overtaken are not."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from interp.studio import frames
from interp.studio.painter import BLEND, Painter
from interp.studio.questions import parsed
from interp.studio.state import State, from_json
from interp.studio.trouble import line_of
from stylegan_jax.storage import schema

_PREVIEW_FROM, _PATIENCE = 512, 0.1  # pixels; seconds a picture that moves may take
_QUESTION = schema.Table(
    {
        "id": schema.Number(0, 1e15, whole=True),
        "state": schema.Anything(),
        "show": schema.ListOf(schema.Text(20), 21),
        "moving": schema.Flag(),
    },
    required=("id", "state"),
)


class Newest:
    """A box for one thing: what is put in takes the place of what nobody took."""

    def __init__(self) -> None:
        self._thing: Any = None
        self._there = asyncio.Event()

    def put(self, thing: Any) -> None:
        """Leaves a thing."""
        self._thing = thing
        self._there.set()

    async def take(self) -> Any:
        """Waits for a thing and takes it away."""
        await self._there.wait()
        self._there.clear()
        return self._thing


class Line:
    """One page's questions and answers.

    Args:
      socket: accepted.
      painter: draws the answers.
      run: runs a function that takes long beside the loop.
    """

    def __init__(self, socket: WebSocket, painter: Painter, run: Callable[..., Awaitable[bytes]]):
        self.socket, self.painter, self._run = socket, painter, run
        self._newest, self._slow = Newest(), False

    async def serve(self) -> None:
        """Answers until the page is gone."""
        reader = asyncio.create_task(self._read())
        answers = asyncio.create_task(self._answer())
        try:
            await asyncio.wait((reader, answers), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (reader, answers):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
                    await task

    async def _read(self) -> None:
        while True:
            self._newest.put(await self.socket.receive_text())

    async def _answer(self) -> None:
        while True:
            text, number = await self._newest.take(), 0
            try:
                question = parsed(text, _QUESTION)
                number = question["id"]
                answer = await self._run(self._drawn, question)
            except Exception as error:
                await self.socket.send_json({"id": number, "error": line_of(error)})
            else:
                await self.socket.send_bytes(answer)

    def _drawn(self, question: dict[str, Any]) -> bytes:
        state, moving = from_json(question["state"]), bool(question.get("moving"))
        begun = time.perf_counter()
        preview = self._preview(state) if moving else None
        frame = self.painter.frame(state, question.get("show") or [BLEND], preview=preview)
        seconds = time.perf_counter() - begun
        self._slow = self._slow if preview else seconds > _PATIENCE
        how: Any = {"number": question["id"], "moving": moving, "seconds": seconds}
        return frames.message(frame, state, self.painter.library, **how)

    def _preview(self, state: State) -> int | None:
        """The resolution at which a picture that moves ends, where a whole one takes long."""
        generator = self.painter.library.model(state.recipe.models[0].path).model.config.generator
        is_large = generator.img_resolution >= _PREVIEW_FROM and generator.architecture == "skip"
        return generator.img_resolution // 2 if is_large and self._slow else None
