"""What the one exception for bad input says."""

import subprocess
import sys
from pathlib import Path

import pytest

from stylegan_jax.commands import cli
from stylegan_jax.errors import InputError


def test_a_line_prints_as_it_is_whatever_was_put_into_it():
    error = InputError("\x1b[2J\x07 and\ttabs: no schedule", "write one\x00", file="\x1b]0;x")
    assert str(error) == "\\x1b]0;x: \\x1b[2J\\x07 and\\ttabs: no schedule — write one\\x00"


def test_lines_stay_lines_and_letters_letters():
    assert (
        str(InputError("two differ\n  ärger.pkl\n  日本.pkl", "choose"))
        == "two differ\n  ärger.pkl\n  日本.pkl — choose"
    )


def test_no_line_is_endless():
    assert len(str(InputError("a" * 5_000_000, "cut it"))) < 11_000


def test_a_file_where_a_folder_is_to_be_made_is_bad_input_and_no_full_disk(tmp_path, capsys):
    (tmp_path / "taken").touch()

    def command(folder: str) -> None:
        """Makes a folder."""
        Path(folder).mkdir(exist_ok=True)

    assert cli.run(command, "make", ["--folder", str(tmp_path / "taken")]) == 2
    assert capsys.readouterr().err == f"error: {tmp_path / 'taken'}: File exists — check what the path leads to\n"


@pytest.mark.parametrize(
    ("work", "code"),
    [
        ("raise InputError('is bad', 'mend it')", 2),
        ("say('a warning'); say('another'); print('done')", 0),
        ("say('a warning'); raise InputError('is bad', 'mend it')", 2),
    ],
)
def test_a_stderr_that_takes_nothing_changes_no_exit_code(work, code):
    program = f"""
from stylegan_jax.commands import cli
from stylegan_jax.errors import InputError, say
def main() -> None:
    '''Works.'''
    {work}
raise SystemExit(cli.run(main, "work", []))
"""
    with open("/dev/full", "w") as full:
        process = subprocess.run([sys.executable, "-c", program], stderr=full, stdout=subprocess.PIPE, text=True)
    assert process.returncode == code and process.stdout == ("done\n" if code == 0 else "")
