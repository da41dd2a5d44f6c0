"""What made a film, as it is noted in its frames: the same film has the same note, however its options were typed."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from interp.scenes import SEEDS
from interp.schedules import exact

if TYPE_CHECKING:
    from interp.replay import Loaded

_NUMBERS = ("seconds", "fps", "size", "psi", "swap", "smooth", "width", "alpha", "diameter")


def note(loaded: "Sequence[Loaded]", *options: Any) -> dict[str, Any]:
    """Models, and the options that were given: a default that was said, or a number written otherwise, is the same."""
    models = [{"path": each.name, "sha256": each.sha256} for each in loaded]
    settings = {key: value for part in options for key, value in dataclasses.asdict(part).items()}
    settings |= {key: _plain(settings[key]) for key in _NUMBERS if isinstance(settings.get(key), str)}
    if settings.get("audio") is None:
        settings.pop("audio_to", None)
    usual = _usual(settings)
    said = {key: value for key, value in settings.items() if value not in (None, ()) and value != usual.get(key)}
    return {"models": models, **said}


def _usual(settings: Mapping[str, Any]) -> dict[str, str]:
    """The defaults that are not noted."""
    return {
        "path": "linear",
        "seeds": SEEDS,
        "psi": "1" if settings.get("w") else "0.7",
        "width": "0.5",
        "diameter": "1" if settings.get("path") == "circle" else "3",
    }


def _plain(text: str) -> str:
    """`6.0` → `6`, `0..1.20` → `0..1.2`."""
    return "..".join(exact(float(part)) for part in text.split(".."))
