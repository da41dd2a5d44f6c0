"""What errors advise: every flag that a message names is one of the commands that can say it."""

import ast
import dataclasses
import re
from functools import cache
from pathlib import Path

import pytest

import stylegan_jax.commands.train
from stylegan_jax.__main__ import COMMANDS as LISTED
from stylegan_jax.commands import arguments, cli
from stylegan_jax.errors import InputError
from stylegan_jax.storage import checkpoint
from stylegan_jax.train.official import official
from tests.golden_data import ROOT
from tests.tiny_models import tiny_model

COMMANDS = {name: command.function() for name, command in LISTED.items()}
OTHERS = {"--force-fp16", "--array", "--version"}  # of other programs, and of all commands together
ALIASES = {"--network", *arguments.ALIASES, *stylegan_jax.commands.train.ALIASES}  # understood, and never advised
FLAG = re.compile(r"(?<![\w-])--[a-z](?:[a-z0-9-]*[a-z0-9])?(?![\w-])")


@cache
def flags(command):
    """The options of a command, as its help lists them."""
    import contextlib
    import io

    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        assert cli.run(COMMANDS[command], command, ["--help"]) == 0
    return set(FLAG.findall(shown.getvalue())) | {"--debug", "--help"}


def sayers(path):
    """The commands that can say what a file of the package says; all of them for what all share."""
    parts = path.relative_to(ROOT).parts
    if parts[:2] == ("stylegan_jax", "train"):
        return ["train"]
    if path.stem in ("sample", "jobs", "parts", "archives", "imagefolder") and parts[0] == "stylegan_jax":
        return ["sample"]
    if path.stem == "models":
        return ["models"]
    if parts[:2] == ("interp", "studio"):
        return ["studio"]
    if parts[0] == "interp":
        return [path.stem] if path.stem in COMMANDS else ["blend", "diagnose", "figures", "film", "toonify"]
    return list(COMMANDS)


def texts(path):
    """Every string of a file that is no docstring, with its line."""
    tree = ast.parse(path.read_text())
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # and of attributes
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.lineno, node.value


SOURCES = [path for package in ("stylegan_jax", "convert", "interp") for path in sorted((ROOT / package).rglob("*.py"))]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_flag_that_a_message_names_is_one_of_the_command(path: Path):
    known = {flag for command in sayers(path) for flag in flags(command)} | OTHERS | ALIASES
    wrong = [f"{line}: {flag}" for line, text in texts(path) for flag in FLAG.findall(text) if flag not in known]
    assert not wrong


def test_every_command_that_writes_has_the_flag_that_a_place_in_use_advises():
    assert [command for command in COMMANDS if "--overwrite" not in flags(command)] == [
        "studio",
        "train",
        "models",
    ]


def advised(error, flag):
    """The first value that a message gives for a flag."""
    found = re.search(rf"{flag} (\d+)", error.remedy)
    assert found is not None, error
    return int(found[1])


@pytest.mark.parametrize(
    ("wrong", "flag"),
    [
        ({"mbstd_chunks": 3}, "--mbstd-chunks"),
        ({"mbstd_group_size": 3}, "--mbstd-group-size"),
        ({"pl_batch_shrink": 3}, "--pl-batch-shrink"),
    ],
)
def test_a_batch_that_does_not_divide_names_the_values_that_do(wrong, flag):
    with pytest.raises(InputError) as refused:
        official("auto", {"batch": 16, **wrong}, resolution=16)
    value = advised(refused.value, flag)
    assert official("auto", {"batch": 16, next(iter(wrong)): value}, resolution=16).batch == 16


def test_a_discriminator_in_the_way_of_a_pt_file_goes_as_advised(tmp_path, capsys):
    model = tiny_model(discriminator=True, z_dim=16)
    skip = dataclasses.replace(
        model.config, discriminator=dataclasses.replace(model.config.of("D"), mbstd_group_size=2)
    )
    checkpoint.save(dataclasses.replace(model, config=skip), tmp_path / "m.safetensors")
    command = [str(tmp_path / "m.safetensors"), str(tmp_path / "m.pt")]
    assert cli.run(COMMANDS["convert"], "convert", command) == 2
    found = re.search(r"(--networks) (\S+)", capsys.readouterr().err)
    assert found is not None
    assert cli.run(COMMANDS["convert"], "convert", [*command, *found.groups()]) == 0
