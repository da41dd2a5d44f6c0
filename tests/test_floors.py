"""Imports point downward only; what must stay light stays light."""

import ast
import itertools
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from stylegan_jax.__main__ import COMMANDS
from tests.golden_data import golden

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("stylegan_jax", "convert", "interp")
FLOORS = (
    {"ground"},  # the modules of stylegan_jax that lie in no folder
    {"stylegan_jax.networks"},
    {"stylegan_jax.storage"},
    {"stylegan_jax.pictures", "stylegan_jax.scores"},
    {"stylegan_jax.sampler"},
    {"stylegan_jax.train", "stylegan_jax.projection", "convert"},
    {"stylegan_jax.editing"},
    {"interp"},
    {"stylegan_jax.commands"},
    {"doors"},
)
"""Rooms, the lowest first: a module imports those of its own room and of lower floors."""

FACE = "stylegan_jax"  # a door that doors may use: its `load` knows shipped models by name
DOORS = {FACE, "stylegan_jax.__main__", *(command.module for command in COMMANDS.values())}
COMMAND_PARTS = {"interp.options", "interp.filmoptions", "interp.maskoptions", "interp.walkoptions"}  # shared options


DISTRIBUTIONS = {"PIL": "pillow", "yaml": "pyyaml", "orbax": "orbax-checkpoint", "absl": "absl-py", "dlib": "dlib-bin"}


def test_every_package_that_is_imported_is_declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = [*project["dependencies"], *itertools.chain(*project["optional-dependencies"].values())]
    declared = {re.split(r"[<>=\[]", requirement)[0] for requirement in declared}
    known = {*sys.stdlib_module_names, *PACKAGES}
    for name, tree in modules().items():
        for node in ast.walk(tree):
            found = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            found += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            for top in {each.partition(".")[0] for each in found} - known:
                assert DISTRIBUTIONS.get(top, top) in declared, f"{name} imports {top}"


def modules():
    """Module name → syntax tree, for every module of the three packages."""
    paths = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    return {_name(path): ast.parse(path.read_text()) for path in paths}


def _name(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def room(name):
    if name in DOORS:
        return "doors"
    if name in COMMAND_PARTS:
        return "stylegan_jax.commands"
    parts = name.split(".")
    if parts[0] != "stylegan_jax":
        return parts[0]
    return ".".join(parts[:2]) if (ROOT / "stylegan_jax" / parts[1]).is_dir() else "ground"


def floor(room):
    return next(level for level, rooms in enumerate(FLOORS) if room in rooms)


def imports(tree, known):
    """The modules of ours that a tree imports, wherever the statement stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module:
            children = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (child for child in children if child in known)
            if node.module in known and not all(child in known for child in children):
                yield node.module


def test_imports_point_downward_and_no_module_imports_a_door():
    trees = modules()
    upward = [
        f"{name} ({room(name)}) imports {target} ({room(target)})"
        for name, tree in trees.items()
        for target in imports(tree, trees)
        if (floor(room(target)) >= floor(room(name)) and room(target) != room(name))
        or (target in DOORS and target != FACE)
    ]
    assert not upward, "\n".join(upward)


def test_nothing_but_doors_imports_interp():
    trees = modules()
    guests = [
        name
        for name, tree in trees.items()
        if room(name) != "interp" and name not in DOORS | COMMAND_PARTS
        if any(target.startswith("interp") for target in imports(tree, trees))
    ]
    assert not guests


def test_every_command_is_listed_and_every_listed_command_exists():
    trees = modules()
    guarded = {name for name, tree in trees.items() if any("'__main__'" in ast.unparse(node) for node in tree.body)}
    assert guarded - {"stylegan_jax.__main__"} == {command.module for command in COMMANDS.values() if command.form}
    assert set(trees) >= DOORS


def test_no_name_on_a_package_face_equals_a_module():
    trees = modules()
    for package in PACKAGES:
        face = {node.name for node in trees[package].body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        clashes = [name for name in face if f"{package}.{name}" in trees]
        assert not clashes, f"{package}: {clashes}"


@pytest.mark.parametrize("file", ["gen/s03_cond32.pkl", "gen/s05_resnet64.pkl"])
def test_reading_a_pickle_imports_neither_jax_nor_flax_nor_torch(file):
    heavy = ("jax", "flax", "orbax", "torch", "tensorflow")
    program = f"import sys, convert; convert.read({str(golden(file))!r}); print(*(set({heavy}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert (done.stdout, done.stderr) == ("\n", "")


def test_the_blends_arithmetic_needs_jax_alone():
    program = """
import sys, interp.arithmetic
rooms = "flax", "orbax", "convert", "stylegan_jax.networks", "stylegan_jax.storage", "stylegan_jax.pictures"
found = {name for name in sys.modules if name.startswith(rooms)}
print("jax" in sys.modules, *(found - {"stylegan_jax.storage", "stylegan_jax.storage.shipped"}))  # the face's own
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert (done.stdout, done.stderr) == ("True\n", "")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_shows_help_with_an_example_and_without_importing_jax(name):
    form = (COMMANDS[name].form or f"stylegan_jax {name}").split()
    arguments = [sys.executable, "-W", "error", "-X", "importtime", "-m", *form, "--help"]
    done = subprocess.run(arguments, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-2000:]
    starts = f"python -m {' '.join(form)} ", f"stylegan-jax {name} "
    assert any(start in done.stdout.split("\n", 1)[1] for start in starts), "an example beside the usage line"
    imported = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}
    assert not imported & {"jax", "flax", "orbax.checkpoint"}
