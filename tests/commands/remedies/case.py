"""What a case of a remedy is: how it is provoked, and what follows it."""

import dataclasses
import re
from collections.abc import Callable, Sequence
from typing import Any

LITERAL = "literal"
"""The words of the remedy say what to type: `follow.typed_instead` reads them."""
HANDS = "hands"
"""The user acts in the world (frees some space, fetches the file again): nothing can be typed for that."""

Step = Callable[[], Any]


@dataclasses.dataclass(frozen=True)
class Case:
    """One way to a remedy, and from it.

    Attributes:
      file: where the error is made, relative to the root.
      remedy: as `places.Place` has it.
      command: its name, or a function of the library that raises.
      typed: the arguments of the command, as in a shell.
      build: makes further input in the working directory, which holds the models of `shelf`.
      follow: LITERAL, HANDS, what to type instead (one text or more, each of which must do), what the user does before
        the same command is run again, or both: (what is done, what is typed); for a function, another function.
      slow: whether it takes seconds.
    """

    file: str
    remedy: str
    command: str | Step
    typed: str = ""
    build: Step | None = None
    follow: str | Sequence[str] | tuple[Step, str] | Step = LITERAL
    slow: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """As `places.Place.key`."""
        return self.file, self.remedy

    @property
    def name(self) -> str:
        """For the list of tests."""
        named = self.command if isinstance(self.command, str) else "call"
        return re.sub(r"[^\w.,=:+-]+", " ", f"{self.file}: {self.remedy} ({named} {self.typed})")[:150].strip()
