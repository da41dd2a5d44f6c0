import logging
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Literal

import pytest

from stylegan_jax import compiling, interrupts, values
from stylegan_jax.__main__ import COMMANDS
from stylegan_jax.commands import cli
from stylegan_jax.errors import InputError


def door(*, fail: str = "") -> int:
    """A command for these tests.

    Example:
      python -m door --fail input

    Args:
      fail: how to end.
    """
    if fail:
        raise {
            "input": InputError("is empty", "download it again", file="toon.pkl"),
            "disk": OSError(28, "No space left on device", "out.png"),
            "reset": ConnectionResetError(104, "Connection reset by peer"),
            "closed": PermissionError(13, "Permission denied", "out.png"),
            "gone": FileNotFoundError(2, "No such file or directory", "toon.pkl"),
            "broken": OSError(5, "Input/output error", "out.png"),
            "memory": MemoryError(),
            "accelerator": RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 9 bytes."),
            "stop": KeyboardInterrupt(),
            "bug": ZeroDivisionError("division\nby zero"),
        }[fail]
    return cli.RESUME


ENDINGS = {
    "input": (2, "error: toon.pkl: is empty — download it again\n"),
    "disk": (74, "error: out.png: No space left on device — free some space or choose another place\n"),
    "reset": (74, "error: Connection reset by peer — check the network and run the same command again\n"),
    "closed": (74, "error: out.png: Permission denied — change its permissions or choose another place\n"),
    "gone": (2, "error: toon.pkl: No such file or directory — check the path: it may have gone meanwhile\n"),
    "broken": (
        74,
        "error: out.png: Input/output error — the disk or its connection fails: check it, or choose another place\n",
    ),
    "memory": (74, "error: Cannot allocate memory — work on less at once, or use a machine with more memory\n"),
    "accelerator": (74, "error: Cannot allocate memory — work on less at once, or use a machine with more memory\n"),
    "stop": (130, "interrupted\n"),
    "bug": (1, "error: ZeroDivisionError: division by zero — this is a bug: run again with --debug and report it\n"),
}


@pytest.mark.parametrize("how", ENDINGS)
def test_every_ending_has_its_exit_code_and_one_line(how, capsys):
    code, line = ENDINGS[how]
    assert cli.run(door, "door", ["--fail", how]) == code
    assert capsys.readouterr().err == line


def test_debug_shows_the_traceback_too(capsys):
    assert cli.run(door, "door", ["--fail", "input", "--debug"]) == 2
    shown = capsys.readouterr().err
    assert "Traceback" in shown and shown.endswith(ENDINGS["input"][1])


def test_a_command_may_choose_its_exit_code():
    assert cli.run(door, "door", []) == 75


def test_an_unknown_flag_ends_with_2_and_the_nearest_one(capsys):
    assert cli.run(door, "door", ["--fial", "input"]) == 2
    assert "--fail" in capsys.readouterr().err


def test_help_shows_the_example_as_written(capsys):
    assert cli.run(door, "door", ["--help"]) == 0
    shown = capsys.readouterr().out
    assert "  python -m door --fail input\n" in shown and "--debug" in shown and "how to end" in shown


PROGRAM = "import sys; from stylegan_jax.commands import cli; sys.exit(cli.run({main}, 'door', []))"


def run(main, **environment):
    kept = {name: value for name, value in os.environ.items() if name not in environment}
    given = {name: value for name, value in environment.items() if value is not None}
    command = [sys.executable, "-W", "error", "-c", PROGRAM.format(main=main)]
    return subprocess.run(command, env={**kept, **given}, capture_output=True, text=True)


def test_a_closed_pipe_ends_quietly():
    endless = "lambda: [print('line') for _ in range(10**6)] and None"
    command = f"{sys.executable} -c {PROGRAM.format(main=endless)!r} | head -1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True)
    assert (done.stdout, done.stderr, done.returncode) == ("line\n", "", 0)


def test_jax_is_set_up_but_not_imported():
    name = "JAX_COMPILATION_CACHE_DIR"
    done = run(f"lambda: print(__import__('os').environ['{name}'], 'jax' in sys.modules)")
    assert done.stderr == "" and "stylegan-jax" in done.stdout
    assert done.stdout.endswith("False\n")


def test_jax_takes_the_settings_that_were_made():
    done = run("lambda: print(__import__('jax').config.jax_compilation_cache_dir)")
    assert done.stdout.endswith("/stylegan-jax/compiled\n") and done.stderr == ""


def test_no_home_is_no_error(tmp_path):
    place = "lambda: print(cli.compilation_cache())"
    assert run(place, HOME="/dev/null/nowhere", XDG_CACHE_HOME=None).returncode == 0
    assert run(place, HOME=None, XDG_CACHE_HOME=None).returncode == 0
    assert run(place, XDG_CACHE_HOME=str(tmp_path)).stdout == f"{tmp_path}/stylegan-jax/compiled\n"


def test_seeds_are_numbers_and_ranges_in_the_order_given():
    assert values.seeds("0-3,40, 7") == [0, 1, 2, 3, 40, 7]
    assert values.seeds("4294967295") == [2**32 - 1]


@pytest.mark.parametrize("text", ["", "0-", "-1", "5-1", "4294967296", "0-4294967295", "1,,2", "a", "1.5", "9" * 5000])
def test_what_is_no_seed_is_an_input_error(text):
    with pytest.raises(InputError, match=r"^--seeds .+: .+ — .+"):
        values.seeds(text)


def test_numbers_are_finite_and_within_their_limits():
    assert values.number("-0.5", "--psi") == -0.5
    assert values.number("0", "--alpha", low=0, high=1) == 0


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "", "half", "1e999", "2"])
def test_what_is_no_number_is_an_input_error(text):
    with pytest.raises(InputError, match=r"^--alpha .+: .+ — write one such as 0\.7"):
        values.number(text, "--alpha", low=0, high=1)


@pytest.mark.parametrize("text", ["-1", "10", "1.0", "", "x", "9" * 5000])
def test_what_is_no_natural_number_in_range_is_an_input_error(text):
    assert values.natural("9", "--class", high=9) == 9
    with pytest.raises(InputError, match=r"--class .+: out of range — write a whole number from 0 to 9"):
        values.natural(text, "--class", high=9)


BUSY = """
def main():
    import hashlib, time
    try:
        print("begun", flush=True)
        time.sleep(60)
    finally:
        print("clearing", flush=True)
        hashlib.pbkdf2_hmac("sha256", b"", b"", 10**9)  # compiled code: no handler of Python's is called meanwhile
"""


def test_a_second_ctrl_c_ends_at_once_whatever_the_program_is_busy_with():
    program = f"import sys\n{BUSY}\nfrom stylegan_jax.commands import cli\nsys.exit(cli.run(main, 'door', []))"
    own = signal.signal(signal.SIGINT, signal.default_int_handler)  # shells start background jobs deaf to Ctrl-C
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    signal.signal(signal.SIGINT, own)
    assert process.stdout and process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "clearing\n"
    time.sleep(0.2)
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=20)
    assert (process.returncode, error) == (130, "interrupted\n") and time.monotonic() - begun < 5


def test_a_first_ctrl_c_lets_the_program_clear_up():
    own = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    try:
        with pytest.raises(KeyboardInterrupt), interrupts.second_ends():
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, own)


@pytest.mark.parametrize(
    ("form", "module"),
    [(["interp.blend"], "tyro"), (["convert"], "tyro"), (["convert"], "numpy"), (["stylegan_jax", "sample"], "tyro")],
)
def test_ctrl_c_during_the_imports_is_one_line(form, module, tmp_path):
    marker = "import sys, time\nsys.stderr.write('x'); sys.stderr.flush(); time.sleep(60)\n"
    (tmp_path / f"{module}.py").write_text(marker)  # what every command imports, or convert itself
    own = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [sys.executable, "-m", *form, "--help"],
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{os.getcwd()}"},
    )
    signal.signal(signal.SIGINT, own)
    assert process.stderr and process.stderr.read(1) == b"x"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=20)[1] == b"interrupted\n" and process.returncode == 130


@pytest.mark.parametrize("file", ["convert.py", "interp.py", "convert/__init__.py"])
def test_a_file_of_the_users_that_hides_a_package_of_ours_is_named_and_not_run(tmp_path, file):
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text("open('run', 'w')")
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}

    def ended(*command):
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)

    done = ended(sys.executable, "-m", "stylegan_jax", "diagnose", "portraits", "toons")
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and not (tmp_path / "run").exists()
    assert done.stderr.startswith(f"error: {file}: hides") and "stylegan-jax" in done.stderr
    assert ended(Path(sys.executable).parent / "stylegan-jax", "--version").returncode == 0
    assert ended(sys.executable, "-c", "import stylegan_jax").returncode == 0


def test_sigterm_clears_up_as_ctrl_c_does(tmp_path):
    program = """
import sys, time
from pathlib import Path
from stylegan_jax.commands import cli
from stylegan_jax.storage import atomic
def main():
    with atomic.new_file(Path(sys.argv[1])) as file:
        file.write(b"half")
        print("begun", flush=True)
        time.sleep(60)
sys.exit(cli.run(main, "door", []))
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "x.bin")], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout and process.stdout.readline() == b"begun\n"
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=20)[1] == b"terminated\n" and process.returncode == 143
    assert not list(tmp_path.iterdir())


def test_closed_streams_do_not_turn_finished_work_into_an_error(tmp_path):
    main = f"lambda: print('done') or open({str(tmp_path / 'x')!r}, 'w').write('whole') and None"
    command = f'{sys.executable} -c "{PROGRAM.format(main=main)}"'
    for closed in (">&-", "2>&-", "<&- >&- 2>&-"):
        assert subprocess.run(f"{command} {closed}", shell=True, capture_output=True).returncode == 0
        assert (tmp_path / "x").read_text() == "whole"


@pytest.mark.parametrize(
    ("path", "said"), [("nowhere/x", "check the path"), ("x" * 300, "use a shorter name"), (".", "what the path leads")]
)
def test_a_path_that_names_nothing_is_bad_input(path, said):
    done = run(f"lambda: open({path!r}, 'rb') and None")
    assert done.returncode == 2 and said in done.stderr and done.stderr.count("\n") == 1


USAGE = {
    "--fial input": "--fial: no such option — did you mean --fail? door --help lists all",
    "--fail": "missing value for --fail — door --help explains its options",
    "--count many": "--count many: is no whole number — door --help explains its options",
    "--count 3 more words": "unrecognized options: more, words — door --help explains its options",
    "--count 3 --mood wild": "invalid choice 'wild' for --mood. Expected one of ('good', 'bad') — ",
    "": "lacks --count INT — door --help explains its options",
}


@pytest.mark.parametrize("typed", USAGE)
def test_what_a_command_does_not_take_is_one_line(typed, capsys):
    def command(*, count: int, fail: str = "no", mood: Literal["good", "bad"] = "good") -> None:
        """Does nothing."""

    assert cli.run(command, "door", typed.split()) == 2
    said = capsys.readouterr()
    assert said.err.startswith(f"error: {USAGE[typed]}") and (said.err.count("\n"), said.out) == (1, "")


@pytest.mark.parametrize("columns", ["1", "3", "20"])
def test_help_ends_in_a_narrow_terminal(columns):
    environment = {**os.environ, "COLUMNS": columns}
    command = [sys.executable, "-m", "convert", "--help"]
    assert subprocess.run(command, env=environment, capture_output=True, timeout=30).returncode == 0


def test_a_shell_can_complete_the_options():
    assert "--seeds" in called("sample", "--tyro-print-completion", "bash").stdout


@pytest.mark.parametrize(("seconds", "said"), [(0.2, ""), (0.01, "compiling …\n")])
def test_a_compilation_that_takes_long_is_announced_once(monkeypatch, capsys, seconds, said):
    monkeypatch.setattr(compiling, "_PATIENCE", seconds)
    monkeypatch.setattr(compiling, "_said", -compiling._AGAIN)
    logger = logging.getLogger("jax._src.interpreters.pxla")
    with compiling.announced():
        for _ in range(2):
            logger.debug("Compiling %s with global shapes and types %s.", "f", "x")
            time.sleep(0.05)
            logger.debug("Finished XLA compilation of %s", "f")
    assert capsys.readouterr().out == said


def test_jax_still_says_when_it_compiles(monkeypatch):
    import jax

    heard = []
    monkeypatch.setattr(compiling._Listener, "hear", lambda self, text: heard.append(text))
    with compiling.announced():
        jax.jit(lambda x: x * 1.2345 + len(heard))(1.0)
    assert any(text.startswith(compiling._BEGINS) for text in heard)
    assert any(text.startswith(compiling._ENDS) for text in heard)


@pytest.mark.parametrize("platform", ["nonsense", "cuda", "tpu"])
def test_a_device_that_is_asked_for_and_not_there_is_one_line(platform):
    if platform != "nonsense" and (os.path.exists("/dev/nvidia0") or os.path.exists("/dev/accel0")):
        pytest.skip("there is one")
    done = run("lambda: __import__('jax').devices() and None", JAX_PLATFORMS=platform)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"error: JAX_PLATFORMS={platform}: JAX finds no such device here — ")
    assert done.stderr.endswith("unset JAX_PLATFORMS\n")


def called(*arguments):
    return subprocess.run([sys.executable, "-m", "stylegan_jax", *arguments], capture_output=True, text=True)


def test_the_package_runs_the_command_that_is_named():
    assert re.search(r"sample +makes the images of seeds", called().stdout)
    assert called("--version").stdout.startswith("stylegan-jax 0.")
    assert "ffhq-1024-f" in called("models").stdout
    done = called("sample", "--seeds", "0", "--seeds", "1")
    assert (done.returncode, done.stdout) == (2, "") and "--seeds: given twice" in done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_runs_by_its_name(name):
    done = called(name, "--no-such-option")
    assert done.returncode == 2 and "no such option" in done.stderr and f"stylegan_jax {name} --help" in done.stderr


def test_an_unknown_command_is_told_the_nearest_one():
    done = called("smaple")
    assert (done.returncode, done.stderr) == (2, "error: smaple: no such command — did you mean sample?\n")


def test_listening_for_compilations_shows_nothing_of_the_log_whatever_handlers_others_add():
    import jax

    heard = []

    class Terminal(logging.Handler):
        def emit(self, record):
            heard.append(record.getMessage())

    terminal = Terminal()
    logging.getLogger().addHandler(terminal)
    try:
        with compiling.announced():
            jax.jit(lambda x: x * 5.4321)(1.0)
    finally:
        logging.getLogger().removeHandler(terminal)
    assert not heard


def test_names_that_would_steer_a_terminal_are_printed_escaped(capsys):
    def said() -> None:
        """Says what it wrote."""
        print("wrote a\x1b]0;title\x07.png — ü", flush=True)
        print("second")

    assert cli.run(said, "said", []) == 0
    assert capsys.readouterr().out == "wrote a\\x1b]0;title\\x07.png — ü\nsecond\n"
