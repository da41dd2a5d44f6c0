"""How a command must end that is given bad input."""

import time
import warnings

from stylegan_jax.commands import cli


def ends_in_one_line(capsys, door, *arguments):
    """Runs a command that must refuse its input quickly, in one short line without escapes; returns the line.

    Python would print warnings beside it, except for those that it shows to developers alone.
    """
    start = time.process_time()
    with warnings.catch_warnings(record=True) as printed:
        warnings.simplefilter("always")
        for hidden in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
            warnings.simplefilter("ignore", hidden)
        assert cli.run(door, "door", [str(argument) for argument in arguments]) == 2
    assert not printed, [str(warning.message) for warning in printed]
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and error[:-1].isprintable() and len(error) < 2000
    assert time.process_time() - start < 5
    return error
