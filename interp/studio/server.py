"""The server of the studio: the page, its live line, and what is saved and dropped."""

import json
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from fastapi import Depends, FastAPI, HTTPException, Request, Response, WebSocket
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, StreamingResponse
from starlette.requests import HTTPConnection

from interp.studio import frames
from interp.studio.guard import Guard
from interp.studio.library import Library
from interp.studio.live import Line
from interp.studio.painter import Painter
from interp.studio.questions import LARGEST, parsed
from interp.studio.saving import MOST_SECONDS, Saver
from interp.studio.state import State, from_json
from interp.studio.trouble import line_of
from interp.studio.workers import Workers
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
_KEYFRAMES = schema.Table(
    {"states": schema.ListOf(schema.Anything(), 500, 2), "seconds": schema.Number(0.1, MOST_SECONDS)},
    required=("states", "seconds"),
)
_STRANGER = "<!doctype html><title>studio</title><p>This address is of another run: open the one that was printed."


class Server:
    """What a page can ask for.

    Args:
      painter, saver: draw and write what pages show; the saver's folder is the only one that is written to.
      start: what a page shows unless its address says otherwise.
      guard: knows who may talk to the server.
    """

    def __init__(self, painter: Painter, saver: Saver, start: State, guard: Guard):
        self.painter, self.saver, self.start, self.guard = painter, saver, start, guard
        self.library, self._workers = painter.library, Workers()
        self._saved: dict[str, Path] = {}

    @property
    def app(self) -> FastAPI:
        """The application."""
        app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
        app.middleware("http")(_with_headers)
        app.add_api_route("/", self.page)
        app.add_api_route("/page/{name}", _piece)
        app.add_api_websocket_route("/live", self.live)
        admitted = [Depends(self._check)]
        app.add_api_route("/save", self.save, methods=["POST"], dependencies=admitted)
        app.add_api_route("/film", self.film, methods=["POST"], dependencies=admitted)
        app.add_api_route("/keyframes", self.keyframes, methods=["POST"], dependencies=admitted)
        app.add_api_route("/drop", self.drop, methods=["PUT"], dependencies=admitted)
        app.add_api_route("/saved/{name}", self.saved, dependencies=admitted)
        return app

    def _check(self, connection: HTTPConnection) -> None:
        if not self.guard.admits(connection.headers, connection.query_params):
            raise HTTPException(403, "open the address that the command printed")

    async def page(self, request: Request) -> Response:
        """The page."""
        if not self.guard.admits(request.headers, request.query_params):
            return HTMLResponse(_STRANGER, 403)
        return FileResponse(PAGE / "index.html")

    async def live(self, socket: WebSocket) -> None:
        """Its live line."""
        if not self.guard.admits(socket.headers, socket.query_params):
            await socket.close(1008)
            return
        await socket.accept()
        await socket.send_json(frames.welcome(self.library, self.start))
        await Line(socket, self.painter, self._workers.frame).serve()

    async def save(self, request: Request) -> Response:
        """Writes what a state shows: {state, what, end} → {files}."""

        async def work() -> dict[str, Any]:
            asked = await _asked(request, _SAVE)
            return self._listed(
                await self._workers.job(self.saver.save, from_json(asked["state"]), asked["what"], asked.get("end"))
            )

        return await _answer(work())

    async def film(self, request: Request) -> Response:
        """Films the way from one state to another: {first, last, seconds} → lines {done, of}, then {files}."""
        try:
            asked = await _asked(request, _FILM)
            first, last = from_json(asked["first"]), from_json(asked["last"])
        except InputError as error:
            return JSONResponse({"error": str(error)}, 400)

        def work(say: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
            done = self.saver.film(first, last, asked["seconds"], lambda done, of: say({"done": done, "of": of}))
            return self._listed([done])

        async def lines() -> AsyncIterator[bytes]:
            async for line in self._workers.told(work):
                yield json.dumps(line).encode() + b"\n"

        return StreamingResponse(lines(), media_type="application/x-ndjson")

    async def keyframes(self, request: Request) -> Response:
        """Writes a film through states as keyframes: {states, seconds} → {files}."""

        async def work() -> dict[str, Any]:
            asked = await _asked(request, _KEYFRAMES)
            states = [from_json(state) for state in asked["states"]]
            return self._listed(await self._workers.job(self.saver.keyframes, states, asked["seconds"]))

        return await _answer(work())

    async def drop(self, request: Request, name: str) -> Response:
        """Takes a file that was dropped onto the page → {kind, what, models, files, directions}."""

        async def work() -> dict[str, Any]:
            path = await _kept(request, self.saver.folder / "dropped", name)
            kind, what = await self._workers.job(_added, self.library, path, name)
            brought = what.to_json() if isinstance(what, State) else what
            return {"kind": kind, "what": brought, **frames.known(self.library)}

        return await _answer(work())

    async def saved(self, name: str) -> Response:
        """A file that was saved in this run."""
        if name not in self._saved:
            raise HTTPException(404)
        return FileResponse(self._saved[name], filename=name)

    def _listed(self, paths: list[Path]) -> dict[str, Any]:
        self._saved.update({path.name: path for path in paths if path.is_file()})
        return {"files": [{"name": path.name, "shown": os.path.relpath(path)} for path in paths]}


async def _with_headers(request: Request, go_on: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await go_on(request)
    response.headers.update(_HEADERS)
    return response


async def _piece(name: str) -> Response:
    """A style sheet or a script of the page: nothing that is secret."""
    if name not in _PIECES:
        raise HTTPException(404)
    return FileResponse(_PIECES[name])


async def _answer(work: Awaitable[dict[str, Any]]) -> Response:
    try:
        return JSONResponse(await work)
    except Exception as error:
        return JSONResponse({"error": line_of(error)}, 400)


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


def _added(library: Library, path: Path, name: str) -> tuple[str, Any]:
    """What a dropped file brings; only models and ws are kept."""
    kind = ""
    try:
        kind, what = library.add(path, name)
        return kind, what
    finally:
        if kind not in ("model", "w", "directions"):
            path.unlink(missing_ok=True)
