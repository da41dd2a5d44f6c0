"""Damages model files in many ways and reads them under an audit hook: nothing may run, and one exception is allowed.

    scripts/fuzz_unpickle [--count 100000] [--seed 0] [FILE ...]

Prints what came of it and ends with 1 if anything ran, was imported, opened or connected, if another exception than
InputError came out, or if a file took five seconds. Without files it takes the goldens.
"""

import argparse
import collections
import io
import pickletools
import random
import resource
import struct
import sys
import time
import warnings
from pathlib import Path

from convert import assembly, reading
from convert.pickles import unpickle
from stylegan_jax.errors import InputError
from tests.convert.hostile_pickles import watched

ROOT = Path(__file__).resolve().parent.parent

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


def damage(data: bytes, donor: bytes, places: list[int], rng: random.Random) -> bytes:
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
        else:
            del mutant[place : place + rng.choice((1, 4, 100, len(mutant)))]
    return bytes(mutant)


def outcome(data: bytes) -> str:
    """`model`, or the class of the exception."""
    try:
        file = io.BytesIO(data) if data[:2] == b"PK" else None
        found = reading.recognise(unpickle.load(memoryview(data), file))
        assembly.assemble(found, None, file_size=len(data))
    except InputError:
        return "InputError"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "model"


def intact(path: Path, parser: argparse.ArgumentParser) -> bytes:
    """A file's bytes, which must be a model before they are damaged."""
    try:
        data = path.read_bytes()
    except OSError as error:
        parser.error(f"{path}: {error.strerror}")
    if (found := outcome(data)) != "model":
        parser.error(f"{path}: no pickle of a model: {found}")
    return data


def main() -> int:
    """Reads the mutants and prints the account."""
    parser = argparse.ArgumentParser(
        "fuzz_unpickle", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    folders = (ROOT / "tests" / "golden", ROOT.parent / "shared" / "golden")
    files = options.files or [path for folder in folders for path in sorted(folder.rglob("*.p[kt]*"))]
    warnings.simplefilter("error")  # so that arithmetic on absurd numbers counts as an exception
    sources = [intact(path, parser) for path in files]
    places = [structure(data) for data in sources]
    rng, outcomes, slowest, events = random.Random(options.seed), collections.Counter(), 0.0, []
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    watched(events)
    for _ in range(options.count):
        index = rng.randrange(len(sources))
        mutant = damage(sources[index], rng.choice(sources), places[index], rng)
        start = time.process_time()
        outcomes[outcome(mutant)] += 1
        slowest = max(slowest, time.process_time() - start)
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"{options.count} mutants of {len(files)} files: {dict(outcomes)}")
    print(f"events {len(events)}, slowest {slowest:.2f} s, memory {memory:.0f} MiB above that of the intact files")
    for event in events[:20]:
        print(f"  {event}")
    return int(bool(events) or not set(outcomes) <= {"model", "InputError"} or slowest > 5)


if __name__ == "__main__":
    sys.exit(main())
