"""No kill damages or loses an output, and work for long lets nothing grow: scripts/kills and scripts/soak in short."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


LOOKS = """
import os, pathlib, sys
from scripts.killing import outputs
folder = pathlib.Path(sys.argv[1])
print(outputs.contents(folder, ["out.png"])["out.png"].split()[0])
print(*map(os.path.basename, outputs.unfinished(folder)))
print(*outputs.strangers(folder, ["out.png"], []))
"""


def ran(script, *arguments):
    environ = {**os.environ, "PYTHON": sys.executable}
    command = [f"scripts/{script}", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=1200)


@pytest.mark.slow
@pytest.mark.parametrize(
    "names",
    [
        ("convert", "convert-file", "convert-back", "blend", "blend-sheet"),
        ("sample", "sample-ws", "sample-zip", "sample-zip-anew"),
        ("align", "diagnose", "film", "film-frames", "figures"),
        ("project", "toonify"),
        ("train",),
    ],
    ids=lambda names: names[0],
)
def test_commands_that_are_killed_damage_and_lose_nothing(names):
    ended = ran("kills", *names, "--count", "3", "--seed", "5")
    assert ended.returncode == 0, ended.stdout + ended.stderr[-2000:]
    assert ended.stdout.count(" inside a write") == len(names)


def test_an_output_that_is_lost_or_damaged_is_found(tmp_path):
    (tmp_path / "out.png").write_bytes(b"half")
    (tmp_path / ".out.png.host.1.2.partial").touch()
    (tmp_path / "out.tmp").touch()
    ended = subprocess.run([sys.executable, "-c", LOOKS, tmp_path], cwd=ROOT, capture_output=True, text=True)
    assert ended.stdout.split() == ["damaged:", ".out.png.host.1.2.partial", "out.tmp"], ended.stderr


@pytest.mark.slow
def test_two_minutes_of_work_leave_no_file_open_and_none_behind():
    ended = ran("soak", "--minutes", "2")
    assert "files" not in ended.stdout.splitlines()[-1] and "leftovers" not in ended.stdout.splitlines()[-1], (
        ended.stdout
    )
