"""Where models of a hash lay last on this machine, so that recipes need not tell the world the paths of a home."""

import json
from pathlib import Path

from stylegan_jax.storage import atomic, usercache

_MOST = 500


def remember(sha256: str, place: Path) -> None:
    """Notes where a model lies, in the user's cache; not where there is none."""
    path = str(place.absolute())
    known = _read()
    if known.get(sha256) == path:
        return
    known.pop(sha256, None)
    entries = [*known.items(), (sha256, path)][-_MOST:]
    try:
        file = _file()
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic.new_file(file, overwrite=True) as handle:
            handle.write(json.dumps(dict(entries), indent=1).encode())
    except (OSError, RuntimeError):  # RuntimeError: a user without a home
        return


def recall(sha256: str | None) -> Path | None:
    """Where a model of this hash lay last, if something is there still."""
    found = _read().get(sha256 or "")
    return Path(found) if found is not None and Path(found).exists() else None


def _file() -> Path:
    return usercache.root() / "stylegan-jax" / "models-seen.json"


def _read() -> dict[str, str]:
    try:
        found = json.loads(_file().read_text())
    except (OSError, RuntimeError, ValueError):
        return {}
    return {key: value for key, value in found.items() if isinstance(value, str)} if isinstance(found, dict) else {}
