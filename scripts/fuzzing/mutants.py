"""Mutants of the pieces that files are made of: bytes, JSON trees, members of zips, headers of arrays."""

import copy
import io
import json
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

WORDS = ("", "\x1b[2J\x1b]0;x\x07", "a\nerror: b", "\0", "x" * 5000, "../../etc/passwd", "/dev/zero", "é" * 300, "F64")
NUMBERS = (0, -1, 1, 2**31, 2**62, 2**64, 10**30, 10**400, 0.5, 1e308, float("inf"), float("nan"), True)
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2)
DEEP, DEEPER = "@deep@", "@deeper@"
_VALUES = (*WORDS, *NUMBERS, None, [], {})
_LONG = ([0] * 1000, DEEP, DEEPER)  # rare, because they keep the others waiting


def value(rng: random.Random) -> Any:
    """Something odd, which nothing else holds."""
    return copy.copy(rng.choice(_LONG if rng.random() < 0.02 else _VALUES))


def text(tree: Any) -> bytes:
    """A tree as JSON; the words DEEP and DEEPER become lists in lists."""
    written = json.dumps(tree)
    for word, depth in ((DEEP, 100), (DEEPER, 2000)):
        written = written.replace(f'"{word}"', "[" * depth + "]" * depth)
    return written.encode()


def tree(given: Any, rng: random.Random) -> Any:
    """A JSON tree with some of its values, keys or lengths changed."""
    given = copy.deepcopy(given)
    for _ in range(rng.choice((1, 1, 2, 5))):
        holders = list(_holders(given))
        if not holders:
            return value(rng)
        holder = rng.choice(holders)
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        action = rng.choice(("set", "set", "set", "drop", "rename", "copy", "many"))
        if not keys or action == "many":
            _lengthen(holder, rng)
            continue
        key = rng.choice(keys)
        if action == "drop":
            del holder[key]
        elif action == "rename" and isinstance(holder, dict):
            holder[rng.choice(WORDS)] = holder.pop(key)
        else:
            holder[key] = copy.deepcopy(holder[rng.choice(keys)]) if action == "copy" else value(rng)
    return given


def _lengthen(holder: dict[str, Any] | list[Any], rng: random.Random) -> None:
    """Long ones are rare, and hold numbers alone: what they cost is found by few, and keeps the others waiting."""
    count = rng.choices((3, 30, 300, 3000), (16, 8, 3, 1))[0]
    if isinstance(holder, dict):
        holder.update({f"k{i}": value(rng) if count < 100 else i for i in range(count)})
    else:
        holder.extend(range(count))


def _holders(value: Any) -> Iterator[Any]:
    level = [value] if isinstance(value, dict | list) else []
    while level:
        each = level.pop()
        yield each
        level += [part for part in (each.values() if type(each) is dict else each) if type(part) in (dict, list)]


def flipped(data: bytes, rng: random.Random) -> bytes:
    """Bytes with bits turned, pieces gone, doubled or replaced by absurd numbers."""
    mutant = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8))):
        if not mutant:
            break
        at, action = rng.randrange(len(mutant)), rng.choice(("bit", "bit", "cut", "double", "number", "end"))
        size = rng.choice((1, 2, 4, 8, 60))
        if action == "bit":
            mutant[at] ^= 1 << rng.randrange(8)
        elif action == "cut":
            del mutant[at : at + size]
        elif action == "double":
            mutant[at:at] = mutant[at : at + size]
        elif action == "number":
            mutant[at : at + 4] = struct.pack("<I", rng.choice((0, 1, 2**16, 2**31 - 1, 2**32 - 1)))
        else:
            del mutant[at:]
    return bytes(mutant)


def zipped(members: dict[str, bytes], change: Callable[[str, bytes], bytes], rng: random.Random) -> bytes:
    """A zip of members, one of them changed; sometimes with other names, packings, or a damaged directory."""
    names, file = list(members), io.BytesIO()
    chosen = rng.choice(names)
    packing = zipfile.ZIP_STORED if rng.random() < 0.7 else zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(file, "w", packing) as archive:
        for name in names:
            data = change(name, members[name]) if name == chosen else members[name]
            odd = name == chosen and rng.random() < 0.1
            info = zipfile.ZipInfo(rng.choice(WORDS[5:]) if odd else name)
            info.compress_type = rng.choice(_PACKINGS) if odd else packing
            archive.writestr(info, data)
    data = file.getvalue()
    if rng.random() < 0.3:
        at = max(0, data.rfind(b"PK\1\2"))
        data = data[:at] + flipped(data[at:], rng)
    return data


def npy(array: np.ndarray, rng: random.Random) -> bytes:
    """An array's file with another header than its own."""
    file = io.BytesIO()
    np.save(file, array)
    data = file.getvalue()
    if rng.random() < 0.3:
        return flipped(data, rng)
    descr = rng.choice(("<f4", "<f8", "<f2", ">f4", "|O", "|V9", "<U9", "|b1", "<M8[s]", "<c8", [("a", "<f4")]))
    sides = [rng.choice((*array.shape, 0, 1, -1, 2**31, 2**62)) for _ in range(rng.choice((0, 1, 2, 3, 9)))]
    header = f"{{'descr': {descr!r}, 'fortran_order': {rng.choice((True, False, 3))}, 'shape': {tuple(sides)}, }}"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header) + 1) + f"{header}\n".encode() + data[128:]


def png(note: bytes, rng: random.Random) -> bytes:
    """A PNG of one pixel whose note says this."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packed = rng.random() < 0.3
    text = b"stylegan_jax\0" + (b"\1\0\0\0" if packed else b"\0\0\0\0") + (zlib.compress(note) if packed else note)
    head = struct.pack(">2I5B", 1, 1, 8, 0, 0, 0, 0)
    pieces = [(b"IHDR", head), (b"iTXt", text), (b"IDAT", zlib.compress(b"\0\0")), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*piece) for piece in pieces)
