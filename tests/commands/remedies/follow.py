"""Reads a remedy as a user would, and types what it says."""

import dataclasses
import re
import shlex
from collections.abc import Callable
from pathlib import Path

SAMPLES = {
    "--seeds": "0",
    "--w": "w.npy",
    "--styles": "0,1x2",
    "--part": "0/1",
    "--base": "ffhq.safetensors",
    "--transfer": "toon.safetensors",
    "--network": "ffhq.safetensors",
}
"""What a user has at hand for a flag that is named with a placeholder, or with nothing."""
_PLACEHOLDER = re.compile(r"[A-Z][A-Z0-9/]*")
_FLAG = r"--[a-z][a-z0-9-]*"
_NAMED = re.compile(rf"({_FLAG})(?:[ =]((?!or\b|to\b|and\b|without\b|with\b|instead\b|too\b)[\w./+:=,-]*[\w/+]))?")
_NEXT = "pass|give|use|choose|name|leave|another|train|write|edit|move|beyond|no suffix"
_SWITCHES = {"--overwrite"}

Argv = list[str]
Lines = list[Argv]


@dataclasses.dataclass(frozen=True)
class Advice:
    """One clause of a remedy, and what it is about.

    Attributes:
      command, argv: what was typed.
      what: what the error says is wrong, with the file or flag at fault.
      clause: what it advises.
    """

    command: str
    argv: Argv
    what: str
    clause: str

    @property
    def fault(self) -> str | None:
        """The flag at fault: that of `--psi 3: …`, of `class: …`, or the one whose value is named."""
        if found := re.match(rf"({_FLAG})\b", self.what):
            return found[1]
        if found := re.match(r"(class|psi|layers|devices)\b", self.what):
            return f"--{found[1]}"
        pairs = zip(self.argv, self.argv[1:], strict=False)
        return next((flag for flag, value in pairs if flag.startswith("--") and value == self.named), None)

    @property
    def named(self) -> str:
        """What the error names first: a file, mostly."""
        return self.what.split(": ")[0]


def typed_instead(command: str, argv: Argv, said: str) -> Lines:
    """Every command line that a remedy asks for; empty where its words say none.

    `said` is the whole line: `error: FILE: what — remedy`.
    """
    what, _, remedy = said.removeprefix("error: ").rpartition(" — ")
    lines = [line for clause in _clauses(remedy) for line in _of_clause(Advice(command, argv, what, clause))]
    return [line for line in lines if line != argv]


def _clauses(remedy: str) -> list[str]:
    return re.split(rf"; |(?<=\?) |, or (?={_NEXT})", remedy)


def _of_clause(advice: Advice) -> Lines:
    for pattern, reading in _READINGS:
        if found := re.match(pattern, advice.clause):
            return reading(advice, found)
    return []


def _meant(advice: Advice, found: re.Match[str]) -> Lines:
    wrong = advice.fault if found[1].startswith("--") else advice.named
    return [[found[1] if word == wrong else word for word in advice.argv]]


def _once(advice: Advice, found: re.Match[str]) -> Lines:
    return [_replaced(advice.argv, found[1], str(_value(advice.argv, found[1])))]


def _left(advice: Advice, found: re.Match[str]) -> Lines:
    flags = {"class": "--class", "psi": "--psi", "it": advice.fault}
    flag = flags.get(found[1], found[1])
    return [_without(advice.argv, flag)] if flag else []


def _one_of_them(advice: Advice, found: re.Match[str]) -> Lines:
    return [_without(advice.argv, flag) for flag in re.findall(_FLAG, advice.what)]


def _one_of(advice: Advice, found: re.Match[str]) -> Lines:
    pairs = _NAMED.findall(found[1])
    bare = advice.argv
    for flag, _ in pairs:
        bare = _without(bare, flag)
    return [[*bare, flag, _sample(flag, _value(advice.argv, flag) or value)] for flag, value in pairs]


def _flags(advice: Advice, found: re.Match[str]) -> Lines:
    return [_flags_set(advice.argv, part) for part in re.split(r" or (?=--)", found[0])]


def _converted(advice: Advice, found: re.Match[str]) -> Lines:
    model, options = found.groups()
    model = advice.argv[0] if model in (None, "FILE") else model
    return [["convert", model, "another.safetensors", *shlex.split(options or "")]]


def _suffixes(advice: Advice, found: re.Match[str]) -> Lines:
    return [_output_changed(advice, suffix) for suffix in re.findall(r"\.\w+", found[0])]


def _renamed(advice: Advice, found: re.Match[str]) -> Lines:
    return [_output_changed(advice, "" if "folder" in found[0] else None)]


def _values_of(advice: Advice, found: re.Match[str]) -> Lines:
    flag = advice.fault
    return [_replaced(advice.argv, flag, value) for value in _values(found[1])] if flag else []


_READINGS: tuple[tuple[str, Callable[[Advice, re.Match[str]], Lines]], ...] = (
    (r"did you mean (\S+)\?", _meant),
    (r"(?:\S+ )+--help", lambda advice, found: [["--help"]]),
    (rf"pass ({_FLAG}) once", _once),
    (rf"leave \w+ out: ({_FLAG} .*)", _flags),
    (rf"(?:leave|train without) (?:the )?({_FLAG}|class|psi|it)\b", _left),
    (r"pass one of them", _one_of_them),
    (r"pass one of (.*)", _one_of),
    (r"(?:choose one|name one): python -m convert (\S+) OUT((?: --key \S+)?)", _converted),
    (r"pass its folder: (\S+)", _meant),
    (r"no suffix", lambda advice, found: [_output_changed(advice, "")]),
    (r"(?:use|write a) \..*", _suffixes),
    (r"use psi 1", lambda advice, found: [_replaced(advice.argv, "--psi", "1")]),
    (rf"(?:pass|use|write|read|choose one|give|seeds)\b.*{_FLAG}.*", _flags),
    (r".*\b(?:another|a) (?:name|place|folder|path)\b.*", _renamed),
    (r"(?:use|write|choose|pass|give|parts count from 0: use)\b(.*)", _values_of),
)
"""The first pattern that a clause begins with says how it is read."""


def _values(text: str) -> list[str]:
    """`4, 8 or 16`, `0 (base) to 1 (transfer)`, `one such as 0.5`, `among a, b`: the values."""
    text = re.sub(r"\([^)]*\)|…|\"", "", text)
    if found := re.search(r"(?:such as|for example) (\S+)", text):
        return [found[1].strip(",")]
    text = re.sub(r"\b(among|one|a whole number|from|of(?: this model)?|or more|to hand over.*)\b", "", text)
    parts = [part.strip() for part in re.split(r", or |, | or | to ", text)]
    return [part for part in parts if part and " " not in part]


def _flags_set(argv: Argv, text: str) -> Argv:
    for flag, value in _NAMED.findall(text):
        bare = _without(argv, flag)
        value = value.replace("FILE:", f"{_value(argv, flag)}:")
        argv = [*bare, flag] if flag in _SWITCHES else [*bare, flag, _sample(flag, value)]
    return argv


def _sample(flag: str, value: str) -> str:
    """A value as it is, or what stands for a placeholder."""
    return SAMPLES[flag] if not value or _PLACEHOLDER.fullmatch(value) else value


def _value(argv: Argv, flag: str) -> str | None:
    return argv[argv.index(flag) + 1] if flag in argv and argv.index(flag) + 1 < len(argv) else None


def _without(argv: Argv, flag: str) -> Argv:
    """The arguments without a flag and its values."""
    kept, dropping = [], False
    for word in argv:
        dropping = word == flag or (dropping and not word.startswith("--"))
        if not dropping:
            kept.append(word)
    return kept


def _replaced(argv: Argv, flag: str, value: str) -> Argv:
    return [*_without(argv, flag), flag, value]


def _output_changed(advice: Advice, suffix: str | None) -> Argv:
    """The arguments with another output, of the suffix ("" is a folder), or None: of the form that it has."""
    argv = advice.argv
    if advice.command == "convert":
        out = argv[1] if len(argv) > 1 and not argv[1].startswith("-") else ""
        return [argv[0], f"another{Path(out).suffix if suffix is None else suffix}", *argv[2 if out else 1 :]]
    suffix = Path(_value(argv, "--out") or "").suffix if suffix is None else suffix
    return _replaced(argv, "--out", f"another{suffix}")
