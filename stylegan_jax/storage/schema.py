"""What JSON and YAML from outside may say, field by field: types, ranges, lengths."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from stylegan_jax.errors import shown

_MOST_LINES = 12


@dataclass(frozen=True)
class Text:
    """A string of at most `most` characters, without NUL."""

    most: int = 4096

    def faults(self, value: Any, name: str) -> Iterator[str]:
        """A line for everything that is wrong with `value`."""
        if type(value) is not str:
            yield f"{name} is {quoted(value)}"
        elif len(value) > self.most:
            yield f"{name} is {len(value)} characters long"
        elif "\0" in value:
            yield f"{name} is {value[:60]!a}"


@dataclass(frozen=True)
class Number:
    """A finite number from `low` to `high`, which float64 can hold; an integer if it must be `whole`."""

    low: float = -1e30
    high: float = 1e30
    whole: bool = False

    def faults(self, value: Any, name: str) -> Iterator[str]:
        """See `Text`."""
        kinds = (int,) if self.whole else (int, float)
        if type(value) not in kinds:
            yield f"{name} is {quoted(value)}"
        elif not self.low <= value <= self.high:  # nan is not, either
            yield f"{name} is {quoted(value)}, not from {self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Flag:
    """True or false."""

    def faults(self, value: Any, name: str) -> Iterator[str]:
        """See `Text`."""
        if type(value) is not bool:
            yield f"{name} is {quoted(value)}"


@dataclass(frozen=True)
class Anything:
    """Data of whatever kind, with numbers that float64 can hold; nobody here depends on it."""

    def faults(self, value: Any, name: str) -> Iterator[str]:
        """See `Text`."""
        level, seen = [value], set()
        while level:
            each = level.pop()
            if type(each) in (int, float) and not abs(each) <= 1e300:
                yield f"{name} holds {shown(each)}"
                return
            if type(each) in (list, dict) and id(each) not in seen:  # YAML's aliases are one and the same
                seen.add(id(each))
                level += each.values() if type(each) is dict else each


@dataclass(frozen=True)
class ListOf:
    """A list of `least` to `most` items of one kind."""

    item: "Kind"
    most: int = 4096
    least: int = 0

    def faults(self, value: Any, name: str) -> Iterator[str]:
        """See `Text`."""
        if type(value) not in (list, tuple):
            yield f"{name} is {quoted(value)}"
        elif not self.least <= len(value) <= self.most:
            yield f"{name} has {len(value)} entries, not {self.least} to {self.most}"
        else:
            for i, each in enumerate(value):
                yield from self.item.faults(each, f"{name}[{i}]")


@dataclass(frozen=True)
class Row:
    """A list of so many items, each of a kind of its own."""

    items: "tuple[Kind, ...]"

    def faults(self, value: Any, name: str) -> Iterator[str]:
        """See `Text`."""
        if type(value) not in (list, tuple):
            yield f"{name} is {quoted(value)}"
        elif len(value) != len(self.items):
            yield f"{name} has {len(value)} entries, not {len(self.items)}"
        else:
            for i, (each, kind) in enumerate(zip(value, self.items, strict=True)):
                yield from kind.faults(each, f"{name}[{i}]")


@dataclass(frozen=True)
class Table:
    """A table with fields of kinds of their own.

    Attributes:
      fields: name → kind; with None as its value, a field counts as absent.
      required: those that must be there.
      others: the kind of all further fields; None if there may be none.
      most: so many further fields.
    """

    fields: Mapping[str, "Kind"] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    others: "Kind | None" = None
    most: int = 20_000

    def faults(self, value: Any, name: str) -> Iterator[str]:
        """See `Text`; of the table without a name, the fields go by their own."""
        if not isinstance(value, Mapping):
            yield f"{name or 'it'} is {quoted(value)}"
            return
        if len(value) > self.most + len(self.fields):
            yield f"{name or 'it'} has {len(value)} entries"
            return
        inside = f"{name}." if name else ""
        yield from (f"{inside}{key} is missing" for key in self.required if value.get(key) is None)
        for key, each in value.items():
            kind = self.fields.get(key) if type(key) is str else None
            if kind is not None:
                yield from kind.faults(each, f"{inside}{key}") if each is not None else ()
            elif self.others is None or type(key) is not str:
                yield f"{inside}{_quoted(key)} is unknown"
            else:
                yield from self.others.faults(each, f"{inside}{shown(key)}")


@dataclass(frozen=True)
class Either:
    """A value of any of several kinds."""

    kinds: tuple["Kind", ...]

    def faults(self, value: Any, name: str) -> Iterator[str]:
        """See `Text`."""
        found = [list(islice(kind.faults(value, name), _MOST_LINES)) for kind in self.kinds]
        if all(found):  # of the kinds that it has at least outwardly, or else of any
            inside = [lines for lines in found if not lines[0].startswith(f"{name} is ")]
            yield (inside or found)[0][0]


Kind = Text | Number | Flag | Anything | ListOf | Row | Table | Either


def faults(value: Any, kind: Kind, name: str = "") -> list[str]:
    """The first lines that say what is wrong with `value`; none if nothing is."""
    return list(islice(kind.faults(value, name), _MOST_LINES))


def _quoted(key: Any) -> str:
    return key if type(key) is str and key.isidentifier() and len(key) < 60 else quoted(key)


def quoted(value: Any) -> str:
    """As `shown`, text in quotes."""
    return f"'{shown(value)}'" if type(value) is str else shown(value)
