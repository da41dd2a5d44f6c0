"""What all commands share: parsing, exit codes, one-line errors and JAX's settings."""

import atexit
import contextlib
import functools
import gc
import inspect
import io
import os
import re
import shutil
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import tyro

from stylegan_jax import compiling, interrupts
from stylegan_jax.commands.arguments import arranged, check_flags, known, unboxed
from stylegan_jax.errors import NAMES_AMISS, InputError, fault_line, system_fault, tell
from stylegan_jax.storage import usercache

DONE, OUR_BUG, BAD_INPUT, NO_SPACE, RESUME, INTERRUPTED = 0, 1, 2, 74, 75, interrupts.INTERRUPTED
NO_ALIASES: Mapping[str, str] = {}
_NARROWEST = 40
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_NO_BACKEND = re.compile(r"Unable to initialize backend '(\w+)'|Unknown backend:? '?(\w+)")


def run(
    main: Callable[..., int | None],
    prog: str,
    argv: Sequence[str] | None = None,
    *,
    aliases: Mapping[str, str] = NO_ALIASES,
) -> int:
    """Runs a command, a typed function whose docstring is its help, and returns the exit code.

    0, or what `main` returns; 2 bad input; 74 the machine fails: disk full or unwritable, network, memory; 130 Ctrl-C;
    143 SIGTERM; 1 a bug of ours. Errors are one line on stderr; `--debug` shows the traceback. Settings of JAX are made
    here, so modules import it no earlier.

    Args:
      main: the command.
      prog: how it is called.
      argv: what was typed; by default that of this process.
      aliases: further flags of the command, each for a flag of its signature or ("") for a positional argument.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    _open_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that knows no "—"
    set_up_jax()
    _collect_seldom()
    try:
        command = _parsed(main, prog, arguments, aliases)
        with contextlib.redirect_stdout(_Escaping(sys.stdout)), interrupts.handled(), compiling.announced():
            code = command()
        sys.stdout.flush()
        return code or DONE
    except SystemExit as exit:
        return exit.code if isinstance(exit.code, int) else DONE
    except KeyboardInterrupt as error:
        code = _report(error, debug)
        interrupts.leave(code)
        return code
    except BaseException as error:
        return _report(error, debug)


def _parsed(
    main: Callable[..., int | None], prog: str, arguments: Sequence[str], aliases: Mapping[str, str]
) -> Callable[[], int | None]:
    """The command with its arguments, not yet begun; InputError for what it does not take. SystemExit after help."""
    options = known(main)
    arguments = arranged(arguments, options, aliases)

    @functools.wraps(main)
    def later(*args: Any, **kwargs: Any) -> Any:
        return functools.partial(main, *args, **kwargs)

    if shutil.get_terminal_size().columns < _NARROWEST:
        os.environ["COLUMNS"] = str(_NARROWEST)  # the parser's layout never ends in a terminal of three columns
    if "-h" not in arguments and "--help" not in arguments:
        check_flags(arguments, options, prog)
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return tyro.cli(
                later, prog=prog, args=arguments, description=_help(main), config=(tyro.conf.FlagCreatePairsOff,)
            )
    except SystemExit as exit:
        if exit.code in (None, DONE):
            raise
    raise InputError(unboxed(said.getvalue()), f"{prog} --help explains its options")


def _open_streams() -> None:
    """A stream that the shell has closed (`>&-`) leads nowhere, rather than into the next file that is opened."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            with contextlib.suppress(OSError):
                os.fstat(number)
                continue  # something else has been opened under its number
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
            setattr(sys, name, os.fdopen(number, mode, closefd=False))


def _collect_seldom() -> None:
    """What is imported never becomes garbage; looking for some in it takes a sixth of a short run."""
    gc.set_threshold(100_000, 10, 10)
    atexit.register(gc.freeze)  # nor at the end


def _help(main: Callable[..., int | None]) -> str:
    """The docstring as it was written, examples included, up to its arguments."""
    text = inspect.cleandoc(main.__doc__ or "").split("\nArgs:")[0].rstrip()
    return f"{text}\n\n--debug shows the traceback of an error."


def _report(error: BaseException, debug: bool) -> int:
    if debug:
        tell("".join(traceback.format_exception(error)).rstrip())
    if isinstance(error, BrokenPipeError):  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    code, line = _verdict(error)
    tell(line)
    return code


def _verdict(error: BaseException) -> tuple[int, str]:
    if isinstance(error, interrupts.Terminated):
        return interrupts.TERMINATED, "terminated"
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED, "interrupted"
    if isinstance(error, InputError):
        return BAD_INPUT, in_a_line(error)
    if asked := _missing_backend(error):
        return BAD_INPUT, f"error: {asked}"
    fault = error if isinstance(error, OSError) else system_fault(error)
    if fault is not None:
        code = BAD_INPUT if fault.errno in NAMES_AMISS else NO_SPACE
        return code, f"error: {_CONTROL.sub(_escaped, fault_line(fault))}"
    what = " ".join(f"{type(error).__name__}: {error}".split())
    return OUR_BUG, f"error: {what[:500]} — this is a bug: run again with --debug and report it"


def in_a_line(error: InputError) -> str:
    """How a terminal shows it."""
    return f"error: {_CONTROL.sub(_escaped, str(error))}"


def _escaped(found: re.Match[str]) -> str:
    """A character that would move a terminal's cursor or change its title, as its code."""
    return ascii(found[0])[1:-1]


class _Escaping:
    """A stream to which names of files are printed as they are typed, and not as they would steer a terminal."""

    def __init__(self, stream: Any):
        self._stream = stream

    def write(self, text: str) -> int:
        """Escapes what `_CONTROL` finds."""
        self._stream.write(_CONTROL.sub(_escaped, text))
        return len(text)

    def flush(self) -> None:
        """Of the stream."""
        self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _missing_backend(error: BaseException) -> InputError | None:
    """What to do where JAX has no device of the kind that the environment asks for."""
    wanted = os.environ.get("JAX_PLATFORMS", "")
    found = _NO_BACKEND.search(str(error))
    in_jax = isinstance(error, AssertionError) and "xla_bridge" in "".join(
        traceback.format_tb(error.__traceback__)[-1:]
    )
    if not wanted or not (found or in_jax):
        return None
    package = {"cuda": "cuda", "gpu": "cuda", "tpu": "tpu"}.get(wanted.split(",")[0])
    install = f'python -m pip install "stylegan-jax[{package}]" on a machine that has one, or ' if package else ""
    return InputError("JAX finds no such device here", f"{install}unset JAX_PLATFORMS", file=f"JAX_PLATFORMS={wanted}")


def set_up_jax() -> None:
    """Compiled programs are kept between runs."""
    settings: dict[str, str | float] = {}
    if cache := compilation_cache():
        settings["jax_compilation_cache_dir"] = str(cache)
        settings["jax_persistent_cache_min_compile_time_secs"] = 0.1  # 1 by default: the mapping network takes less
    for name, value in settings.items():
        os.environ.setdefault(name.upper(), str(value))  # read when jax is imported
    if jax := sys.modules.get("jax"):
        for name, value in settings.items():
            jax.config.update(name, type(value)(os.environ[name.upper()]))


def compilation_cache() -> Path | None:
    """A folder of the user's for compiled programs; None where there is no such place."""
    return usercache.folder("compiled")
