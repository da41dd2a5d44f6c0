"""All cases, what other tests provoke, and what nothing provokes yet."""

from tests.commands.remedies import cases_commands, cases_convert, cases_interp, cases_storage, cases_train

CASES = [
    *cases_commands.CASES,
    *cases_convert.CASES,
    *cases_interp.CASES,
    *cases_storage.CASES,
    *cases_train.CASES,
]

ELSEWHERE: dict[tuple[str, str], str] = {}
"""(file, remedy) → the test that provokes and follows it."""

NOT_YET: set[tuple[str, str]] = set()
"""What is still to be covered; this may only shrink."""
