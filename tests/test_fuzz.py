"""Damaged files of every kind are read or refused in a line, and nothing else happens: scripts/fuzz in short."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TARGETS = ("safetensors", "encoder", "recipe", "arrays", "torch", "training", "orbax")


def fuzz(*arguments):
    environ = {**os.environ, "PYTHON": sys.executable}
    return subprocess.run(
        ["scripts/fuzz", *arguments], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=300
    )


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_damaged_files_are_read_or_refused_and_nothing_happens(target):
    ended = fuzz(target, "--seconds", "10", "--seed", "7")
    assert ended.returncode == 0, ended.stdout + ended.stderr[-2000:]
    assert "nothing else happened" in ended.stdout


def test_what_is_not_as_it_should_be_is_found_and_named(tmp_path):
    (tmp_path / "no.pkl").write_bytes(b"\x80\x02N.")
    ended = fuzz("torch", "--count", "5", str(tmp_path / "no.pkl"))
    assert ended.returncode == 1 and "NOT as it should be" in ended.stdout
