"""All cases; the first of each place runs always, further ones with the slow tests."""

from tests.commands.remedies import (
    cases_align,
    cases_commands,
    cases_convert,
    cases_edit,
    cases_encoder,
    cases_film,
    cases_interp,
    cases_reading,
    cases_sample,
    cases_shown,
    cases_storage,
    cases_train,
    cases_ws,
)

CASES = [
    *cases_align.CASES,
    *cases_commands.CASES,
    *cases_convert.CASES,
    *cases_edit.CASES,
    *cases_encoder.CASES,
    *cases_film.CASES,
    *cases_interp.CASES,
    *cases_reading.CASES,
    *cases_sample.CASES,
    *cases_shown.CASES,
    *cases_storage.CASES,
    *cases_train.CASES,
    *cases_ws.CASES,
]
