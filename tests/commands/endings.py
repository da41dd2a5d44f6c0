"""How a command must end that is given bad input."""

import time

from stylegan_jax.commands import cli


def ends_in_one_line(capsys, door, *arguments):
    """Runs a command that must refuse its input quickly, in one short line without escapes; returns the line."""
    start = time.process_time()
    assert cli.run(door, "door", [str(argument) for argument in arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and error[:-1].isprintable() and len(error) < 2000
    assert time.process_time() - start < 5
    return error
