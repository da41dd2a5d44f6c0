"""Pickles that want to do more than be read; `python -m tests.convert.hostile_pickles` reads them under watch."""

import io
import json
import struct
import sys
import time
import zipfile

from tests.convert import multiplied_pickles
from tests.convert.pickle_assembler import (
    EVIL,
    KEYS,
    OBJECT,
    archive,
    array,
    call,
    dtype,
    nested,
    number,
    payload,
    pickled,
    storage,
    stream,
    tensor,
    text,
)

ESCAPES = {
    "os.system": ("os", "system", "touch /tmp/owned"),
    "posix.system": ("posix", "system", "touch /tmp/owned"),
    "nt.system": ("nt", "system", "calc"),
    "subprocess.Popen": ("subprocess", "Popen", "true"),
    "subprocess.check_output": ("subprocess", "check_output", "true"),
    "pty.spawn": ("pty", "spawn", "/bin/sh"),
    "builtins.eval": ("builtins", "eval", "open('/tmp/owned', 'w')"),
    "builtins.exec": ("builtins", "exec", "import os; os.system('true')"),
    "builtins.compile": ("builtins", "compile", "1"),
    "builtins.open": ("builtins", "open", "/tmp/owned"),
    "builtins.__import__": ("builtins", "__import__", "antigravity"),
    "builtins.getattr": ("builtins", "getattr", "x"),
    "__builtin__.eval": ("__builtin__", "eval", "1"),
    "io.open": ("io", "open", "/tmp/owned"),
    "shutil.rmtree": ("shutil", "rmtree", "/tmp/none"),
    "socket.create_connection": ("socket", "create_connection", "x"),
    "urllib.request.urlopen": ("urllib.request", "urlopen", "http://localhost"),
    "importlib.import_module": ("importlib", "import_module", "antigravity"),
    "runpy.run_path": ("runpy", "run_path", "/tmp/x.py"),
    "ctypes.CDLL": ("ctypes", "CDLL", "libc.so.6"),
    "pickle.loads": ("pickle", "loads", "N."),
    "torch.load": ("torch", "load", "/tmp/x.pt"),
    "numpy.load": ("numpy", "load", "/tmp/x.npy"),
    "operator.methodcaller": ("operator", "methodcaller", "system"),
    "functools.partial": ("functools", "partial", "x"),
    "types.CodeType": ("types", "CodeType", "x"),
    "dotted torch._utils": ("torch._utils", "_rebuild_tensor_v2.__globals__", "x"),
    "dotted numpy.dtype": ("numpy", "dtype.__reduce__", "x"),
    "dotted OrderedDict": ("collections", "OrderedDict.__init__", "x"),
    "module in name": ("collections.OrderedDict", "__init__", "x"),
    "empty name": ("", "", "x"),
}


def escapes() -> dict[str, bytes]:
    """Every way to name and call something outside."""
    cases = {}
    for title, (module, name, argument) in ESCAPES.items():
        one = b"(" + text(argument) + b"t"
        cases[f"{title} by GLOBAL"] = pickled(call(module, name, one))
        cases[f"{title} by STACK_GLOBAL"] = pickled(text(module), text(name), b"\x93", one, b"R")
        cases[f"{title} by NEWOBJ"] = pickled(f"c{module}\n{name}\n".encode(), one, b"\x81")
    evil = b"cos\nsystem\n"
    cases |= {
        "INST": b"(" + text("true") + b"ios\nsystem\n.",
        "OBJ": b"(" + evil + text("true") + b"o.",
        "NEWOBJ_EX": pickled(evil, b")}\x92"),
        "protocol 0": b"cos\nsystem\n(S'true'\ntR.",
        "memoised global": pickled(evil, b"q\x000", b"h\x00", b"(", text("true"), b"tR"),
        "named by memoised strings": pickled(text("os"), b"\x94", text("system"), b"\x94h\x00h\x01\x93)R"),
        "extension 1": b"\x80\x02\x82\x01.",
        "extension 2": b"\x80\x02\x83\x01\x00.",
        "extension 4": b"\x80\x02\x84\x01\x00\x00\x00.",
        "persistent id": pickled(text("os.system"), b"Q"),
        "persistent id as text": b"Pos.system\n.",
        "out-of-band buffer": b"\x80\x05\x97.",
        "payload first, broken after": pickled(evil, b"(", text("true"), b"tR", b"\xff\xff\xff"),
        "valid object first, payload after": pickled(b"N0", evil, b"(", text("true"), b"tR"),
    }
    return cases


def stand_ins() -> dict[str, bytes]:
    """Attempts to use our own inert functions against us."""
    state = b"}" + text("__setstate__") + b"cos\nsystem\ns"
    plain = b"}" + text("__setstate__") + text("x") + b"s"
    meta = b"}(" + text("type") + text("class") + text("class_name") + text("X") + text("state")
    return {
        "BUILD with a hostile __setstate__": pickled(b"cargparse\nNamespace\n)\x81", state, b"b"),
        "BUILD with a plain __setstate__": pickled(b"cargparse\nNamespace\n)\x81", plain, b"b"),
        "BUILD on a function": pickled(b"ccollections\nOrderedDict\n", plain, b"b"),
        "BUILD on a string": pickled(text("x"), plain, b"b"),
        "BUILD on an object, not a dict": pickled(b"cargparse\nNamespace\n)\x81", text("x"), b"b"),
        "call of a string": pickled(text("x"), b")R"),
        "call of a dtype": pickled(b"ctorch\nFloatStorage\n)R"),
        "call of an array": pickled(array(dtype("f4"), b"(K\x01t", payload(bytes(4))), b")R"),
        "call with a list": pickled(b"ccollections\nOrderedDict\n]R"),
        "EasyDict of something": pickled(call("dnnlib.util", "EasyDict", b"(" + text("x") + b"t")),
        "object whose state is no dict": pickled(
            call("torch_utils.persistence", "_reconstruct_persistent_obj", b"(" + meta + b"Nut")
        ),
        "nested pickle": pickled(call("torch.storage", "_load_from_bytes", b"(" + payload(EVIL) + b"t")),
        "nested stream, hostile version": nested(stream(facts=(EVIL, OBJECT))),
        "nested stream, hostile facts": nested(stream(facts=(b"\x80\x02M\xe9\x03.", EVIL))),
        "nested stream, hostile object": nested(stream(object_=EVIL)),
        "nested stream, hostile keys": nested(stream(keys=EVIL)),
        "nested stream that holds a tensor": nested(tensor((4,), (1,))),
        "nested stream in a nested stream": nested(stream(object_=nested(stream()))),
        "latin-1 of bytes": pickled(call("_codecs", "encode", b"(" + payload(b"x") + text("latin1") + b"t")),
        "another codec": pickled(call("_codecs", "encode", b"(" + text("x") + text("rot13") + b"t")),
    }


def arrays() -> dict[str, bytes]:
    """Tensors and arrays that are not what they say."""
    huge = 10**6
    return {
        "tensor beyond its storage": tensor((5,), (1,)),
        "tensor that starts beyond": tensor((1,), (1,), offset=4),
        "tensor that starts before": tensor((1,), (1,), offset=-1),
        "negative stride": tensor((2,), (-1,), offset=3),
        "stride 0, 10^12 elements": tensor((huge, huge), (0, 0)),
        "overlapping rows": tensor((3, 3), (1, 1), count=5),
        "size of 2^200": tensor((2**200,), (1,)),
        "stride of 2^200": tensor((2, 2), (2**200, 1)),
        "shape without strides": tensor((2, 2), (1,)),
        "nine dimensions": tensor((1,) * 9, (1,) * 9),
        "storage of 2^60 numbers": stream(object_=b"\x80\x02" + storage(count=2**60) + b".", keys=KEYS),
        "storage of -1 numbers": stream(object_=b"\x80\x02" + storage(count=-1) + b".", keys=KEYS),
        "storage of objects": stream(object_=b"\x80\x02" + storage("ObjectStorage") + b".", keys=KEYS),
        "storage without numbers": stream(object_=b"\x80\x02" + storage() + b"."),
        "storage of another count": stream(
            object_=b"\x80\x02" + storage() + b".", keys=KEYS, data=struct.pack("<q", 5) + bytes(20)
        ),
        "object dtype": pickled(array(dtype("O8"), b"(K\x01t", payload(bytes(8)))),
        "void dtype": pickled(array(dtype("V8"), b"(K\x01t", payload(bytes(8)))),
        "dtype by comma": pickled(dtype("f4,f4")),
        "structured dtype": pickled(dtype("f4", b"(K\x03X\x01\0\0\0<N(X\x01\0\0\0at}NNNt")),
        "array larger than its bytes": pickled(array(dtype("f4"), b"(J\x00\x00\x00\x40t", payload(bytes(8)))),
        "array of a list": pickled(array(dtype("f4"), b"(K\x01t", b"](Ne")),
        "array of a negative shape": pickled(
            array(dtype("f4"), b"(J\xff\xff\xff\xffJ\xff\xff\xff\xfft", payload(b"1234"))
        ),
        "scalar of eight bytes as four": pickled(
            call("numpy.core.multiarray", "scalar", b"(" + dtype("f4") + payload(bytes(8)) + b"t")
        ),
    }


def bombs() -> dict[str, bytes]:
    """Small files that would cost much memory or time."""
    laughs = b")" + b"2\x86" * 60
    wide = b"(" + b"N" * 300_000 + b"t\x94"
    return {
        "LONG_BINPUT 2^30": b"\x80\x02]r\x00\x00\x00\x40" + b"cos\nsystem\n.",
        "the nine bytes": b"\x80\x02]r\x00\x00\x00\x08",
        "BINBYTES8 2^40": b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b".",
        "BINUNICODE8 2^63": b"\x80\x04\x8d" + struct.pack("<Q", 2**63) + b".",
        "BYTEARRAY8 2^40": b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b".",
        "FRAME 2^62": b"\x80\x04\x95" + struct.pack("<Q", 2**62) + b"N",
        "LONG4 2^31": b"\x80\x02\x8b" + struct.pack("<i", 2**31 - 1) + b".",
        "long of a megabyte": b"\x80\x02\x8b" + struct.pack("<i", 2**20) + b"\x7f" * 2**20 + b".",
        "decimal of a megabyte": b"L" + b"9" * 2**20 + b"L\n.",
        "200,000 nested lists": b"\x80\x02" + b"]" * 200_000 + b"a" * 199_999 + b"." + b"cos\n",
        "200,000 marks": b"\x80\x02" + b"(" * 200_000,
        "two million instructions": b"\x80\x02" + b"N0" * 1_000_000 + b"N.",
        "billion laughs as a key": b"\x80\x04}" + laughs + b"Ns.",
        "billion laughs in a set": b"\x80\x04\x8f(" + laughs + b"\x90.",
        "billion laughs as a shape": pickled(call("torch", "Size", laughs + b"\x85")),
        "billion laughs as a name": pickled(laughs, laughs, b"\x93"),
        "billion laughs as torch keys": stream(keys=b"\x80\x04](" + laughs + b"e."),
        "billion laughs as a version": stream(facts=(b"\x80\x04" + laughs + b".", OBJECT)),
        "billion laughs as a model": b"\x80\x04}(" + text("G_ema") + laughs + b"u.",
        "wide arguments": pickled(wide, b"0" + (b"ccollections\nOrderedDict\nh\x00R0" * 20_000), b"N"),
        "colliding integers": b"\x80\x02}("
        + b"".join(number(k * (2**61 - 1)) + b"N" for k in range(5, 60_000))
        + b"u.",
        "latin-1 many times": pickled(
            text("x" * 2_000_000),
            b"\x94\x30",
            (b"c_codecs\nencode\nh\x00X\x06\0\0\0latin1\x86R0") * 20_000,
            b"N",
        ),
        "list within itself": b"\x80\x02]q\x00h\x00a.",
    }


def zips() -> dict[str, bytes]:
    """Archives that torch did not write."""
    good = {"m/data.pkl": b"\x80\x02}.", "m/version": b"3\n"}
    whole = archive(good)
    renamed = whole.replace(b"m/version", b"m/versioX", 1)
    damaged = whole.replace(b"\x80\x02}.", b"\x80\x02].", 1)
    return {
        "local and central names differ": renamed,
        "bad CRC": damaged,
        "name twice": archive({**good, "m/versioY": b"3\n"}).replace(b"m/versioY", b"m/version"),
        "compressed bomb": archive({"m/data.pkl": bytes(20_000_000)}, compression=zipfile.ZIP_DEFLATED),
        "hostile data.pkl": archive({"m/data.pkl": EVIL}),
        "no data.pkl": archive({"m/x": b"1"}),
        "path that climbs": archive({"../../data.pkl": EVIL}),
        "20,000 entries": archive({f"{i}": b"" for i in range(20_000)}),
        "storage that is missing": archive({"m/data.pkl": b"\x80\x02" + storage() + b"."}),
        "storage that is too small": archive({"m/data.pkl": b"\x80\x02" + storage() + b".", "m/data/0": bytes(15)}),
        "storage outside": archive({"m/data.pkl": b"\x80\x02" + storage(key="../../../etc/passwd") + b"."}),
        "cut short": whole[:-10],
        "TorchScript": archive({"m/data.pkl": b"\x80\x02}.", "m/constants.pkl": b"\x80\x02}."}),
    }


CASES = {**escapes(), **stand_ins(), **arrays(), **bombs(), **zips(), **multiplied_pickles.CASES}
FORBIDDEN = ("exec", "compile", "import", "open", "socket", "subprocess", "os.", "ctypes", "shutil", "urllib", "pty")


def watched(events: list[str]) -> None:
    """From now on, notes in `events` whatever code, files and connections this process touches."""

    def hook(event: str, arguments: tuple) -> None:
        if event.startswith(FORBIDDEN):
            events.append(f"{event} {str(arguments)[:200]}")

    sys.addaudithook(hook)


def attempt(data: bytes) -> str:
    """What comes of reading a file: `model`, or the one line of the one exception there may be."""
    from convert import assembly, reading
    from convert.pickles import unpickle
    from convert.pickles.allowed import Budget
    from stylegan_jax.errors import InputError

    try:
        file = io.BytesIO(data) if data[:2] == b"PK" else None
        budget = Budget(len(data))
        found = reading.recognise(unpickle.load(memoryview(data), file, budget), budget=budget)
        assembly.assemble(found, None, file_size=len(data))
    except InputError as error:
        return str(error)
    return "model"


def main() -> None:
    """Reads every case and prints as JSON: outcome, seconds and events of each, and the memory all took."""
    import resource

    attempt(pickled(b"N"))  # imports the reader itself
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    events: list[str] = []
    watched(events)
    results = {}
    for title, data in CASES.items():
        start = time.perf_counter()
        outcome = attempt(data)
        results[title] = (outcome, time.perf_counter() - start, list(events))
        events.clear()
    memory = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    print(json.dumps({"results": results, "memory": memory}))


if __name__ == "__main__":
    main()
