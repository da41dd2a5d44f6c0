"""Bytes of a remote file from any place on: over HTTP by requests, from object stores by fsspec.

The usual downloaders (pooch, fsspec's HTTP) begin anew after every break and take a file of any length for whole.
"""

import contextlib
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from stylegan_jax.errors import InputError
from stylegan_jax.storage import remote
from stylegan_jax.storage.downloads.addresses import Address

CHUNK = 1 << 20
PATIENCE = 30.0  # seconds in which there must be an answer and some bytes; STYLEGAN_JAX_TIMEOUT replaces it
_LEAST = 4096
_CONNECT = 10.0
_MOST_REDIRECTS = 10
_GO_ON = "run the same command again to go on"


class Unreachable(InputError):
    """Nothing is wrong with the address as far as is known: another time it may be served."""


class Broken(Unreachable):
    """The transfer ended early; what came is good, and the next try may go on from there."""


@dataclass(frozen=True)
class Reply:
    """What a server has to give.

    Attributes:
      same: the file is that of the version asked for, which is whole here; there are no chunks.
      start: the place of the first byte: the one asked for, or 0 where the server begins anew.
      size: of the whole file, if it is known.
      version: changes when the file does; None if nothing tells.
      chunks: the bytes.
    """

    same: bool = False
    start: int = 0
    size: int | None = None
    version: str | None = None
    chunks: Iterable[bytes] = ()


@contextlib.contextmanager
def opened(address: Address, start: int = 0, version: str | None = None) -> Iterator[Reply]:
    """Asks for the bytes of a file.

    Args:
      address: of the file.
      start: how many bytes are here already, of `version`.
      version: as an earlier reply had it; with `start` 0, one that is whole here.

    Raises:
      Unreachable: nobody answers, or not now. `Broken` also while the chunks are read.
      InputError: the address is wrong, or what is there is none of ours to read.
    """
    source = _over_http if address.scheme in ("http", "https") else _from_store
    with source(address, start, version) as reply:
        yield reply


def patience() -> float:
    """Seconds without an answer after which a transfer is given up."""
    try:
        return max(0.1, float(os.environ.get("STYLEGAN_JAX_TIMEOUT", PATIENCE)))
    except ValueError:
        return PATIENCE


@contextlib.contextmanager
def _over_http(address: Address, start: int, version: str | None) -> Iterator[Reply]:
    import requests

    with _told(address), requests.Session() as session:
        session.max_redirects = _MOST_REDIRECTS
        if start and (version is None or version.startswith("W/")):  # nothing says that the rest would fit
            start, version = 0, None
        response = _asked(session, address, start, version)
        if response.status_code == 416 or (response.status_code == 206 and not _goes_on(response, start, version)):
            response.close()
            start, version = 0, None
            response = _asked(session, address, start, version)
        with response:
            yield _reply(response, address, start, version)


def _asked(session: Any, address: Address, start: int, version: str | None) -> Any:
    headers = {"Accept-Encoding": "identity", "User-Agent": "stylegan-jax"}
    if start:
        headers |= {"Range": f"bytes={start}-", "If-Range": str(version)}
    elif version is not None:
        headers["If-None-Match" if version.lstrip("W/").startswith('"') else "If-Modified-Since"] = version
    if address.typed.lower().startswith("hf://") and (token := os.environ.get("HF_TOKEN")):
        headers["Authorization"] = f"Bearer {token}"  # requests drops it where a redirect leaves the host
    seconds = patience()
    return session.get(address.url, headers=headers, stream=True, timeout=(min(_CONNECT, seconds), seconds))


def _goes_on(response: Any, start: int, version: str | None) -> bool:
    """Whether a partial answer is the rest of the very file of which the beginning is here."""
    begins = response.headers.get("Content-Range", "").startswith(f"bytes {start}-")
    return begins and _version(response.headers) in (None, version)


def _version(headers: Any) -> str | None:
    tag = headers.get("ETag", "")
    return tag if tag.startswith('"') else headers.get("Last-Modified") or tag or None


def _reply(response: Any, address: Address, start: int, version: str | None) -> Reply:
    status = response.status_code
    if status == 304:
        return Reply(same=True, version=version)
    if status not in (200, 206) or (status == 206 and not start):
        raise _refusal(status, address)
    found = _version(response.headers) or (version if status == 206 else None)
    if not start and version is not None and found == version:
        return Reply(same=True, version=version)
    start = start if status == 206 else 0
    encoded = response.headers.get("Content-Encoding", "identity") != "identity"  # though it was not asked for
    size = None if encoded else _size(response.headers, start)
    return Reply(False, start, size, None if encoded else found, _chunks(response.raw, decode=encoded))


def _size(headers: Any, start: int) -> int | None:
    """Of the whole file; a server that contradicts itself is believed in what is larger."""
    length = headers.get("Content-Length", "")
    total = headers.get("Content-Range", "").rpartition("/")[2]
    sizes = [start + int(length)] if length.isdecimal() else []
    return max([*sizes, *([int(total)] if total.isdecimal() else [])], default=None)


def _refusal(status: int, address: Address) -> InputError:
    if status in (401, 403):
        login = "set HF_TOKEN, or check the address" if address.typed.startswith("hf:") else "check the address"
        return InputError(f"the server refuses it ({status})", f"{login}: it may need a login")
    if status in (404, 410):
        return InputError(f"no such file on the server ({status})", "check the address")
    if status == 429 or status >= 500:
        return Unreachable(f"the server cannot serve it now ({status})", f"wait a little, then {_GO_ON}")
    return InputError(f"the server answers {status}", "check the address")


def _chunks(raw: Any, *, decode: bool) -> Iterator[bytes]:
    """What arrives, as it arrives; `Broken` where it comes too slowly to ever end."""
    since, got = time.monotonic(), 0
    while chunk := raw.read1(CHUNK, decode_content=decode):
        yield chunk
        got += len(chunk)
        if (now := time.monotonic()) - since > patience():
            if got < _LEAST:
                raise Unreachable(f"only {got} bytes in {now - since:.0f} s", _GO_ON)
            since, got = now, 0


@contextlib.contextmanager
def _told(address: Address) -> Iterator[None]:
    """The many ways in which a connection fails, each said in words."""
    import requests
    import urllib3

    try:
        yield
    except InputError:
        raise
    except (requests.Timeout, urllib3.exceptions.TimeoutError) as error:
        raise Unreachable(f"no answer for {patience():g} s", f"check the network, then {_GO_ON}") from error
    except requests.exceptions.SSLError as error:
        raise Unreachable(f"its certificate is not accepted ({_reason(error)})", "check the address") from error
    except requests.TooManyRedirects as error:
        raise InputError("redirects without end", "check the address in a browser") from error
    except requests.exceptions.InvalidSchema as error:
        raise InputError("redirects to what is neither http nor https", "check the address in a browser") from error
    except _no_addresses() as error:
        raise InputError(f"is no address ({_reason(error)})", "write https://HOST/PATH/FILE") from error
    except (urllib3.exceptions.ProtocolError, requests.exceptions.ChunkedEncodingError) as error:
        raise Broken(f"the connection broke ({_reason(error)})", _GO_ON) from error
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise Unreachable(f"cannot be reached ({_reason(error)})", f"check the network, then {_GO_ON}") from error


def _no_addresses() -> tuple[type[Exception], ...]:
    from requests.exceptions import InvalidURL, MissingSchema
    from urllib3.exceptions import LocationParseError

    return InvalidURL, MissingSchema, LocationParseError, UnicodeError


def _reason(error: BaseException) -> str:
    """What the innermost error says, in a few words."""
    while isinstance(inner := getattr(error, "reason", None) or next(iter(error.args), None), BaseException):
        error = inner
    words = re.sub(r"^\w+\(host=.*?\): ", "", " ".join(str(error).split()))
    return words[:120] or type(error).__name__


@contextlib.contextmanager
def _from_store(address: Address, start: int, version: str | None) -> Iterator[Reply]:
    system, place = remote.file_system(address.url)
    found = in_store(lambda: str(system.ukey(place)))
    if found == version and not start:
        yield Reply(same=True, version=version)
        return
    start = start if found == version else 0
    size = in_store(lambda: system.size(place))
    with contextlib.ExitStack() as stack:
        file = in_store(lambda: stack.enter_context(system.open(place, "rb")))
        in_store(lambda: file.seek(start))
        yield Reply(False, start, size, found, iter(lambda: in_store(lambda: file.read(CHUNK)), b""))


def in_store(ask: Callable[[], Any]) -> Any:
    """What a store answers; its packages' many kinds of errors become `Broken`."""
    try:
        return ask()
    except FileNotFoundError as error:
        raise InputError("no such file or folder", "check the address") from error
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise Broken(f"cannot be read ({reason})", f"check the address and your credentials, then {_GO_ON}") from error
