"""Interprets pickle instructions in Python: they can build plain data and call the inert functions of a table."""

import codecs
import struct
from collections.abc import Callable, Mapping
from typing import Any

from convert.pickles.allowed import AGAIN, Budget, UnbuiltArray, add_items, build, extend, refuse, set_item, small_set
from convert.pickles.opaque import look_up
from stylegan_jax.errors import InputError

Names = Mapping[tuple[str, str], Any]
_LINE = 4096
_MAX_ARGUMENTS = 16


class Machine:
    """Interprets one pickle; `position` is then the byte after it.

    A file decides neither how long nor how large this gets: instructions, calls and text are paid from a budget, bytes
    are never copied, and every length is checked against the data before it is used.
    """

    def __init__(
        self,
        data: memoryview,
        position: int,
        *,
        names: Names,
        budget: Budget,
        persistent: Callable[[Any], Any] | None = None,
    ):
        self.data, self.position, self.names, self.budget, self.persistent = data, position, names, budget, persistent
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        """The object that the pickle describes; InputError if it is damaged or asks for more than data."""
        try:
            while (code := self.next_byte()) != _STOP:
                if code not in _ACTIONS:
                    raise refuse(f"uses the pickle instruction {_REFUSED.get(code, hex(code))}")
                _ACTIONS[code](self)
            return self.stack.pop()
        except InputError:
            raise
        except Exception as error:  # whatever a damaged stream provokes has one meaning
            raise InputError(f"is damaged at byte {self.position} ({type(error).__name__})", AGAIN) from error

    def next_byte(self) -> int:
        """The next byte, an instruction, which is paid for."""
        self.budget.steps -= 1
        if self.budget.steps < 0 or self.position >= len(self.data):
            self.budget.spend(0)
            self.take(1)
        self.position += 1
        return self.data[self.position - 1]

    def take(self, size: int) -> memoryview:
        """The next `size` bytes, not copied."""
        end = self.position + size
        if end > len(self.data):
            raise InputError(f"is cut short: {end - len(self.data)} bytes are missing", AGAIN)
        taken = self.data[self.position : end]
        self.position = end
        return taken

    def number(self, size: int) -> int:
        """The next `size` bytes as an unsigned little-endian integer."""
        return int.from_bytes(self.take(size), "little")

    def line(self) -> bytes:
        """The rest of a text line, as the oldest instructions have it."""
        window = bytes(self.data[self.position : self.position + _LINE])
        self.budget.spend(len(window) // 64)
        length = window.index(b"\n")
        self.position += length + 1
        return window[:length]

    def text(self, width: int) -> str:
        """A string, preceded by its length in `width` bytes."""
        size = self.number(width)
        taken = self.take(size)
        self.budget.read_text(size)
        return str(taken, "utf-8", "surrogatepass")

    def pop_mark(self) -> list[Any]:
        """What was pushed since the last mark."""
        items, self.stack = self.stack, self.marks.pop()
        return items

    def put(self, key: int) -> None:
        """Remembers the top of the stack."""
        value = self.stack[-1]
        if type(value) is UnbuiltArray:
            value.memo_keys.append(key)
        self.memo[key] = value

    def look_up(self, module: Any, name: Any) -> Any:
        """What stands in for a global: what the table has under its exact name, else (if there is a table) a label."""
        return look_up(self.names, module, name, self.budget)


def _set_pairs(items: list[Any], target: Any) -> None:
    if len(items) % 2:
        raise ValueError("a key without a value")
    for key, value in zip(items[::2], items[1::2], strict=True):
        set_item(target, key, value)


def _dict(m: Machine) -> None:
    items, target = m.pop_mark(), {}
    _set_pairs(items, target)
    m.stack.append(target)


def _set_item(m: Machine) -> None:
    value, key = m.stack.pop(), m.stack.pop()
    set_item(m.stack[-1], key, value)


def _set_items(m: Machine) -> None:
    items = m.pop_mark()
    _set_pairs(items, m.stack[-1])


def _add_items(m: Machine) -> None:
    items = m.pop_mark()
    add_items(m.stack[-1], items)


def _tuple(m: Machine, size: int) -> None:
    parts = tuple(m.stack[-size:])
    if len(parts) < size:
        raise IndexError(size)
    del m.stack[-size:]
    m.stack.append(parts)


def _pop(m: Machine) -> None:
    if m.stack:
        m.stack.pop()
    else:
        m.stack = m.marks.pop()


def _mark(m: Machine) -> None:
    m.marks.append(m.stack)
    m.stack = []


def _protocol(m: Machine) -> None:
    version = m.number(1)
    if version > 5:
        raise InputError(f"is a pickle of protocol {version}, newer than any known", AGAIN)


def _long(m: Machine, width: int) -> None:
    size = m.number(width)
    if size > 256:
        raise refuse(f"holds an integer of {size} bytes")
    m.stack.append(int.from_bytes(m.take(size), "little", signed=True))


def _int_line(m: Machine) -> None:
    line = m.line()
    m.stack.append({b"00": False, b"01": True}[line] if line in (b"00", b"01") else int(line.removesuffix(b"L")))


def _global(m: Machine) -> None:
    module, name = m.line(), m.line()
    m.stack.append(m.look_up(module.decode(), name.decode()))


def _stack_global(m: Machine) -> None:
    name, module = m.stack.pop(), m.stack.pop()
    m.stack.append(m.look_up(module, name))


def _call(m: Machine) -> None:
    """REDUCE and NEWOBJ: a function of the table on a tuple."""
    arguments, function = m.stack.pop(), m.stack.pop()
    if type(arguments) is not tuple or len(arguments) > _MAX_ARGUMENTS or not callable(function):
        raise refuse(f"calls a {type(function).__name__}")
    m.budget.spend(20 + sum(len(item) for item in arguments if type(item) in (list, tuple, dict)))
    m.stack.append(function(*arguments))


def _build(m: Machine) -> None:
    state = m.stack.pop()
    target = m.stack[-1]
    m.budget.spend(20)
    m.stack[-1] = built = build(target, state)
    if type(target) is UnbuiltArray:
        m.memo.update(dict.fromkeys(target.memo_keys, built))
        target.memo_keys.clear()  # a second BUILD of the same has nothing to replace


def _persistent(m: Machine) -> None:
    if m.persistent is None:
        if m.stack and type(m.stack[-1]) is tuple and m.stack[-1][:1] == ("storage",):
            what = "is the data.pkl of an unpacked torch archive, whose numbers lie in other files"
            raise InputError(what, "pass the folder that it lies in, or the .pt it came from")
        raise refuse("refers to objects outside of itself")
    m.budget.spend(20)
    m.stack.append(m.persistent(m.stack.pop()))


def _pusher(read: Callable[[Machine], Any]) -> Callable[[Machine], None]:
    def push(m: Machine) -> None:
        value = read(m)  # may change which list is the stack
        m.stack.append(value)

    return push


_STOP = ord(".")
_ACTIONS: dict[int, Callable[[Machine], object]] = {
    0x80: _protocol,
    0x95: lambda m: m.take(8),  # FRAME: the length of a buffer we do not need
    ord("("): _mark,
    ord("0"): _pop,
    ord("1"): Machine.pop_mark,
    ord("2"): lambda m: m.stack.append(m.stack[-1]),
    ord("N"): lambda m: m.stack.append(None),
    0x88: lambda m: m.stack.append(True),
    0x89: lambda m: m.stack.append(False),
    ord("J"): _pusher(lambda m: struct.unpack("<i", m.take(4))[0]),
    ord("K"): _pusher(lambda m: m.number(1)),
    ord("M"): _pusher(lambda m: m.number(2)),
    ord("G"): _pusher(lambda m: struct.unpack(">d", m.take(8))[0]),
    0x8A: lambda m: _long(m, 1),
    0x8B: lambda m: _long(m, 4),
    ord("I"): _int_line,
    ord("L"): _int_line,
    ord("F"): _pusher(lambda m: float(m.line())),
    ord("V"): _pusher(lambda m: codecs.raw_unicode_escape_decode(m.line())[0]),
    0x8C: _pusher(lambda m: m.text(1)),
    ord("U"): _pusher(lambda m: m.text(1)),  # SHORT_BINSTRING: names in files of Python 2
    ord("X"): _pusher(lambda m: m.text(4)),
    0x8D: _pusher(lambda m: m.text(8)),
    ord("C"): _pusher(lambda m: m.take(m.number(1))),
    ord("B"): _pusher(lambda m: m.take(m.number(4))),
    0x8E: _pusher(lambda m: m.take(m.number(8))),
    0x96: _pusher(lambda m: m.take(m.number(8))),  # BYTEARRAY8
    ord("]"): lambda m: m.stack.append([]),
    ord("l"): _pusher(Machine.pop_mark),
    ord("a"): lambda m: extend([m.stack.pop()], m.stack[-1]),
    ord("e"): lambda m: extend(m.pop_mark(), m.stack[-1]),
    ord(")"): lambda m: m.stack.append(()),
    ord("t"): _pusher(lambda m: tuple(m.pop_mark())),
    0x85: lambda m: _tuple(m, 1),
    0x86: lambda m: _tuple(m, 2),
    0x87: lambda m: _tuple(m, 3),
    ord("}"): lambda m: m.stack.append({}),
    ord("d"): _dict,
    ord("s"): _set_item,
    ord("u"): _set_items,
    0x8F: lambda m: m.stack.append(set()),
    0x90: _add_items,
    0x91: _pusher(lambda m: small_set(m.pop_mark())),
    ord("g"): _pusher(lambda m: m.memo[int(m.line())]),
    ord("h"): _pusher(lambda m: m.memo[m.number(1)]),
    ord("j"): _pusher(lambda m: m.memo[m.number(4)]),
    ord("p"): lambda m: m.put(int(m.line())),
    ord("q"): lambda m: m.put(m.number(1)),
    ord("r"): lambda m: m.put(m.number(4)),
    0x94: lambda m: m.put(len(m.memo)),
    ord("c"): _global,
    0x93: _stack_global,
    ord("R"): _call,
    0x81: _call,
    ord("b"): _build,
    ord("Q"): _persistent,
}
_REFUSED = {ord("i"): "INST", ord("o"): "OBJ", ord("P"): "PERSID", 0x82: "EXT1", 0x83: "EXT2", 0x84: "EXT4"}
_REFUSED |= {ord("S"): "STRING", ord("T"): "BINSTRING"}
_REFUSED |= {0x92: "NEWOBJ_EX", 0x97: "NEXT_BUFFER", 0x98: "READONLY_BUFFER"}
