"""What people type, put into the form the parser takes: other programs' flags, lists with spaces, models anywhere."""

import dataclasses
import inspect
import os
import re
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import tyro

from stylegan_jax.errors import InputError

ALIASES: Mapping[str, str] = {
    "--trunc": "--psi",
    "--truncation": "--psi",
    "--truncation-psi": "--psi",
    "--outdir": "--out",
    "--output": "--out",
    "--seed": "--seeds",
    "--noise-mode": "--noise",
    "--class-idx": "--class",
    "--projected-w": "--w",
    "--model": "--network",
}
"""Flags of the official programs and their kin → ours, where a command has ours and not theirs."""
_FLAG = re.compile(r"--[A-Za-z][\w-]*")
_SEEDS = re.compile(r"\d[\d.,-]*")
_ARRAYS = re.compile(r".+\.np[yz](:.+)?")
_MAY_STAND_ALONE = {"--labels": ("json", "folders", "none")}
"""Flags whose value can be left out: the first is meant."""
_TENSORS = re.compile(r".+\.pth?(:.+)?")


@dataclasses.dataclass
class Known:
    """The options of a command: those without a value, those that may be repeated, those that take a list.

    `required` counts the positional arguments that cannot be left out.
    """

    options: set[str] = dataclasses.field(default_factory=set)
    switches: set[str] = dataclasses.field(default_factory=set)
    several: set[str] = dataclasses.field(default_factory=set)
    lists: set[str] = dataclasses.field(default_factory=set)
    required: int = 0


def known(main: Callable[..., Any]) -> Known:
    """The options that `main`'s signature declares, those of its dataclasses included."""
    found, hints = Known(), typing.get_type_hints(main, include_extras=True)
    for parameter in inspect.signature(main).parameters.values():
        if parameter.kind is not inspect.Parameter.POSITIONAL_ONLY:
            _declare(parameter.name, hints.get(parameter.name, str), found)
        elif parameter.default is inspect.Parameter.empty:
            found.required += 1
    return found


def _declare(name: str, hint: Any, found: Known) -> None:
    notes = getattr(hint, "__metadata__", ())
    kind = typing.get_args(hint)[0] if notes else hint
    if dataclasses.is_dataclass(kind):
        for field, inner in typing.get_type_hints(kind, include_extras=True).items():
            _declare(field, inner, found)
        return
    if tyro.conf.Positional in notes:
        return
    named = next((note.name for note in notes if getattr(note, "name", None)), name)
    flag = f"--{named.replace('_', '-')}"
    flags = {flag, f"--no-{flag[2:]}"} if kind is bool else {flag}
    found.options |= flags
    if kind is bool:
        found.switches |= flags
    if tyro.conf.UseAppendAction in notes:
        found.several.add(flag)
    elif typing.get_origin(kind) is tuple:
        found.lists.add(flag)


def arranged(arguments: Sequence[str], options: Known, aliases: Mapping[str, str]) -> list[str]:
    """Positional arguments first, then options under our names, each once; what follows `--` stays at the end.

    An alias of "" names a positional argument: `--network ffhq.pkl` is `ffhq.pkl`. Raises InputError for an option
    that is given twice, unless it may be.
    """
    positional: list[str] = []
    flags: list[str] = []
    seen: set[str] = set()
    cut = list(arguments).index("--") if "--" in arguments else len(arguments)
    for flag, values in _groups(arguments[:cut], options, aliases):
        if not flag:
            positional += values
            continue
        if flag in seen and flag not in options.several:
            what = "given twice, and only one can count"
            raise InputError(what, f"pass {flag} once", file=flag)
        seen |= {flag}
        repeated = flag in options.several and len(values) > 1
        flags += [word for value in values for word in (flag, value)] if repeated else [flag, *values]
    return [*positional, *flags, *arguments[cut:]]


def _groups(arguments: Sequence[str], options: Known, aliases: Mapping[str, str]) -> Iterator[tuple[str, list[str]]]:
    """(flag, its values) for each option, ("", [word]) for each positional argument."""
    rest, words = list(arguments), 0
    while rest:
        word = rest.pop(0)
        found = _FLAG.match(word)
        if found is None:
            yield "", [word]
            words += 1
            continue
        flag = _ours(found[0].replace("_", "-"), options, aliases)
        if word[found.end() :].startswith("="):
            values = [word[found.end() + 1 :]]
            yield flag, values
        else:
            yield flag, _values(flag, rest, options, placed=words >= options.required)


def _ours(flag: str, options: Known, aliases: Mapping[str, str]) -> str:
    if flag in options.options:
        return flag
    own = aliases.get(flag)
    if own is not None:
        return own
    usual = ALIASES.get(flag, flag)
    return aliases.get(usual, usual) if usual in options.options or usual in aliases else flag


def _values(flag: str, rest: list[str], options: Known, *, placed: bool) -> list[str]:
    """Takes the values of a flag out of the rest: one, or a list where the command or the words' form makes it one.

    What could be a model is no further value while a model is lacking (not yet `placed`).
    """
    values: list[str] = []
    if flag in options.switches or flag == "--help":
        return values
    if flag in _MAY_STAND_ALONE and not (rest and rest[0] in _MAY_STAND_ALONE[flag]):
        return [_MAY_STAND_ALONE[flag][0]]
    while rest and not _FLAG.match(rest[0]) and (not values or _goes_on(flag, values, rest[0], options, placed)):
        values.append(rest.pop(0))
    return [",".join(values)] if flag == "--seeds" and len(values) > 1 else values


def _goes_on(flag: str, values: list[str], word: str, options: Known, placed: bool) -> bool:
    if flag == "--seeds":
        return bool(_SEEDS.fullmatch(word) and _SEEDS.fullmatch(values[-1]))
    if flag == "--w":
        return bool(_ARRAYS.fullmatch(word)) or (placed and (bool(_TENSORS.fullmatch(word)) or os.path.isdir(word)))
    return flag in options.lists
