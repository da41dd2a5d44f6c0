"""Where the caches of the user lie."""

import os
import sys
from pathlib import Path


def folder() -> Path:
    """The folder of all programs' caches; RuntimeError for a user without a home."""
    if named := os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA"):
        return Path(named)
    return Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")
