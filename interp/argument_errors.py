"""Errors about an argument of a function, which Python knows by its name and a command by its flag."""

import contextlib
from collections.abc import Iterator

from stylegan_jax.errors import InputError

_FLAGS = {"class_idx": "class"}  # `class` is no name in Python


class ArgumentError(InputError):
    """The value of an argument is at fault: `swap=24: not a resolution …`; of a command `--swap 24: not …`.

    Args:
      argument: its name, as in Python or in the text form of a schedule.
      value: what was given; None if that is not to be shown.
      what: what is wrong with it.
      remedy: the next step, in words that fit Python and the command line.
    """

    def __init__(self, argument: str, value: object, what: str, remedy: str = ""):
        self.argument, self.value = argument, value
        super().__init__(what, remedy, file=argument if value is None else f"{argument}={value}")


@contextlib.contextmanager
def flags_named() -> Iterator[None]:
    """Turns an ArgumentError inside into an InputError that names the flag; a decorator of the commands' functions."""
    try:
        yield
    except ArgumentError as error:
        flag = f"--{_FLAGS.get(error.argument, error.argument).replace('_', '-')}"
        typed = flag if error.value is None else f"{flag} {error.value}"
        raise InputError(error.what, error.remedy, file=typed) from error
