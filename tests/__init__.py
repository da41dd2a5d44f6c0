"""The tests; `checked` is their type checker: beartype, with int accepted for float as PEP 484 has it."""

from beartype import BeartypeConf, beartype

checked = beartype(conf=BeartypeConf(is_pep484_tower=True))
