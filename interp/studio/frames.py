"""A frame as one message: what there is to say as JSON, then the files of the pictures, end to end."""

import dataclasses
import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import UInt8

from interp import commandline
from interp.alphas import KINDS
from interp.schedule_text import PRESETS
from interp.studio.library import Library
from interp.studio.painter import Frame
from interp.studio.state import MOST_PICTURES, State
from stylegan_jax.pictures import encoding
from stylegan_jax.pictures.encoding import Form

_LARGEST_EXACT = 256  # pixels a side, up to which a picture that moves is sent as it is
_TYPES: dict[Form, str] = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}


def message(frame: Frame, state: State, library: Library, *, number: int, moving: bool, seconds: float) -> bytes:
    """The message for one frame: the length of the JSON (4 bytes, the most significant first), the JSON, the pictures.

    Args:
      frame: the pictures; they are sent exactly, as PNG, but large ones that move.
      state: what they show.
      library: names of its models.
      number: by which the page knows its question.
      moving: whether the next question comes soon.
      seconds: how long the drawing took.
    """
    files: list[bytes] = []
    pictures = []
    for role, images in frame.pictures.items():
        for image in images:
            form = form_of(image, moving=moving)
            files.append(encoding.encode(image, form))
            pictures.append({"role": role, "bytes": len(files[-1]), "type": _TYPES[form]})
    recipe = library.as_typed(state.recipe)
    said = {
        "id": number,
        "pictures": pictures,
        "labels": frame.labels,
        "alphas": frame.alphas,
        "resolutions": frame.resolutions,
        "conditional": frame.decisions.config.generator.c_dim > 0,
        "sources": dataclasses.asdict(frame.decisions.sources),
        "notes": [*frame.decisions.notes, *frame.warnings],
        "command": commandline.command(recipe),
        "python": commandline.python(recipe),
        "ms": round(1000 * seconds, 1),
    }
    return packed(said, files)


def packed(said: Mapping[str, Any], files: list[bytes]) -> bytes:
    """JSON and files in one message."""
    head = json.dumps(said).encode()
    return b"".join([struct.pack(">I", len(head)), head, *files])


def form_of(image: UInt8[np.ndarray, "h w c"], *, moving: bool) -> Form:
    """How a picture travels: exactly, unless it is large and soon replaced."""
    if not moving or max(image.shape[:2]) <= _LARGEST_EXACT:
        return "png"
    return "webp" if image.shape[-1] == 4 else "jpg"


def welcome(library: Library, state: State) -> dict[str, Any]:
    """What a page is told first: what it may name, and what it shows unless its address says otherwise."""
    return {
        **known(library),
        "presets": PRESETS,
        "kinds": list(KINDS),
        "most": MOST_PICTURES,
        "state": state.to_json(),
    }


def known(library: Library) -> dict[str, Any]:
    """What a page may name."""
    return {"models": library.models, "files": library.files, "directions": library.directions}
