"""What a run answers to SIGTERM and Ctrl-C, and that it answers at once."""

import os
import signal
import threading
import time

import pytest

from stylegan_jax.train import stopping


def test_a_signal_is_answered_at_once_while_the_work_goes_on_to_a_good_end(capsys):
    answered = []

    def work(ending):
        ending.doing("iteration 7", 20)
        os.kill(os.getpid(), signal.SIGTERM)
        until = time.monotonic() + 5
        while not ending.code and time.monotonic() < until:
            time.sleep(0.01)
        answered.append(capsys.readouterr().out)
        return ending.code

    assert stopping.run(work) == 75
    assert answered == ["SIGTERM: saving after iteration 7, in about 20 s\n"]
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_what_takes_an_unknown_time_is_said_to_take_a_while(capsys):
    ending = stopping.Ending()
    ending.doing("the first iteration, whose programs are compiled now")
    ending.hear(signal.SIGINT)
    assert ending.code == 130
    said = "Ctrl-C: saving after the first iteration, whose programs are compiled now, which may take a while\n"
    assert capsys.readouterr().out == said


def test_an_error_of_the_work_is_the_run_s():
    def work(ending):
        raise TimeoutError("of the work")

    with pytest.raises(TimeoutError, match="of the work"):
        stopping.run(work)


def test_in_another_thread_the_work_runs_there_and_hears_nothing():
    found = []
    thread = threading.Thread(target=lambda: found.append(stopping.run(lambda ending: threading.get_ident())))
    thread.start()
    thread.join()
    assert found == [thread.ident]
