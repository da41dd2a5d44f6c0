"""Writes pickles, torch streams and archives instruction by instruction, as no honest program would."""

import io
import struct
import zipfile

OBJECT = b"\x80\x02N."
EVIL = b"\x80\x02cos\nsystem\n(X\x04\0\0\0truetR."
KEYS = b"\x80\x02](X\x01\0\0\x000e."
LITTLE_ENDIAN = b"(K\x03X\x01\0\0\0<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0t"


def text(value: str) -> bytes:
    """Pushes a string."""
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def payload(data: bytes) -> bytes:
    """Pushes bytes."""
    return b"B" + struct.pack("<I", len(data)) + data


def number(value: int) -> bytes:
    """Pushes an integer."""
    size = value.bit_length() // 8 + 1
    return b"\x8a" + bytes([size]) + value.to_bytes(size, "little", signed=True)


def call(module: str, name: str, arguments: bytes) -> bytes:
    """Calls a global with the tuple that `arguments` pushes."""
    return f"c{module}\n{name}\n".encode() + arguments + b"R"


def pickled(*instructions: bytes) -> bytes:
    """A pickle of protocol 4."""
    return b"\x80\x04" + b"".join(instructions) + b"."


def stream(*, object_: bytes = OBJECT, keys: bytes = b"\x80\x02].", facts: tuple[bytes, ...] = (), data=b"") -> bytes:
    """An older torch file, part by part."""
    magic = bytes.fromhex("80028a0a6cfc9c46f9206aa850192e")
    version, system = facts or (b"\x80\x02M\xe9\x03.", b"\x80\x02}" + text("little_endian") + b"\x88s.")
    return magic + version + system + object_ + keys + data


def nested(data: bytes) -> bytes:
    """A pickle whose tensor is the torch file `data`."""
    return pickled(call("torch.storage", "_load_from_bytes", b"(" + payload(data) + b"t"))


def storage(kind: str = "FloatStorage", key: str = "0", count: int = 4) -> bytes:
    """The persistent id of a storage."""
    return b"(" + text("storage") + f"ctorch\n{kind}\n".encode() + text(key) + text("cpu") + number(count) + b"tQ"


def tensor(shape: tuple[int, ...], stride: tuple[int, ...], offset: int = 0, count: int = 4) -> bytes:
    """A tensor on a storage of `count` float32 numbers, within an older torch file."""
    parts = [b"(" + b"".join(map(number, part)) + b"t" for part in (shape, stride)]
    arguments = b"(" + storage(count=count) + number(offset) + b"".join(parts) + b"\x89)t"
    built = b"\x80\x02" + call("torch._utils", "_rebuild_tensor_v2", arguments) + b"."
    return stream(
        object_=built, keys=b"\x80\x02](" + text("0") + b"e.", data=struct.pack("<q", count) + bytes(4 * count)
    )


def array(dtype: bytes, shape: bytes, data: bytes) -> bytes:
    """A numpy array, as an instance and its state."""
    start = call("numpy.core.multiarray", "_reconstruct", b"(cnumpy\nndarray\n(K\x00t" + payload(b"b") + b"t")
    return start + b"(K\x01" + shape + dtype + b"\x89" + data + b"tb"


def dtype(code: str, state: bytes = LITTLE_ENDIAN) -> bytes:
    """A numpy dtype and its state."""
    return call("numpy", "dtype", b"(" + text(code) + b"\x89\x88t") + state + b"b"


def archive(files: dict[str, bytes], *, compression: int = zipfile.ZIP_STORED) -> bytes:
    """A zip archive."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as writer:
        for name, data in files.items():
            writer.writestr(name, data)
    return file.getvalue()
