"""Mutants of pickles and torch files: foreign instructions, absurd lengths, pieces of other files."""

import pickletools
import random
import struct

SNIPPETS = (
    b"cos\nsystem\n(X\x04\0\0\0truetR",
    b"\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R",
    b"c__builtin__\neval\n(X\x01\0\0\x001tR",
    b"\x82\x01",
    b"r\xff\xff\xff\x7f",
    b"\x8e\0\0\0\0\0\x01\0\0",
    b"2\x86" * 40,
    b"b",
    b"Q",
    b"(",
)
LENGTHS = (0, 1, 2**16, 2**31 - 1, 2**31, 2**32 - 1)


def structure(data: bytes) -> list[int]:
    """The positions of a file that are instructions and their arguments, and not the numbers of tensors."""
    if data[:2] == b"PK":
        start = data.index(b"\x80\x02")
        return [*range(start, start + 8000), *range(len(data) - 4000, len(data))]
    positions: list[int] = []
    for opcode, argument, position in pickletools.genops(data):
        assert position is not None, "bytes have positions"
        long = isinstance(argument, bytes) and len(argument) > 400
        positions += range(position, position + (400 if long else 12))
        if opcode.name == "STOP":
            break
    return [position for position in positions if position < len(data)]


def damaged(data: bytes, donor: bytes, places: list[int], rng: random.Random) -> bytes:
    """One mutant: flipped bits, foreign pieces, other instructions, absurd lengths, a part missing."""
    mutant = bytearray(data)
    kind = rng.choice(("bits", "bits", "opcode", "opcode", "splice", "snippet", "length", "cut"))
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        place = rng.choice(places) if rng.random() < 0.9 else rng.randrange(len(data))
        place = min(place, len(mutant) - 1)
        if kind == "bits":
            mutant[place] ^= 1 << rng.randrange(8)
        elif kind == "opcode":
            mutant[place] = rng.choice(pickletools.opcodes).code.encode("latin-1")[0]
        elif kind == "splice":
            start = rng.randrange(len(donor))
            piece = donor[start : start + rng.randrange(1, 60)]
            mutant[place : place + rng.choice((0, len(piece)))] = piece
        elif kind == "snippet":
            mutant[place:place] = rng.choice(SNIPPETS)
        elif kind == "length":
            mutant[place : place + 4] = struct.pack("<I", rng.choice(LENGTHS))
        elif mutant:
            del mutant[place : place + rng.choice((1, 4, 100, len(mutant)))]
    return bytes(mutant)
