"""Addresses of models: https://, hf://owner/repo/file, what fsspec knows (gs://, s3://), and names of public models."""

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote, urlsplit, urlunsplit
from urllib.request import url2pathname

from stylegan_jax.errors import InputError
from stylegan_jax.storage.downloads.public import PUBLIC

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_COLLAPSED = re.compile(r"(https?|hf|gs|gcs|s3|az|abfs|memory|file):/+(?=[^/])", re.IGNORECASE)
_SECRET = re.compile(r"sig|token|key|credential|expires|auth|secret|pass", re.IGNORECASE)


@dataclass(frozen=True)
class Address:
    """Where a model lies that is not on this machine.

    Attributes:
      typed: as the user wrote it, for messages.
      url: what is asked for it.
    """

    typed: str
    url: str

    @property
    def scheme(self) -> str:
        """`https`, `gs`, …"""
        return self.url.partition("://")[0]

    @property
    def file_name(self) -> str:
        """The last part of its path, as a name for a file here."""
        name = unquote(PurePosixPath(urlsplit(self.url).path).name)
        return re.sub(r"[^\w.,@+ -]", "_", name).lstrip(".")[:120] or "model"

    @property
    def key(self) -> str:
        """A name for it in the cache."""
        return hashlib.sha256(self.url.encode()).hexdigest()[:16]

    @property
    def shown(self) -> str:
        """`typed` without passwords and signatures: for messages, recipes and records."""
        if self.scheme not in ("http", "https") or "://" not in self.typed:
            return self.typed
        parts = urlsplit(self.typed)
        query = "" if _SECRET.search(parts.query) else parts.query
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, query, ""))


def find(model: str | Path) -> Address | None:
    """The address that a model argument is, or stands for; None for the path of a file or folder.

    `Path` makes one slash of two (`gs:/bucket/toon.pkl`); what it was is seen again here. Raises InputError for an
    address that cannot be one.
    """
    typed = _repaired(str(model))
    if _SCHEME.match(typed):
        return None if typed.lower().startswith("file://") else Address(typed, _url(typed))
    if typed in PUBLIC and not os.path.exists(typed):
        return Address(typed, PUBLIC[typed].address)
    return None


def path_of(model: str | Path) -> str | Path:
    """The path that `model` is, where it is no address: what follows `file://`, or itself."""
    typed = _repaired(str(model))
    return Path(url2pathname(urlsplit(typed).path)) if typed.lower().startswith("file://") else model


def as_path(model: str | Path) -> Path:
    """A path for outputs to be named after: an address's file in this folder, or the path itself."""
    address = find(model)
    if address is None:
        return Path(path_of(model))
    return Path(address.file_name if "://" in address.typed else address.typed)


def _repaired(text: str) -> str:
    if _SCHEME.match(text) or os.path.exists(text):
        return text
    return _COLLAPSED.sub(lambda found: f"{found[1]}://{'/' if found[1].lower() == 'file' else ''}", text, count=1)


def _url(typed: str) -> str:
    scheme, _, rest = typed.partition("://")
    if scheme.lower() == "hf":
        return _on_hugging_face(typed, rest)
    if scheme.lower() in ("http", "https"):
        try:
            host = urlsplit(typed).hostname
            _ = urlsplit(typed).port
        except ValueError:
            host = None
        if not host:
            raise InputError("is no address", "write https://HOST/PATH/FILE", file=typed)
        rest = rest.partition("#")[0]
    return f"{scheme.lower()}://{rest}"


def _on_hugging_face(typed: str, rest: str) -> str:
    """`owner/repo/file`, `owner/repo@revision/folder/file` → the address that the hub serves it at."""
    found = re.fullmatch(r"([\w.-]+)/([\w.-]+)(?:@([^/]+))?/(.*[^/])", rest)
    if found is None:
        raise InputError("is no file on Hugging Face", "write hf://owner/repo/file", file=typed)
    host = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    revision = quote(unquote(found[3] or "main"), safe="")
    return f"{host}/{found[1]}/{found[2]}/resolve/{revision}/{quote(unquote(found[4]))}"
