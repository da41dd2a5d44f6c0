"""What people type, put into the form the parser takes: other programs' flags, lists with spaces, models anywhere."""

import dataclasses
import difflib
import inspect
import itertools
import os
import re
import textwrap
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


def check_flags(arguments: Sequence[str], options: Known, prog: str) -> None:
    """Raises InputError for the first flag that the command does not have, with the nearest that it has."""
    cut = list(arguments).index("--") if "--" in arguments else len(arguments)
    for word in arguments[:cut]:
        found = _FLAG.match(word)
        if found and found[0] not in options.options and not found[0].startswith("--tyro-"):
            near = difflib.get_close_matches(found[0], options.options, 1, 0.5)
            remedy = f"did you mean {near[0]}? " if near else ""
            raise InputError("no such option", f"{remedy}{prog} --help lists all", file=found[0])


_RULE = re.compile(r"^[─━-]{3,}$")
_ENTRY = re.compile(r"^ {4}(\S.*)$")
_NO_NUMBER = re.compile(
    r"Error parsing (\S+?): (?:.*?\b(INT|FLOAT)\b.* from \['?(.*?)'?\]|"
    r"(?:invalid literal for int|could not convert).*?'(.*?)')"
)


def unboxed(box: str) -> str:
    """What the parser says in a box of several lines, as one: the part above its first rule.

    Of options that are lacking, their names; of a value that is no number, that.
    """
    lines = [line.strip("│").rstrip() for line in box.splitlines()[1:] if not line.startswith("╰")]
    lines = lines[1:] if lines and _RULE.match(lines[0].strip()) else lines  # under the title, where no box is drawn
    inner = textwrap.dedent("\n".join(lines)).splitlines()
    body = list(itertools.takewhile(lambda line: not _RULE.match(line.strip()), inner))
    text = " ".join(" ".join(body).split())
    if lacking := [entry[1] for line in body if (entry := _ENTRY.match(line))]:
        return f"lacks {', '.join(lacking)}"
    if number := _NO_NUMBER.search(text):
        flag, kind, *value = number.groups("")
        whole = "whole " if kind == "INT" or "literal for int" in text else ""
        return f"{flag} {''.join(value)}: is no {whole}number"
    text = re.sub(r"argument '?(--[\w-]+)'?", r"\1", text).removesuffix(" Expected 1 values.").rstrip(".")
    return text[:1].lower() + text[1:] or "cannot be understood"
