"""Where the user's cache lies, for what can be made or fetched again."""

import os
import sys
from pathlib import Path


def folder(name: str) -> Path | None:
    """A folder of that name of ours in the user's cache, made if need be; None where there is no such place."""
    try:
        place = root() / "stylegan-jax" / name
        place.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # RuntimeError: a user without a home
        return None
    return place if os.access(place, os.W_OK) else None


def root() -> Path:
    """The folder of all programs' caches; RuntimeError for a user without a home."""
    if named := os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA"):
        return Path(named)
    return Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")
