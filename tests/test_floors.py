"""Imports point downward only; what must stay light stays light."""

import ast
import itertools
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from stylegan_jax.__main__ import BY_NAME, COMMANDS
from tests.golden_data import golden

NAMES = {module: name for name, module in BY_NAME.items()}
ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("stylegan_jax", "convert", "interp")
FLOORS = ("ground", "networks", "services", "formats", "uses", "commands", "doors")

FACE = "stylegan_jax"  # a door that doors may use: its `load` knows shipped models by name
COMMAND_PARTS = {"interp.options"}  # options that several commands share
SERVICES = "services"  # where a module of stylegan_jax stands unless it is named here
MEMBERS = {
    "ground": {"config", "errors", "names", "ops", "usercache"},
    "networks": {"discriminator", "generator", "layers"},
    "uses": {"projection", "train"},
    "commands": {"doors", "options"},
}


DISTRIBUTIONS = {"PIL": "pillow", "yaml": "pyyaml", "orbax": "orbax-checkpoint", "absl": "absl-py"}


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


def is_door(name, tree):
    return name in ("stylegan_jax", "stylegan_jax.__main__") or any(
        isinstance(node, ast.If) and "__main__" in ast.unparse(node.test) for node in tree.body
    )


def floor(name, tree):
    if is_door(name, tree):
        return "doors"
    if name in COMMAND_PARTS:
        return "commands"
    package, _, rest = name.partition(".")
    usual = {"convert": "formats", "interp": "uses"}.get(package, SERVICES)
    return next((floor for floor, members in MEMBERS.items() if rest.partition(".")[0] in members), usual)


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
    floors = {name: floor(name, tree) for name, tree in trees.items()}
    upward = [
        f"{name} ({floors[name]}) imports {target} ({floors[target]})"
        for name, tree in trees.items()
        for target in imports(tree, trees)
        if FLOORS.index(floors[target]) > FLOORS.index(floors[name]) or (floors[target] == "doors" and target != FACE)
    ]
    assert not upward, "\n".join(upward)


def test_nothing_but_doors_imports_interp():
    trees = modules()
    guests = [
        name
        for name, tree in trees.items()
        if not name.startswith("interp") and not is_door(name, tree)
        if any(target.startswith("interp") for target in imports(tree, trees))
    ]
    assert not guests


def test_every_command_is_listed_and_every_listed_command_exists():
    doors = {name.removesuffix(".__main__") for name, tree in modules().items() if is_door(name, tree)}
    assert doors - {FACE} == set(COMMANDS)


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


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_shows_help_with_an_example_and_without_importing_jax(command):
    arguments = [sys.executable, "-W", "error", "-X", "importtime", "-m", command, "--help"]
    done = subprocess.run(arguments, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-2000:]
    starts = f"python -m {command} ", f"stylegan-jax {NAMES[command]} "
    assert any(start in done.stdout.split("\n", 1)[1] for start in starts), "an example beside the usage line"
    imported = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}
    assert not imported & {"jax", "flax", "orbax.checkpoint"}
