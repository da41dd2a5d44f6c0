"""Steps of cases: what lies in the working directory before a command runs, and what a user does between two."""

import os
import shutil
from pathlib import Path

import numpy as np

import stylegan_jax as sj
from convert.pickles import torch_file
from tests.commands.remedies import running
from tests.tiny_models import tiny_model


def ran(*typed: str):
    """A step that samples before."""

    def build():
        for each in typed:
            assert running.run("sample", each.split()) == 0

    return build


def file(name: str, content: bytes = b"something else"):
    """A step that writes a file, and its folder."""

    def build():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(content)

    return build


def both(*steps):
    """Steps one after the other."""

    def build():
        for step in steps:
            step()

    return build


def removed(*names: str):
    """What a user clears away."""

    def build():
        for name in names:
            shutil.rmtree(name) if os.path.isdir(name) else os.remove(name)

    return build


def model(name: str, **fields):
    """A step that saves a further model."""
    return lambda: sj.save(tiny_model(0, **fields), name)


def array(name, values):
    """A step that saves an array."""
    return lambda: np.save(name, values)


def zipped(tree, name="m.pt"):
    """A step that writes a torch file."""

    def build():
        with open(name, "wb") as out:
            torch_file.save_zip(out, tree)

    return build


def unpacked(name="rosinality.pt", folder="parts"):
    """A step that unpacks a torch file."""
    return lambda: shutil.unpack_archive(name, folder, "zip")
