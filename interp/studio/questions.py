"""What a page asks, read with bounds."""

import json
from typing import Any

from stylegan_jax.errors import InputError
from stylegan_jax.storage import schema

LARGEST = 1 << 16  # bytes


def parsed(text: str | bytes, kind: schema.Table) -> dict[str, Any]:
    """The JSON of a question; InputError for what is too large or not of the kind."""
    if len(text) > LARGEST:
        raise InputError("asks for too much at once", "reload the page")
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if wrong := schema.faults(found, kind):
        raise InputError(f"is no question: {', '.join(wrong)}", "reload the page")
    return found
