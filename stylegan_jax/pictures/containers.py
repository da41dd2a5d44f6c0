"""The bytes of zip and tar files, made piece by piece so that a file that was cut short can be continued."""

import json
import struct
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import NamedTuple, Protocol

_TIME = (0, 33)  # 1 January 1980, the first that zip knows: equal images make equal archives
_ZIP64 = 0xFFFFFFFF
_BLOCK = 512  # bytes; tar's


class Member(NamedTuple):
    """An image in a container: where its header and its data begin, and where the next member may."""

    name: str
    header: int
    start: int
    size: int
    crc: int
    end: int
    label: int | list[float] | None


class Container(Protocol):
    """A kind of file that holds files."""

    def name(self, index: int, form: str) -> str:
        """How image number `index` is called inside."""
        ...

    def pack(self, name: str, data: bytes, stem: str, label: int | list[float] | None, at: int) -> tuple[Member, bytes]:
        """A member that begins at byte `at`, and its bytes; `stem` is its name outside."""
        ...

    def ending(self, members: Iterable[Member], at: int) -> Iterator[bytes]:
        """What follows the last member, from byte `at`."""
        ...


class Zip:
    """The official data set: stored, `00000/img00000000.png`, labels in `dataset.json` (null if there are none)."""

    def name(self, index: int, form: str) -> str:
        """See `Container`."""
        digits = f"{index:08d}"
        return f"{digits[:5]}/img{digits}.{form}"

    def pack(self, name: str, data: bytes, stem: str, label: int | list[float] | None, at: int) -> tuple[Member, bytes]:
        """See `Container`."""
        crc, encoded = zlib.crc32(data), name.encode()
        sizes = (crc, len(data), len(data), len(encoded), 0)
        header = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 0, *_TIME, *sizes) + encoded
        start = at + len(header)
        return Member(name, at, start, len(data), crc, start + len(data), label), header + data

    def ending(self, members: Iterable[Member], at: int) -> Iterator[bytes]:
        """See `Container`: `dataset.json`, then the directory, with 64-bit numbers where they are needed."""
        directory, labels, labelled = bytearray(), [], True
        count = 0
        for count, member in enumerate(members, 1):  # noqa: B007
            directory += _directory_entry(member)
            labels.append(f'["{member.name}", {member.label}]')
            labelled = labelled and member.label is not None
        text = '{"labels": [\n' + ",\n".join(labels) + "\n]}" if labels and labelled else '{"labels": null}'
        listing, packed = self.pack("dataset.json", text.encode(), "dataset", None, at)
        directory += _directory_entry(listing)
        yield packed
        yield bytes(directory)
        yield _directory_end(count + 1, len(directory), listing.end)


def _directory_entry(member: Member) -> bytes:
    name, far = member.name.encode(), member.header >= _ZIP64
    extra = struct.pack("<2HQ", 1, 8, member.header) if far else b""
    version, offset = (45, _ZIP64) if far else (20, member.header)
    sizes = (member.crc, member.size, member.size, len(name), len(extra), 0, 0, 0)
    made_by = 3 << 8 | version  # Unix, for the mode
    fixed = struct.pack("<4s6H3L5H2L", b"PK\1\2", made_by, version, 0, 0, *_TIME, *sizes, 0o644 << 16, offset)
    return fixed + name + extra


def _directory_end(count: int, size: int, at: int) -> bytes:
    small = struct.pack(
        "<4s4H2LH", b"PK\5\6", 0, 0, min(count, 0xFFFF), min(count, 0xFFFF), min(size, _ZIP64), min(at, _ZIP64), 0
    )
    if count < 0xFFFF and at + size < _ZIP64:
        return small
    large = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, at)
    return large + struct.pack("<4sLQL", b"PK\6\7", 0, at + size, 1) + small


class Tar:
    """WebDataset: `000000000.png`, and beside each a `000000000.json` with its name outside and its class."""

    def name(self, index: int, form: str) -> str:
        """See `Container`."""
        return f"{index:09d}.{form}"

    def pack(self, name: str, data: bytes, stem: str, label: int | list[float] | None, at: int) -> tuple[Member, bytes]:
        """See `Container`."""
        text = json.dumps({"name": stem, "label": label}).encode()
        packed = _tar_member(name, data) + _tar_member(f"{PurePosixPath(name).stem}.json", text)
        return Member(name, at, at + _BLOCK, len(data), zlib.crc32(data), at + len(packed), label), packed

    def ending(self, members: Iterable[Member], at: int) -> Iterator[bytes]:
        """See `Container`: two empty blocks."""
        yield bytes(2 * _BLOCK)


def _tar_member(name: str, data: bytes) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    return info.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % _BLOCK)


CONTAINERS: dict[str, Container] = {".zip": Zip(), ".tar": Tar()}
