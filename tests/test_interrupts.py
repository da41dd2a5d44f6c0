"""A signal reaches the command, wherever Python is when it comes."""

import gc
import signal
import subprocess
import sys
import time
import weakref

import pytest

from stylegan_jax import interrupts


@pytest.fixture(autouse=True)
def handlers():
    """Python's own, which a shell's background jobs and other tests may lack."""
    own = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    for number, handler in own.items():
        signal.signal(number, handler)


RAISED = {signal.SIGINT: KeyboardInterrupt, signal.SIGTERM: interrupts.Terminated}


@pytest.mark.parametrize("number", RAISED)
def test_a_signal_during_an_import_is_obeyed_when_the_module_is_whole(number, tmp_path, monkeypatch):
    (tmp_path / "halved.py").write_text(f"import signal\nsignal.raise_signal({int(number)})\nwhole = True\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "halved", raising=False)
    heard = []
    begun = time.monotonic()
    with pytest.raises(RAISED[number]), interrupts.handled():
        import halved  # pyright: ignore[reportMissingImports]

        heard.append(halved.whole)
        time.sleep(20)
    assert heard == [True] and time.monotonic() - begun < 5


class Dying:
    def __del__(self):
        signal.raise_signal(signal.SIGTERM)


def swallow_in_the_collector():
    def hears(phase, _):
        if phase == "start":
            gc.callbacks.remove(hears)
            signal.raise_signal(signal.SIGTERM)

    gc.callbacks.append(hears)
    gc.collect()


def swallow_in_a_weak_reference():
    item = Dying.__new__(type("Item", (), {}))
    reference = weakref.ref(item, lambda _: signal.raise_signal(signal.SIGTERM))
    del item
    assert reference() is None


@pytest.mark.parametrize("swallow", [swallow_in_the_collector, swallow_in_a_weak_reference, Dying])
def test_a_signal_that_a_callback_swallows_is_raised_again(swallow, capsys):
    begun = time.monotonic()
    with pytest.raises(interrupts.Terminated), interrupts.handled():
        swallow()
        time.sleep(20)
    assert time.monotonic() - begun < 5 and "ignored" not in capsys.readouterr().err


def test_handlers_are_afterwards_what_they_were():
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
    before, hook = [signal.getsignal(number) for number in numbers], sys.unraisablehook
    with interrupts.handled():
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert [signal.getsignal(number) for number in numbers] == before and sys.unraisablehook is hook


def test_two_signals_of_one_key_are_one_interruption():
    cleared = False
    with pytest.raises(KeyboardInterrupt), interrupts.handled():
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            signal.raise_signal(signal.SIGINT)
            cleared = True
    assert cleared


LEFT = """
import atexit, sys, threading, time
from stylegan_jax import starting
from stylegan_jax.commands import cli
starting.is_program = True
def main():
    atexit.register(print, "cleared")
    threading.Thread(target=time.sleep, args=(20,)).start()  # as one that compiles
    print("begun")
    raise KeyboardInterrupt
sys.exit(cli.run(main, "door", []))
"""


def test_an_interrupted_command_ends_while_its_threads_still_work():
    begun = time.monotonic()
    done = subprocess.run([sys.executable, "-c", LEFT], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "begun\ncleared\n", "interrupted\n")
    assert time.monotonic() - begun < 10
