"""Writes pickles by hand: plain data, tensors as torch stores them, and calls of named functions."""

import io
import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

_STORAGES = {"float32": "FloatStorage", "float16": "HalfStorage", "float64": "DoubleStorage", "int64": "LongStorage"}


@dataclass(frozen=True)
class Global:
    """A function or class by module and name."""

    module: str
    name: str


@dataclass(eq=False)
class Call:
    """The result of calling `function` with `arguments`; the same Call twice is one object in the file."""

    function: Global
    arguments: tuple[Any, ...]


@dataclass(eq=False)
class Ordered:
    """A collections.OrderedDict."""

    items: Mapping[Any, Any]


@dataclass(frozen=True)
class PersistentId:
    """What torch writes in place of a storage."""

    parts: tuple[Any, ...]


@dataclass(frozen=True, eq=False)
class ChannelsLast:
    """A tensor [o i h w] whose numbers lie in the order [o h w i], as torch.channels_last has them."""

    array: np.ndarray


_ORDERED_DICT = Global("collections", "OrderedDict")
_TENSOR = Global("torch._utils", "_rebuild_tensor_v2")
_FROM_BYTES = Global("torch.storage", "_load_from_bytes")


class Pickler:
    """Writes one pickle to a file, straight from the arrays: each tensor's numbers are a torch stream within it.

    What is called for every value is not type-checked in tests, which would spend their time there.
    """

    def __init__(self, file: BinaryIO | io.BytesIO, *, protocol: int = 3):
        self.file, self.protocol = file, protocol
        self.memo: dict[Any, int] = {}
        self.kept: list[Call] = []  # so that no id is used twice

    def dump(self, value: Any) -> None:
        """Writes the whole pickle."""
        self.file.write(bytes([0x80, self.protocol]))
        self.save(value)
        self.file.write(b".")

    def save(self, value: Any) -> None:
        """Writes the instructions that leave `value` on the stack; TypeError for what a model file never holds."""
        if type(value) not in _WRITERS:
            raise TypeError(f"a {type(value).__name__} cannot be written")
        _WRITERS[type(value)](self, value)

    def remembered(self, key: Any) -> bool:
        """Whether `key` was written before; if so writes a reference to it."""
        if key not in self.memo:
            return False
        self.file.write(b"j" + struct.pack("<I", self.memo[key]))
        return True

    def remember(self, key: Any) -> None:
        """Gives what was just written a number."""
        self.memo[key] = len(self.memo)
        self.file.write(b"r" + struct.pack("<I", self.memo[key]))

    def save_storage(self, array: np.ndarray) -> None:
        """The numbers of a tensor; subclasses keep them elsewhere."""
        start = _stream_start(array)
        self.save(_FROM_BYTES)
        self.file.write(b"B" + struct.pack("<I", len(start) + array.nbytes) + start)
        self.file.write(raw(array))
        self.file.write(b"\x85R")


def raw(array: np.ndarray) -> memoryview:
    """The bytes of a contiguous array, not copied."""
    return array.reshape(-1).view(np.uint8).data


def storage_id(array: np.ndarray, key: str) -> PersistentId:
    """How torch refers to the numbers of an array."""
    return PersistentId(("storage", Global("torch", _STORAGES[array.dtype.name]), key, "cpu", array.size))


def _stream_start(array: np.ndarray) -> bytes:
    """The older torch file of one storage, up to its numbers."""
    system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    identity = PersistentId((*storage_id(array, "0").parts, None))
    file = io.BytesIO()
    for part in (0x1950A86A20F9469CFC6C, 1001, system, identity, ["0"]):
        Pickler(file, protocol=2).dump(part)
    return file.getvalue() + struct.pack("<q", array.size)


def _save_int(pickler: Pickler, value: int) -> None:
    if 0 <= value < 256:
        pickler.file.write(struct.pack("<cB", b"K", value))
    elif -(1 << 31) <= value < 1 << 31:
        pickler.file.write(struct.pack("<ci", b"J", value))
    else:
        size = value.bit_length() // 8 + 1
        pickler.file.write(b"\x8a" + bytes([size]) + value.to_bytes(size, "little", signed=True))


def _save_text(pickler: Pickler, value: str) -> None:
    if not pickler.remembered(value):
        data = value.encode()
        pickler.file.write(b"X" + struct.pack("<I", len(data)) + data)
        pickler.remember(value)


def _save_global(pickler: Pickler, value: Global) -> None:
    if not pickler.remembered(value):
        pickler.file.write(f"c{value.module}\n{value.name}\n".encode())
        pickler.remember(value)


def _save_tuple(pickler: Pickler, value: tuple[Any, ...]) -> None:
    pickler.file.write(b"(")
    for item in value:
        pickler.save(item)
    pickler.file.write(b"t")


def _save_list(pickler: Pickler, value: list[Any]) -> None:
    pickler.file.write(b"](")
    for item in value:
        pickler.save(item)
    pickler.file.write(b"e")


def _save_items(pickler: Pickler, value: Mapping[Any, Any]) -> None:
    pickler.file.write(b"(")
    for key, item in value.items():
        pickler.save(key)
        pickler.save(item)
    pickler.file.write(b"u")


def _save_dict(pickler: Pickler, value: dict[Any, Any]) -> None:
    pickler.file.write(b"}")
    _save_items(pickler, value)


def _save_ordered(pickler: Pickler, value: Ordered) -> None:
    pickler.save(_ORDERED_DICT)
    pickler.file.write(b")R")
    if value.items:
        _save_items(pickler, value.items)


def _save_call(pickler: Pickler, value: Call) -> None:
    if not pickler.remembered(id(value)):
        pickler.save(value.function)
        _save_tuple(pickler, value.arguments)
        pickler.file.write(b"R")
        pickler.remember(id(value))
        pickler.kept.append(value)


def _save_tensor(pickler: Pickler, value: np.ndarray) -> None:
    array = np.asarray(value, order="C")
    steps = tuple(math.prod(array.shape[axis + 1 :]) for axis in range(array.ndim))
    _save_view(pickler, array, array.shape, steps)


def _save_channels_last(pickler: Pickler, value: ChannelsLast) -> None:
    _, inner, height, width = value.array.shape
    array = np.ascontiguousarray(value.array.transpose(0, 2, 3, 1))
    _save_view(pickler, array, value.array.shape, (height * width * inner, 1, width * inner, inner))


def _save_view(pickler: Pickler, array: np.ndarray, shape: tuple[int, ...], steps: tuple[int, ...]) -> None:
    pickler.save(_TENSOR)
    pickler.file.write(b"(")
    pickler.save_storage(array)
    for part in (0, shape, steps, False, Ordered({})):
        pickler.save(part)
    pickler.file.write(b"tR")


def _save_id(pickler: Pickler, value: PersistentId) -> None:
    pickler.save(value.parts)
    pickler.file.write(b"Q")


_WRITERS: dict[Any, Callable[[Pickler, Any], object]] = {
    type(None): lambda pickler, value: pickler.file.write(b"N"),
    bool: lambda pickler, value: pickler.file.write(b"\x88" if value else b"\x89"),
    int: _save_int,
    float: lambda pickler, value: pickler.file.write(struct.pack(">cd", b"G", value)),
    str: _save_text,
    tuple: _save_tuple,
    list: _save_list,
    dict: _save_dict,
    np.ndarray: _save_tensor,
    ChannelsLast: _save_channels_last,
    Global: _save_global,
    Ordered: _save_ordered,
    Call: _save_call,
    PersistentId: _save_id,
}
