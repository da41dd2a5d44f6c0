"""An HTTP server on this machine that serves files well or badly, and remembers what it was asked."""

import contextlib
import re
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Server(ThreadingHTTPServer):
    """What the tests set and look at.

    Attributes:
      files: path → contents.
      tag: the ETag; None for none. `modified`: Last-Modified.
      ranges: whether it gives parts.
      bad: called in place of a good answer to a GET, with the request.
      asked: headers of all requests, in order.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Request)
        self.files: dict[str, bytes] = {}
        self.tag: str | None = '"one"'
        self.modified: str | None = None
        self.ranges = True
        self.bad: Callable[[Request], Any] | None = None
        self.asked: list[dict[str, str]] = []

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{path}"


class Request(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.server.asked.append({"path": self.path, **self.headers})
        with contextlib.suppress(ConnectionError):
            (self.server.bad or Request.serve)(self)

    def serve(self) -> None:
        """As a good server does."""
        data = self.server.files.get(self.path.lstrip("/").partition("?")[0])
        if data is None:
            return self.answer(404)
        version = self.server.tag or self.server.modified
        known = self.headers["If-None-Match"] or self.headers["If-Modified-Since"]
        if known is not None and known == version:
            return self.answer(304)
        found = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
        if found and self.server.ranges and self.headers["If-Range"] in (None, version):
            start = int(found[1])
            return self.answer(206, data[start:], {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"})
        self.answer(200, data)

    def answer(self, status: int, data: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        tags = {"ETag": self.server.tag, "Last-Modified": self.server.modified}
        for name, value in {"Content-Length": str(len(data)), **tags, **(headers or {})}.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


@contextlib.contextmanager
def serving() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def cut_after(count: int, then: Callable[[Request], Any] = lambda request: None) -> Callable[[Request], None]:
    """Promises the whole file, or the rest, and ends after `count` bytes."""

    def bad(request: Request) -> None:
        whole = request.wfile

        class Cut:
            left = count

            def write(self, data: bytes) -> None:
                if data.startswith(b"HTTP/"):
                    whole.write(data)
                    return
                whole.write(data[: self.left])
                whole.flush()
                then(request)

            def flush(self) -> None:
                whole.flush()

        request.wfile = Cut()  # type: ignore
        request.serve()
        request.close_connection = True
        request.wfile = whole

    return bad


def stall(request: Request) -> None:
    time.sleep(5)
