"""How commands declare their flags."""

from typing import Any

import tyro

Flat = tyro.conf.arg(name="")
"""The fields of a dataclass are flags of their own, without its name before them."""
Many = tyro.conf.UseAppendAction
"""The flag may be given again; its values add up."""


def typed(metavar: str, name: str | None = None) -> Any:
    """A flag that may be left out, shown in the help by what is typed for it."""
    return tyro.conf.arg(metavar=metavar, help_behavior_hint="", name=name)
