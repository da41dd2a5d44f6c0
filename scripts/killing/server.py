"""Commands in processes that are forked from one which has imported everything, so that each begins at once."""

import importlib
import os
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stylegan_jax.__main__ import COMMANDS
from stylegan_jax.commands import cli

_LATE = ("interp.mix", "interp.replay", "interp.scenes", "interp.toons", "interp.gallery", "interp.diagnosis")
_LATE += ("stylegan_jax.sampler", "stylegan_jax.train.loop", "stylegan_jax.projection.project", "optax", "flax.nnx")
_LATE += ("stylegan_jax.pictures.archives", "stylegan_jax.pictures.imagefolder", "PIL.WebPImagePlugin")
_LATE += ("orbax.checkpoint.experimental.v1",)
_SYNC = 0.02  # seconds that a slow disk takes


def prepare() -> None:
    """Imports what commands import late; JAX finds its devices, and starts its threads, in the children alone."""
    cli.set_up_jax()
    warnings.filterwarnings("ignore", "os.fork", RuntimeWarning)  # JAX's: it is not multithreaded yet
    for name in _LATE:
        importlib.import_module(name)
    for command in COMMANDS.values():
        command.function()


def start(typed: tuple[str, ...], folder: Path, log: Path) -> int:
    """Starts a command in a folder; what it prints goes to a file. Returns its process id."""
    return forked(lambda: _run(typed, folder, log))


def _run(typed: tuple[str, ...], folder: Path, log: Path) -> int:
    os.chdir(folder)
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    sync = os.fsync

    def slow(handle: Any) -> None:
        time.sleep(_SYNC)
        sync(handle)

    os.fsync = slow
    command = COMMANDS[typed[0]]
    function = command.function()
    aliases = getattr(sys.modules[command.module], "ALIASES", cli.NO_ALIASES)
    return cli.run(function, typed[0], typed[1:], aliases=aliases)


def forked(work: Callable[[], int]) -> int:
    """The id of a new process that does some work, whose result is its exit code."""
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        code = work()
        sys.stdout.flush()
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def ended(pid: int) -> int:
    """The exit code of a process, once it ends; negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
