"""Lists of file names, as short as their runs of numbers: which files of a folder are ours to replace."""

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

_NUMBERED = re.compile(r"(.*?)(\d{1,18})(\D*)", re.DOTALL | re.ASCII)


class _Form(NamedTuple):
    """What the names of a run share; `width` is that of a number with its leading zeros."""

    before: str
    after: str
    width: int


class Listing:
    """File names, kept as runs: `seed0000.png` to `seed0099.png`."""

    def __init__(self, runs: Iterable[tuple[str, str]] = ()):
        self._runs: dict[_Form, list[tuple[int, int]]] = {}
        self._others: set[str] = set()
        for first, last in runs:
            self._add(first, last)
        self._runs = {form: _merged(spans) for form, spans in self._runs.items()}

    @classmethod
    def of(cls, names: Iterable[str]) -> "Listing":
        """The list of these names."""
        return cls((name, name) for name in names)

    def _add(self, first: str, last: str) -> None:
        one, two = _NUMBERED.fullmatch(first), _NUMBERED.fullmatch(last)
        if one is None or two is None:
            self._others |= {first, last}
            return
        form = _Form(one[1], one[3], len(one[2]))
        self._runs.setdefault(form, []).append((int(one[2]), int(two[2])))

    def __contains__(self, name: str) -> bool:
        found = _NUMBERED.fullmatch(name)
        if found is None:
            return name in self._others
        number, digits = int(found[2]), found[2]
        for width in range(1, len(digits) + 1):
            spans = self._runs.get(_Form(found[1], found[3], width), ())
            if f"{number:0{width}d}" == digits and any(first <= number <= last for first, last in spans):
                return True
        return False

    def __iter__(self) -> Iterator[tuple[str, str]]:
        for form, spans in self._runs.items():
            for span in spans:
                first, last = (f"{form.before}{number:0{form.width}d}{form.after}" for number in span)
                yield first, last
        yield from ((name, name) for name in sorted(self._others))

    def __bool__(self) -> bool:
        return bool(self._runs or self._others)

    def __or__(self, other: "Listing") -> "Listing":
        return Listing([*self, *other])

    def to_json(self) -> list[list[str]]:
        """Pairs of the first and the last name of a run."""
        return sorted([first, last] for first, last in self)


def from_json(data: Any) -> Listing | None:
    """The list that `to_json` wrote; None for anything else."""
    pairs = data if isinstance(data, list) else [None]
    if any(type(pair) is not list or list(map(type, pair)) != [str, str] for pair in pairs):
        return None
    return Listing((first, last) for first, last in data)


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged
