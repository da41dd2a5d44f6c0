"""Every place in the code that raises InputError or ArgumentError with a remedy, found by reading the source."""

import ast
import dataclasses
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.golden_data import ROOT

PACKAGES = ("stylegan_jax", "convert", "interp")
_CLASSES = {"InputError": 1, "ArgumentError": 3, "Unreachable": 1}
"""Class → position of the remedy among its arguments."""
REWORDED = {"stylegan_jax/errors.py", "interp/argument_errors.py"}
"""Where an error is said again in the words of Python or of the command line."""


@dataclasses.dataclass(frozen=True)
class Place:
    """A call that makes an error.

    Attributes:
      file: relative to the root.
      remedy: its constant text, `{}` for what is computed; alternatives that a variable may hold, with `|` between.
      first, last: its lines.
    """

    file: str
    remedy: str
    first: int
    last: int

    @property
    def key(self) -> tuple[str, str]:
        """How cases name it: places of one file with one remedy are one."""
        return self.file, self.remedy


@cache
def places() -> tuple[Place, ...]:
    """All of them, in the order of files and lines."""
    files = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    return tuple(place for path in files for place in _of_file(path))


def keys() -> dict[tuple[str, str], list[Place]]:
    """(file, remedy) → the places."""
    found: dict[tuple[str, str], list[Place]] = {}
    for place in places():
        found.setdefault(place.key, []).append(place)
    return found


def _of_file(path: Path) -> Iterator[Place]:
    name = path.relative_to(ROOT).as_posix()
    if name in REWORDED:
        return
    tree = ast.parse(path.read_text())
    for function, call in _calls(tree, tree):
        position = _CLASSES.get(_called(call.func))
        if position is None:
            continue
        given = [keyword.value for keyword in call.keywords if keyword.arg == "remedy"]
        node = given[0] if given else call.args[position] if len(call.args) > position else None
        if node is not None:
            remedy = "|".join(sorted(set(_texts(node, function, path))))
            yield Place(name, remedy, call.lineno, call.end_lineno or call.lineno)


def _calls(node: ast.AST, function: ast.AST) -> Iterator[tuple[ast.AST, ast.Call]]:
    """Every call with the function that it stands in."""
    for child in ast.iter_child_nodes(node):
        inside = child if isinstance(child, ast.FunctionDef) else function
        if isinstance(child, ast.Call):
            yield inside, child
        yield from _calls(child, inside)


def _called(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _texts(node: ast.AST, function: ast.AST, path: Path) -> list[str]:
    """The texts that an expression may have."""
    if isinstance(node, ast.Constant):
        return [str(node.value)]
    if isinstance(node, ast.IfExp):
        return [*_texts(node.body, function, path), *_texts(node.orelse, function, path)]
    if isinstance(node, ast.JoinedStr):
        return ["".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)]
    if isinstance(node, ast.Name):
        return _assigned(node.id, function, path) or ["{}"]
    return ["{}"]


def _assigned(name: str, function: ast.AST, path: Path) -> list[str]:
    """The texts that a variable is given in its function, or else as a constant of the module or an imported one."""
    tree = ast.parse(path.read_text())
    for scope in (function, tree):
        values = [each.value for each in ast.walk(scope) if isinstance(each, ast.Assign) and name in _targets(each)]
        if values:
            return [text for value in values for text in _texts(value, function, path)]
    for each in ast.walk(tree):
        if isinstance(each, ast.ImportFrom) and each.module and any(alias.name == name for alias in each.names):
            source = ROOT / f"{each.module.replace('.', '/')}.py"
            return _assigned(name, ast.parse(source.read_text()), source) if source.exists() else []
    return []


def _targets(assignment: ast.Assign) -> list[str]:
    found: list[str] = []
    for target in assignment.targets:
        names = zip([target], [assignment.value], strict=True)
        if isinstance(target, ast.Tuple):
            names = zip(target.elts, target.elts, strict=True)
        found += [each.id for each, _ in names if isinstance(each, ast.Name)]
    return found
