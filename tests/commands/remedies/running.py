"""Runs a case: the error must be made where the case says, and what follows must do."""

import re
import shlex
import shutil
from pathlib import Path

import convert.__main__
import interp.blend
import interp.diagnose
import interp.edit
import interp.figures
import interp.film
import stylegan_jax.commands.align
import stylegan_jax.commands.models
import stylegan_jax.commands.sample
import stylegan_jax.commands.train
from stylegan_jax.commands import cli
from stylegan_jax.errors import InputError
from tests.commands.remedies.case import HANDS, LITERAL, Case
from tests.commands.remedies.follow import typed_instead
from tests.commands.remedies.places import Place
from tests.commands.remedies.recording import is_hit, recorded

NO_ALIASES: dict[str, str] = {}
COMMANDS = {
    "align": (stylegan_jax.commands.align.align, NO_ALIASES),
    "convert": (convert.__main__.main, NO_ALIASES),
    "blend": (interp.blend.blend, NO_ALIASES),
    "diagnose": (interp.diagnose.diagnose, NO_ALIASES),
    "edit": (interp.edit.edit, NO_ALIASES),
    "figures": (interp.figures.figures, NO_ALIASES),
    "film": (interp.film.film, NO_ALIASES),
    "models": (stylegan_jax.commands.models.models, NO_ALIASES),
    "sample": (stylegan_jax.commands.sample.sample, stylegan_jax.commands.sample.ALIASES),
    "train": (stylegan_jax.commands.train.train, stylegan_jax.commands.train.ALIASES),
}


def run(command: str, argv: list[str]) -> int:
    """A command in this process; its exit code."""
    if argv and argv[0] in COMMANDS:
        command, argv = argv[0], argv[1:]
    main, aliases = COMMANDS[command]
    return cli.run(main, command, argv, aliases=aliases)


def provoke(case: Case, where: list[Place], said: "Said") -> str:
    """Runs what goes wrong; returns the line that is said. AssertionError unless it is made at one of the places."""
    with recorded() as made:
        if isinstance(case.command, str):
            code = run(case.command, shlex.split(case.typed))
            line = said()
            assert code == cli.BAD_INPUT, (code, line)
            assert line.count("\nerror: ") + line.startswith("error: ") == 1, line
            line = line[line.index("error: ") :].strip()
        else:
            line = _raised(case)
    assert is_hit(where, made), (made, line)
    said_remedy = line.rpartition(" — ")[2]
    assert any(re.fullmatch(_pattern(text), said_remedy, re.DOTALL) for text in case.remedy.split("|")), line
    return line


def _raised(case: Case) -> str:
    try:
        case.command()  # type: ignore[operator]
    except InputError as error:
        return f"error: {error}"
    raise AssertionError("nothing was refused")


def _pattern(remedy: str) -> str:
    """A remedy's constant text as a pattern; in Python's words `--psi 1` is `psi=1`."""
    return ".*".join(re.escape(part) for part in remedy.split("{}"))


def follow(case: Case, line: str, again: "Again", said: "Said") -> None:
    """Does what the remedy says; AssertionError unless it helps."""
    if case.follow == HANDS:
        return
    if callable(case.follow):
        again()
        case.follow()
        typed = [case.typed] if isinstance(case.command, str) else []
        lines = [shlex.split(text) for text in typed]
    else:
        lines = _lines(case, line)
        assert lines, f"what is to be typed? {line}"
    for argv in lines:
        if not callable(case.follow):
            again()
            _before(case)
        assert isinstance(case.command, str), "what is called is followed by a call"
        code = run(case.command, argv)
        assert code == cli.DONE, f"{line}\nthen {shlex.join(argv)}: {said()}"


def _lines(case: Case, line: str) -> list[list[str]]:
    """What is typed instead."""
    if case.follow == LITERAL:
        assert isinstance(case.command, str), "the words of a remedy are typed, and nothing was"
        return typed_instead(case.command, shlex.split(case.typed), line)
    texts = [case.follow] if isinstance(case.follow, str) else case.follow
    return [shlex.split(text) for text in texts if isinstance(text, str)]  # type: ignore[union-attr]


def _before(case: Case) -> None:
    """What is done before it is typed."""
    for step in case.follow if isinstance(case.follow, tuple) else ():
        if callable(step):
            step()


class Said:
    """What was written to stderr since the last call."""

    def __init__(self, capsys):
        self._capsys = capsys

    def __call__(self) -> str:
        return self._capsys.readouterr().err


class Again:
    """Sets the working directory up anew: the shelf of models, then what the case builds."""

    def __init__(self, case: Case, shelf: Path, root: Path, chdir):
        self._case, self._shelf, self._root, self._chdir, self._count = case, shelf, root, chdir, 0

    def __call__(self) -> None:
        place = self._root / f"try{self._count}"
        self._count += 1
        shutil.copytree(self._shelf, place)
        self._chdir(place)
        if self._case.build is not None:
            self._case.build()
