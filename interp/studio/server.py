"""The server of the studio: the page, its live line, and what is saved and dropped."""

import asyncio
import json
import os
import queue
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from fastapi import Depends, FastAPI, HTTPException, Request, Response, WebSocket
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, StreamingResponse
from starlette.requests import HTTPConnection

from interp.studio import frames
from interp.studio.guard import Guard
from interp.studio.live import Line
from interp.studio.painter import Painter
from interp.studio.questions import LARGEST, parsed
from interp.studio.saving import MOST_SECONDS, Saver
from interp.studio.state import State, from_json
from interp.studio.trouble import line_of
from stylegan_jax.errors import InputError
from stylegan_jax.storage import atomic, schema

PAGE = Path(__file__).parent / "page"
LARGEST_DROP = 4 << 30  # bytes
_PIECES = {path.name: path for path in PAGE.iterdir() if path.suffix in (".css", ".js", ".svg")}
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
_SAVE = schema.Table(
    {"state": schema.Anything(), "what": schema.Text(20), "end": schema.Text(20)}, required=("state", "what")
)
_FILM = schema.Table(
    {"first": schema.Anything(), "last": schema.Anything(), "seconds": schema.Number(0.1, MOST_SECONDS)},
    required=("first", "last", "seconds"),
)
_STRANGER = "<!doctype html><title>studio</title><p>This address is of another run: open the one that was printed."
Result = TypeVar("Result")


class _GoneError(Exception):
    """Nobody waits for the film any more."""


class Workers:
    """The threads in which what takes long is done: one for frames, and one for what is saved and read."""

    def __init__(self) -> None:
        self._frames, self._jobs = ThreadPoolExecutor(1, "frames"), ThreadPoolExecutor(1, "jobs")

    async def frame(self, work: Callable[..., Result], *arguments: Any) -> Result:
        """Draws, in turn."""
        return await asyncio.get_running_loop().run_in_executor(self._frames, work, *arguments)

    async def job(self, work: Callable[..., Result], *arguments: Any) -> Result:
        """Reads or writes, in turn, while frames are drawn."""
        return await asyncio.get_running_loop().run_in_executor(self._jobs, work, *arguments)


def server(painter: Painter, saver: Saver, start: State, guard: Guard) -> FastAPI:
    """The application.

    Args:
      painter, saver: draw and write what pages show; the saver's folder is the only one that is written to.
      start: what a page shows unless its address says otherwise.
      guard: knows who may talk to it.
    """
    app, workers, library = FastAPI(docs_url=None, redoc_url=None, openapi_url=None), Workers(), painter.library
    saved: dict[str, Path] = {}

    def admitted(connection: HTTPConnection) -> None:
        if not guard.admits(connection.headers, connection.query_params):
            raise HTTPException(403, "open the address that the command printed")

    async def answer(work: Awaitable[Any]) -> Response:
        try:
            return JSONResponse(await work)
        except Exception as error:
            return JSONResponse({"error": line_of(error)}, 400)

    @app.middleware("http")
    async def with_headers(request: Request, go_on: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await go_on(request)
        response.headers.update(_HEADERS)
        return response

    @app.get("/")
    async def page(request: Request) -> Response:
        if not guard.admits(request.headers, request.query_params):
            return HTMLResponse(_STRANGER, 403)
        return FileResponse(PAGE / "index.html")

    @app.get("/page/{name}")
    async def piece(name: str) -> Response:
        if name not in _PIECES:
            raise HTTPException(404)
        return FileResponse(_PIECES[name])

    @app.websocket("/live")
    async def live(socket: WebSocket) -> None:
        if not guard.admits(socket.headers, socket.query_params):
            await socket.close(1008)
            return
        await socket.accept()
        await socket.send_json(frames.welcome(library, start))
        await Line(socket, painter, workers.frame).serve()

    @app.post("/save", dependencies=[Depends(admitted)])
    async def save(request: Request) -> Response:
        async def work() -> dict[str, Any]:
            asked = await _asked(request, _SAVE)
            paths = await workers.job(saver.save, from_json(asked["state"]), asked["what"], asked.get("end"))
            saved.update({path.name: path for path in paths if path.is_file()})
            return {"files": [{"name": path.name, "shown": os.path.relpath(path)} for path in paths]}

        return await answer(work())

    @app.post("/film", dependencies=[Depends(admitted)])
    async def film(request: Request) -> Response:
        try:
            asked = await _asked(request, _FILM)
            first, last = from_json(asked["first"]), from_json(asked["last"])
        except InputError as error:
            return JSONResponse({"error": str(error)}, 400)
        lines: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        gone = False

        def said(done: int, count: int) -> None:
            if gone:
                raise _GoneError
            lines.put({"done": done, "of": count})

        def work() -> None:
            try:
                path = saver.film(first, last, asked["seconds"], said)
                saved[path.name] = path
                lines.put({"files": [{"name": path.name, "shown": os.path.relpath(path)}]})
            except _GoneError:
                pass
            except Exception as error:
                lines.put({"error": line_of(error)})

        async def told() -> AsyncIterator[bytes]:
            nonlocal gone
            making = asyncio.create_task(workers.job(work))
            try:
                line: dict[str, Any] = {}
                while "files" not in line and "error" not in line:
                    line = await asyncio.to_thread(lines.get)
                    yield json.dumps(line).encode() + b"\n"
                await making
            finally:
                gone = True

        return StreamingResponse(told(), media_type="application/x-ndjson")

    @app.put("/drop", dependencies=[Depends(admitted)])
    async def drop(request: Request, name: str) -> Response:
        async def work() -> dict[str, Any]:
            path = await _kept(request, saver.folder / "dropped", name)
            kind, what = await workers.job(_added, painter, path, name)
            brought = what.to_json() if isinstance(what, State) else what
            return {"kind": kind, "what": brought, "models": library.models, "files": library.files}

        return await answer(work())

    @app.get("/saved/{name}", dependencies=[Depends(admitted)])
    async def file(name: str) -> Response:
        if name not in saved:
            raise HTTPException(404)
        return FileResponse(saved[name], filename=name)

    return app


async def _asked(request: Request, kind: schema.Table) -> dict[str, Any]:
    """The JSON that a page sent; InputError for what is too large or not of the kind."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST:
            break
    return parsed(body, kind)


async def _kept(request: Request, folder: Path, name: str) -> Path:
    """A dropped file, in a folder of its own; InputError for one that is too large."""
    plain = re.sub(r"[^\w.,+-]+", "-", Path(name.replace("\\", "/")).name).lstrip(".-")[-100:]
    if not plain:
        raise InputError("has no name", "give it one", file=name)
    folder.mkdir(parents=True, exist_ok=True)
    path, count = folder / plain, 1
    while os.path.lexists(path):
        count += 1
        path = folder / f"{Path(plain).stem}-{count}{Path(plain).suffix}"
    size = 0
    with atomic.new_file(path) as file:
        async for chunk in request.stream():
            size += len(chunk)
            if size > LARGEST_DROP:
                raise InputError("is too large to be dropped", "name it when the studio is started", file=name)
            file.write(chunk)
    return path


def _added(painter: Painter, path: Path, name: str) -> tuple[str, Any]:
    """What a dropped file brings; only models and ws are kept."""
    kind = ""
    try:
        kind, what = painter.library.add(path, name)
        return kind, what
    finally:
        if kind not in ("model", "w"):
            path.unlink(missing_ok=True)
