"""Who may talk to the server: the page that it sent itself, from this machine, with the token of this run."""

import secrets
from urllib.parse import urlsplit

from starlette.datastructures import Headers, QueryParams

_HERE = ("127.0.0.1", "localhost", "::1")


class Guard:
    """Knows the token of one run.

    A page elsewhere cannot know it; that neither the Host of a request (a name that was made to lead here) nor its
    Origin (a page elsewhere that asks) is of another site is checked besides.
    """

    def __init__(self, token: str | None = None):
        self.token = token or secrets.token_urlsafe(24)

    def admits(self, headers: Headers, query: QueryParams) -> bool:
        """Whether a request comes from our own page; its token is in the address or in the header X-Token."""
        given = headers.get("x-token") or query.get("token") or ""
        return self.is_here(headers) and secrets.compare_digest(given.encode(), self.token.encode())

    def is_here(self, headers: Headers) -> bool:
        """Whether a request was sent to this machine by its own name, and by no other site."""
        host, origin = headers.get("host", ""), headers.get("origin")
        return _name(f"//{host}") in _HERE and (origin is None or urlsplit(origin).netloc == host)


def _name(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None
