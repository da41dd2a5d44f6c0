"""What goes wrong behind a page, in a line for it."""

import sys
import traceback

from stylegan_jax.errors import InputError, fault_line, system_fault


def line_of(error: Exception) -> str:
    """The line; the traceback of a bug of ours goes to stderr."""
    if isinstance(error, InputError):
        return str(error)
    fault = error if isinstance(error, OSError) else system_fault(error)
    if fault is not None:
        return fault_line(fault)
    traceback.print_exception(error, file=sys.stderr)
    return f"{type(error).__name__}: {str(error)[:500]} — this is a bug: report what the terminal says"
