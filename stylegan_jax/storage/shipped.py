"""The models that come with the package, and what somebody may have meant who names a file that is not there."""

import difflib
import os
from pathlib import Path

_MODELS = Path(__file__).parent.parent / "models"
_MOST_NAMES = 10_000


def shipped_models() -> dict[str, Path]:
    """The models that come with the package, by their bare names."""
    return {path.stem: path for path in sorted(_MODELS.glob("*.safetensors"))}


def shipped_encoders() -> list[Path]:
    """The encoders that come with the package; each says to which model it belongs."""
    return sorted((_MODELS / "encoders").glob("*.safetensors"))


def remedy(path: str | Path) -> str:
    """What to do about a path at which there is nothing: the nearest name of its folder or of a shipped model."""
    folder, name = os.path.split(os.path.normpath(path))
    try:
        around = sorted(os.listdir(folder or "."))[:_MOST_NAMES]
    except OSError:
        around = []
    names = [*([] if folder else shipped_models()), *(other for other in around if not other.startswith("."))]
    near = difflib.get_close_matches(name, names, 1, 0.7)
    return f"did you mean {os.path.join(folder, near[0])}?" if near and near[0].isprintable() else "check the path"
