"""What all commands share: parsing, exit codes, one-line errors, JAX's settings, and the values that users type."""

import atexit
import gc
import inspect
import io
import math
import os
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

import tyro

from stylegan_jax import usercache
from stylegan_jax.errors import InputError

DONE, OUR_BUG, BAD_INPUT, NO_SPACE, RESUME, INTERRUPTED = 0, 1, 2, 74, 75, 130
MOST_SEEDS = 10_000_000
_SPAN = re.compile(r"(\d{1,19})(?:-(\d{1,19}))?")


def run(main: Callable[..., int | None], prog: str, argv: Sequence[str] | None = None) -> int:
    """Runs a command, a typed function whose docstring is its help, and returns the exit code.

    0, or what `main` returns; 2 bad input; 74 disk full or unwritable; 130 Ctrl-C; 1 a bug of ours. Errors are one
    line on stderr; `--debug` shows the traceback. Settings of JAX are made here, so modules import it no earlier.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that knows no "—"
    set_up_jax()
    _collect_seldom()
    try:
        code = tyro.cli(
            main, prog=prog, args=arguments, description=_help(main), config=(tyro.conf.FlagCreatePairsOff,)
        )
        sys.stdout.flush()
        return code or DONE
    except SystemExit as exit:
        return exit.code if isinstance(exit.code, int) else DONE
    except BaseException as error:
        return _report(error, debug)


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
        traceback.print_exception(error)
    if isinstance(error, BrokenPipeError):  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    code, line = _verdict(error)
    print(line, file=sys.stderr)
    return code


def _verdict(error: BaseException) -> tuple[int, str]:
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED, "interrupted"
    if isinstance(error, InputError):
        return BAD_INPUT, f"error: {error}"
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return NO_SPACE, f"error: {place}{error.strerror or error} — free some space or choose another place"
    what = " ".join(f"{type(error).__name__}: {error}".split())
    return OUR_BUG, f"error: {what[:500]} — this is a bug: run again with --debug and report it"


def set_up_jax() -> None:
    """True float32 products on every backend, and compiled programs kept between runs."""
    settings: dict[str, str | float] = {"jax_default_matmul_precision": "highest"}
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


def seeds(text: str, flag: str = "--seeds") -> list[int]:
    """`0-35,40` → [0, …, 35, 40]; InputError unless all are seeds of numpy (0 to 2³² - 1) in rising ranges."""
    found: list[int] = []
    for part in text.split(","):
        span = _SPAN.fullmatch(part.strip())
        if span is None:
            raise InputError(
                f"{part.strip()[:60]!r} is no seed", "write numbers and ranges such as 0-35,40", file=_named(flag, text)
            )
        first, last = int(span[1]), int(span[2] or span[1])
        if max(first, last) >= 1 << 32:
            raise InputError("a seed lies between 0 and 4294967295", "choose a smaller one", file=_named(flag, text))
        if last < first:
            raise InputError("ends before it begins", f"write {last}-{first}", file=_named(flag, text))
        if len(found) + last - first >= MOST_SEEDS:
            raise InputError(f"more than {MOST_SEEDS:,} seeds", "split the work", file=_named(flag, text))
        found.extend(range(first, last + 1))
    return found


def number(text: str, flag: str, *, low: float = -math.inf, high: float = math.inf) -> float:
    """A finite number from `low` to `high`; InputError otherwise."""
    try:
        value = float(text)
    except ValueError:
        raise InputError("is no number", f"write one such as {_example(low, high)}", file=_named(flag, text)) from None
    if not math.isfinite(value) or not low <= value <= high:
        limits = f" from {low:g} to {high:g}" if math.isfinite(low + high) else ""
        raise InputError(
            f"must be a finite number{limits}", f"write one such as {_example(low, high)}", file=_named(flag, text)
        )
    return value


def natural(text: str, flag: str, *, low: int = 0, high: int = sys.maxsize) -> int:
    """A whole number from `low` to `high`; InputError otherwise."""
    if not re.fullmatch(r"[+-]?\d{1,19}", text.strip()) or not low <= int(text) <= high:
        limits = f"from {low} to {high}" if high < sys.maxsize else f"of {low} or more"
        raise InputError("out of range", f"write a whole number {limits}", file=_named(flag, text))
    return int(text)


def resolutions(text: str, flag: str, available: Sequence[int]) -> list[int]:
    """`8,16` → [8, 16]; InputError unless each is a resolution of the model."""
    parts = [part.strip() for part in text.split(",")]
    for part in parts:
        if not part.isdecimal() or int(part) not in available:
            choice = ", ".join(map(str, available))
            raise InputError("not a resolution of this model", f"use {choice}", file=_named(flag, part))
    return [int(part) for part in parts]


def _named(flag: str, text: str) -> str:
    """How an error names a value: `--swap 24`."""
    return f"{flag} {text[:60] or repr(text)}"


def _example(low: float, high: float) -> str:
    return f"{0.7 if low <= 0.7 <= high else low:g}"
