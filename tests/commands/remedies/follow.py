"""Reads a remedy as a user would, and types what it says."""

import re
import shlex
from pathlib import Path

SAMPLES = {
    "--seeds": "0",
    "--w": "w.npy",
    "--styles": "0,1x2",
    "--part": "0/1",
    "--base": "ffhq.safetensors",
    "--transfer": "toon.safetensors",
    "--add": "toon.safetensors:swap=8",
    "--network": "ffhq.safetensors",
    "--lr": "0.001",
    "--batch": "8",
}
"""What a user has at hand for a flag that is named with a placeholder, or with nothing."""
_PLACEHOLDER = re.compile(r"[A-Z][A-Z0-9/]*")
_FLAG = r"--[a-z][a-z0-9-]*"
_NAMED = re.compile(rf"({_FLAG})(?:[ =]((?!or\b|to\b|and\b|without\b|with\b|instead\b|too\b)[\w./+:=-]*[\w/+]))?")
_SWITCHES = {"--overwrite"}
_NEW_OUTPUT = re.compile(
    r"(choose|give the output|give the run|use|name|or) ?(another|a) (name|place|folder|path here)|make the output"
)


def typed_instead(command: str, argv: list[str], said: str) -> list[list[str]]:
    """Every command line that a remedy asks for; empty where its words say none.

    `said` is the whole line: `error: FILE: what — remedy`.
    """
    what, _, remedy = said.removeprefix("error: ").rpartition(" — ")
    fault = _fault(what, argv)
    found: list[list[str]] = []
    for clause in _clauses(remedy):
        found += _of_clause(command, argv, clause, what, fault)
    return [line for line in found if line != argv]


def _clauses(remedy: str) -> list[str]:
    return re.split(r"; |, or (?=pass|give|use|choose|name|leave|another|train|write|edit|move|beyond|no suffix)", remedy)


def _fault(what: str, argv: list[str]) -> str | None:
    """The flag at fault: that of `--psi 3: …`, of `class: …`, or the one whose value is named."""
    if found := re.match(rf"({_FLAG})\b", what):
        return found[1]
    if found := re.match(r"(class|psi|layers|devices)\b", what):
        return f"--{found[1]}"
    value = what.split(": ")[0]
    return next((argv[i - 1] for i in range(1, len(argv)) if argv[i] == value and argv[i - 1].startswith("--")), None)


def _of_clause(command: str, argv: list[str], clause: str, what: str, fault: str | None) -> list[list[str]]:
    if clause == "no suffix":
        return [_output_changed(command, argv, folder=True)]
    if clause == "use psi 1":
        return [_replaced(argv, "--psi", "1")]
    if found := re.search(r"^(?:\S+ )+--help", clause.rpartition("? ")[2]):
        helped = [["--help"]]
    else:
        helped = []
    if found := re.search(rf"did you mean ({_FLAG})\?", clause):
        return [[found[1] if word == fault else word for word in argv], *helped]
    if found := re.search(r"did you mean (\S+)\?", clause):
        return [[found[1] if word == what.split(": ")[0] else word for word in argv]]
    if helped:
        return helped
    if found := re.search(rf"^pass ({_FLAG}) once", clause):
        return [_with(_without(argv, found[1]), found[1], _value(argv, found[1]))]
    if found := re.search(rf"(?:^leave|without|take|leave out) ?(?:the |it |)({_FLAG}|class|psi|it|)\b ?(?:out|away|)", clause):
        if clause.startswith("leave") or "without" in clause:
            named = {"class": "--class", "psi": "--psi", "it": fault, "": fault}.get(found[1], found[1])
            return [_without(argv, named)] if named else []
    if clause == "pass one of them":
        return [_without(argv, flag) for flag in re.findall(_FLAG, what)]
    if found := re.match(r"pass one of (.*)", clause):
        return _one_of(argv, found[1])
    if re.match(r"use \.", clause):
        values = re.findall(r"\.\w+", clause)
        return [_output_changed(command, argv, folder=True, suffix=value) for value in values]
    if found := re.search(r"python -m convert (\S+) OUT((?: --key \S+)?)", clause):
        return [["convert", found[1].replace("FILE", _input(argv)), "another.safetensors", *shlex.split(found[2])]]
    if found := re.search(r"^pass its folder: (\S+)", clause):
        return [[found[1] if word == _input(argv) else word for word in argv]]
    if found := re.match(r"name one: python -m (convert \S+) OUT", clause):
        return [[*found[1].split(), "another.safetensors"]]
    if "through python -m convert" in clause:
        return [["convert", _input(argv), "another.safetensors"]]
    if re.match(r"pass|use|write|seeds|read|choose one: --|interp|name", clause) and re.search(_FLAG, clause):
        return [_flags_set(argv, clause)] if " or --" not in clause else [
            _flags_set(argv, part) for part in clause.split(" or ")
        ]
    if clause.startswith("pass --") or _is_new_output(clause):
        return [_output_changed(command, argv, folder="folder" in clause)]
    if fault and (found := re.match(r"(?:use|write|choose|pass|give|parts count from 0: use)\b(.*)", clause)):
        return [_replaced(argv, fault, value) for value in _values(found[1])]
    return []


def _is_new_output(clause: str) -> bool:
    return bool(re.search(r"\b(another|a) (name|place|folder)\b|a path here", clause))


def _values(text: str) -> list[str]:
    """`4, 8 or 16`, `0 (base) to 1 (transfer)`, `one such as 0.5`, `among a, b`: the values."""
    text = re.sub(r"\([^)]*\)|…|\"", "", text).strip(" :")
    text = re.sub(r"^(among|one of|for example|numbers and ranges|I/N|one)\b|^START\.\.END, or one number$", "", text).strip(" :")
    if found := re.search(r"(?:such as|for example) (\S+)", text):
        return [found[1].strip(",")]
    text = re.sub(r"^(a whole number|seeds|a number|from|one|between|numbers?) (from |of )?", "", text.strip())
    text = re.sub(r" (of this model|or more|to hand over.*|with commas|with .*|instead)$", "", text).strip()
    parts = [part.strip() for part in re.split(r", or |, | or | to | in ", text)]
    return [part for part in parts if part and " " not in part]


def _one_of(argv: list[str], text: str) -> list[list[str]]:
    """Each of the flags alone."""
    pairs = [(flag, value) for flag, value in _NAMED.findall(text)]
    bare = argv
    for flag, _ in pairs:
        bare = _without(bare, flag)
    return [_with(bare, flag, _sample(flag, _value(argv, flag) or value)) for flag, value in pairs]


def _flags_set(argv: list[str], clause: str) -> list[str]:
    for flag, value in _NAMED.findall(clause):
        value = value.replace("FILE:", f"{_value(argv, flag)}:")
        argv = _with(argv, flag) if flag in _SWITCHES else _with(_without(argv, flag), flag, _sample(flag, value))
    return argv


def _sample(flag: str, value: str | None) -> str:
    """A value as it is, or what stands for a placeholder."""
    if not value or _PLACEHOLDER.fullmatch(value):
        return SAMPLES[flag]
    return value


def _value(argv: list[str], flag: str) -> str | None:
    return argv[argv.index(flag) + 1] if flag in argv and argv.index(flag) + 1 < len(argv) else None


def _without(argv: list[str], flag: str) -> list[str]:
    """The arguments without a flag and its values."""
    kept, dropping = [], False
    for word in argv:
        dropping = word == flag or (dropping and not word.startswith("--"))
        if not dropping:
            kept.append(word)
    return kept


def _with(argv: list[str], flag: str, value: str | None = None) -> list[str]:
    return [*argv, flag] if value is None else [*argv, flag, value]


def _replaced(argv: list[str], flag: str, value: str) -> list[str]:
    return _with(_without(argv, flag), flag, value)


def _input(argv: list[str]) -> str:
    return next(word for word in argv if not word.startswith("-"))


def _output_changed(command: str, argv: list[str], *, folder: bool, suffix: str = "") -> list[str]:
    """The arguments with another output, of the same form unless a folder is asked for."""
    if command == "convert":
        out = argv[1] if len(argv) > 1 and not argv[1].startswith("-") else ""
        return [argv[0], f"another{suffix if folder else Path(out).suffix}", *argv[2 if out else 1 :]]
    suffix = suffix if folder else Path(_value(argv, "--out") or "").suffix
    return _replaced(argv, "--out", f"another{suffix}")
