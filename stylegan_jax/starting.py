"""What comes first when a module of ours runs as a command: Ctrl-C is quiet during imports, namesakes are noticed.

Importing the packages from a program does nothing of this.
"""

import os
import signal
import sys
from pathlib import Path

from stylegan_jax import interrupts

_ROOT = Path(__file__).resolve().parent.parent
_NAMES = ("convert", "interp", "stylegan_jax")


def begin() -> None:
    """Called by the packages' `__init__`, which `python -m …` imports before anything else."""
    form = os.path.basename("".join(sys.argv[:1]))
    if form not in ("-m", "stylegan-jax"):
        return
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, interrupts.end)
    if form == "-m" and not sys.flags.safe_path:
        _refuse_namesakes()


def _refuse_namesakes() -> None:
    """Ends the process where a file of the user's would be imported, and run, instead of one of our packages."""
    here = Path.cwd()
    if here == _ROOT:
        return
    for name in _NAMES:
        for file in (here / f"{name}.py", here / name / "__init__.py"):
            if file.is_file():
                remedy = "rename it, or use the command stylegan-jax, which is not confused by it"
                shown = file.relative_to(here)
                print(f"error: {shown}: hides this program's own {name} from Python — {remedy}", file=sys.stderr)
                sys.exit(2)
