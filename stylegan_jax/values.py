"""Values as people type them: seeds, numbers, labels."""

import math
import re
import sys
from typing import Any

from stylegan_jax.errors import InputError

MOST_SEEDS = 10_000_000
_SPAN = re.compile(r"(\d{1,19})(?:(?:-|\.\.)(\d{1,19}))?")


def seeds(text: str, flag: str = "--seeds", *, most: int = MOST_SEEDS) -> list[int]:
    """`0-35,40` → [0, …, 35, 40]; InputError unless all are seeds of numpy (0 to 2³² - 1) in rising ranges.

    No range is unfolded that makes them more than `most`.
    """
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
        if len(found) + last - first >= most:
            raise InputError(f"more than {most:,} seeds", "split the work", file=_named(flag, text))
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


def label(text: str | None, flag: str = "--class") -> Any:
    """`3` → a class, `0.5,0.5,0` → a label vector, `random` and None as they are; InputError for anything else."""
    if text is None or text == "random":
        return text
    if "," in text or "." in text:
        return tuple(number(part.strip(), flag) for part in text.split(","))
    return natural(text, flag)


def _named(flag: str, text: str) -> str:
    """How an error names a value: `--swap 24`."""
    return f"{flag} {text[:60] or repr(text)}"


def _example(low: float, high: float) -> str:
    return f"{0.7 if low <= 0.7 <= high else low:g}"
