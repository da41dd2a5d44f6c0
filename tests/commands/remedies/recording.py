"""Where errors are made while a test runs."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType

from stylegan_jax.errors import InputError
from tests.commands.remedies.places import PACKAGES, REWORDED, Place
from tests.golden_data import ROOT

Made = list[tuple[str, int]]


@contextlib.contextmanager
def recorded() -> Iterator[Made]:
    """The file and line of every InputError that is made inside."""
    made: Made = []
    original = InputError.__init__

    def noting(self, *args, **kwargs):
        frame = sys._getframe(1)
        while frame is not None and not _is_ours(frame.f_code):  # a wrapper that checks types, or a subclass
            frame = frame.f_back
        if frame is not None:
            made.append((Path(frame.f_code.co_filename).relative_to(ROOT).as_posix(), frame.f_lineno))
        original(self, *args, **kwargs)

    InputError.__init__ = noting
    try:
        yield made
    finally:
        InputError.__init__ = original


def _is_ours(code: CodeType) -> bool:
    path = Path(code.co_filename)
    ours = any(path.is_relative_to(ROOT / package) for package in PACKAGES)
    return ours and path.relative_to(ROOT).as_posix() not in REWORDED


def is_hit(where: list[Place], made: Made) -> bool:
    """Whether one of the errors was made at one of the places."""
    return any(file == each.file and each.first <= line <= each.last for file, line in made for each in where)
