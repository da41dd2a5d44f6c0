"""All cases; the first of each place runs always, further ones with the slow tests."""

from tests.commands.remedies import cases_commands, cases_convert, cases_interp, cases_storage, cases_train

CASES = [
    *cases_commands.CASES,
    *cases_convert.CASES,
    *cases_interp.CASES,
    *cases_storage.CASES,
    *cases_train.CASES,
]
