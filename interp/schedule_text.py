"""Schedules as text: `swap=16`, `smooth=16:width=0.5:invert`, the form of recipes and of the command line."""

import operator
from collections.abc import Callable
from typing import Literal, SupportsIndex

from interp.argument_errors import ArgumentError
from interp.schedules import (
    Schedule,
    band,
    check_width,
    constant,
    cosine,
    inverted,
    layers,
    linear,
    only,
    pinkney,
    points,
    smooth,
    smoothstep,
    swap,
)
from stylegan_jax.errors import InputError, shown

PRESETS = {
    "ukiyo-e": "swap=16",
    "toonify": "swap=32",
    "gentle": "smooth=16:width=1",
    "texture": "swap=16:invert",
    "halfway": "alpha=0.5",
}
"""Names for schedules that are asked for often."""


def parse(text: str) -> Schedule:
    """Reads the text form: `NAME=VALUE`, options after colons, or a preset; the inverse of `Schedule.text`.

    `swap=16:level=1`, `smooth=16:width=0.5:invert`, `linear=8-64`, `band=64-256`, `only=8,32`, `alpha=0.5`,
    `alpha=4=1 16=0.6 32=0`, `alpha-layers=1,1,0.5,…`, `pinkney=16:width=1`, `ukiyo-e`.

    Raises:
      InputError: an unknown name or option, or a value that is none.
    """
    head, *options = PRESETS.get(text, text).split(":")
    name, equals, value = head.partition("=")
    if name not in _READERS or not equals:
        presets = ", ".join(f"{preset} ({stands_for})" for preset, stands_for in PRESETS.items())
        raise InputError(
            f"{shown(text, 200) or 'an empty schedule'}: not a schedule", f"use {', '.join(_READERS)} or {presets}"
        )
    given = {key: text for key, _, text in (option.partition("=") for option in options)}
    invert = given.pop("invert", None) is not None
    schedule = _READERS[name](value, given)
    if given:
        raise ArgumentError(name, value, f"takes no {shown(', '.join(given))}", "leave it away")
    return inverted(schedule) if invert else schedule


def schedule_of(given: Schedule | str | SupportsIndex) -> Schedule:
    """A schedule as it is, by its text, or by r_swap alone: `16` is `swap(16)`. Raises as `parse` does."""
    if isinstance(given, Schedule):
        return given
    return parse(given) if isinstance(given, str) else swap(operator.index(given))


def _read_points(value: str, options: dict[str, str]) -> Schedule:
    if "=" not in value:
        return constant(_number("alpha", value))
    pairs = [item.partition("=") for item in value.replace(",", " ").split()]
    return points({_resolution("alpha", r): _number("alpha", alpha) for r, _, alpha in pairs})


def _read_pinkney(value: str, options: dict[str, str]) -> Schedule:
    width = _number("width", options.pop("width", "0"))
    check_width(width)
    return pinkney(_resolution("swap", value), level=_level(options), width=width)


def _between_ends(name: str, make: Callable[[int, int], Schedule]) -> Callable[[str, dict[str, str]], Schedule]:
    def read(value: str, options: dict[str, str]) -> Schedule:
        ends = [_resolution(name, end) for end in value.split("-")]
        if len(ends) != 2:
            raise ArgumentError(name, value, "not two resolutions", "write two, such as 4-16")
        return make(*ends)

    return read


_READERS: dict[str, Callable[[str, dict[str, str]], Schedule]] = {
    "swap": lambda value, options: swap(_resolution("swap", value), level=_level(options)),
    "smooth": lambda value, options: smooth(_resolution("smooth", value), _number("width", options.pop("width", "1"))),
    "linear": _between_ends("linear", linear),
    "cosine": _between_ends("cosine", cosine),
    "smoothstep": _between_ends("smoothstep", smoothstep),
    "band": _between_ends("band", band),
    "only": lambda value, options: only(*(_resolution("only", r) for r in value.split(","))),
    "alpha": _read_points,
    "alpha-layers": lambda value, options: layers(*(_number("alpha-layers", a) for a in value.split(","))),
    "pinkney": _read_pinkney,
}


STARTS = (*_READERS, *PRESETS)
"""What a schedule's text begins with."""


def _resolution(rule: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ArgumentError(rule, text, "not a resolution", "use 4, 8, 16 … of this model") from None


def _number(rule: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ArgumentError(rule, text, "not a number", "use 0 (base) to 1 (transfer)") from None


def _level(options: dict[str, str]) -> Literal[0, 1]:
    text = options.pop("level", "0")
    if text not in ("0", "1"):
        raise ArgumentError("level", text, "not a level", "use 0, or 1 to hand over one layer later")
    return 1 if text == "1" else 0
