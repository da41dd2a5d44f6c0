"""What comes first when a module of ours runs as a command: Ctrl-C is quiet during imports, namesakes are noticed.

The packages import it before all else, as Ctrl-C is a traceback until then, and it imports next to nothing. Importing
the packages from another program does nothing of this.
"""

import os
import signal
import sys

_NAMES = ("convert", "interp", "stylegan_jax")
INTERRUPTED = 130
is_program = False
"""Whether this process is a command of ours, and ends with it."""


def _begin() -> None:
    global is_program
    form = os.path.basename("".join(sys.argv[:1]))
    if form not in ("-m", "stylegan-jax"):
        return
    is_program = True
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, end)
    if form == "-m" and not sys.flags.safe_path:
        _refuse_namesakes()


def end(*_: object) -> None:
    """Ends the process at once, in one line: the handler of SIGINT for the time of the imports."""
    try:
        os.write(2, b"interrupted\n")
    finally:
        os._exit(INTERRUPTED)


def _refuse_namesakes() -> None:
    """Ends the process where a file of the user's would be imported, and run, instead of one of our packages."""
    from pathlib import Path

    here = Path.cwd()
    if here == Path(__file__).resolve().parent.parent:
        return
    for name in _NAMES:
        for file in (here / f"{name}.py", here / name / "__init__.py"):
            if file.is_file():
                remedy = "rename it, or use the command stylegan-jax, which is not confused by it"
                shown = file.relative_to(here)
                print(f"error: {shown}: hides this program's own {name} from Python — {remedy}", file=sys.stderr)
                sys.exit(2)


_begin()
