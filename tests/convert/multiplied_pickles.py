"""Small pickles in which one thing is used a thousand times, so that walking through them would take for ever."""

import struct
import zipfile
from io import BytesIO

from tests.convert.pickle_assembler import archive, array, call, dtype, number, payload, pickled, storage, stream, text

_WEIGHT = array(dtype("f4"), b"(K\x01t", payload(bytes(4)))


def put(key: int) -> bytes:
    """Remembers the top of the stack under a number."""
    return b"r" + struct.pack("<I", key)


def get(key: int) -> bytes:
    """Pushes what was remembered."""
    return b"j" + struct.pack("<I", key)


def table(entries: dict[str, bytes]) -> bytes:
    """Pushes a dictionary of what the values push."""
    return b"}(" + b"".join(text(name) + value for name, value in entries.items()) + b"u"


def module(
    name: str, *, children: bytes = b"}", parameters: bytes = b"}", buffers: bytes = b"}", **more: bytes
) -> bytes:
    """Pushes an object of the official programs."""
    state = table({"_modules": children, "_parameters": parameters, "_buffers": buffers, **more})
    meta = table({"type": text("class"), "class_name": text(name), "state": state})
    return call("torch_utils.persistence", "_reconstruct_persistent_obj", meta + b"\x85")


def times(count: int, key: int, prefix: str = "a") -> dict[str, bytes]:
    """The remembered thing under so many names."""
    return {f"{prefix}{i}": get(key) for i in range(count)}


def official() -> dict[str, bytes]:
    """Layers and tables of parameters that many layers share."""
    leaf = module("SynthesisBlock", parameters=get(2))

    def deep(levels: int, width: int) -> bytes:
        parts = [module("SynthesisBlock") + put(10) + b"0"]
        for i in range(levels):
            parts.append(module("SynthesisBlock", children=table(times(width, 10 + i))) + put(11 + i) + b"0")
        return pickled(*parts, table({"G_ema": module("Generator", children=table(times(width, 10 + levels)))}))

    def wide(count: int, parameters: bytes) -> bytes:
        below = table({"b4": leaf, **times(count, 3)})
        return pickled(
            parameters, put(2), b"0", leaf, put(3), b"0", table({"G_ema": module("Generator", children=below)})
        )

    return {
        "1,990 layers with 500 weights in common": wide(1990, _WEIGHT + put(1) + b"0" + table(times(500, 1))),
        "1,990 layers with 100,000 absent weights in common": wide(
            1990, table({f"a{i}": b"N" for i in range(100_000)})
        ),
        "10 layers with 100,000 weights in common": wide(10, _WEIGHT + put(1) + b"0" + table(times(100_000, 1))),
        "layers of 20 layers, seven deep": deep(6, 20),
        "layers of 1,900 layers, three deep": deep(2, 1900),
        "a layer of 100,000 absent layers, 1,990 times": pickled(
            table({f"a{i}": b"N" for i in range(100_000)}),
            put(1),
            b"0",
            module("SynthesisBlock", children=get(1)),
            put(3),
            b"0",
            table({"G_ema": module("Generator", children=table(times(1990, 3)))}),
        ),
        "a number beyond float64 as a setting": pickled(
            table(
                {
                    "G_ema": module(
                        "Generator",
                        children=table(
                            {
                                "synthesis": module(
                                    "SynthesisNetwork", children=table({"b4": module("SynthesisBlock")})
                                ),
                                "mapping": module("MappingNetwork", w_avg_beta=number(10**500)),
                            }
                        ),
                    )
                }
            )
        ),
        "taps beyond float64": pickled(
            table(
                {
                    "G_ema": module(
                        "Generator",
                        children=table({"synthesis": module("S", children=table({"b4": module("SynthesisBlock")}))}),
                        _init_kwargs=table(
                            {"synthesis_kwargs": table({"resample_filter": b"(" + number(10**500) + b"l"})}
                        ),
                    )
                }
            )
        ),
    }


def tensorflow() -> dict[str, bytes]:
    """Components and variables that are one."""

    def network(variables: bytes, components: bytes = b"}") -> bytes:
        state = table({"version": b"K\x05", "variables": variables, "components": components})
        return b"cdnnlib.tflib.network\nNetwork\n)\x81" + state + b"b"

    def pairs(names: list[str], value: bytes) -> bytes:
        return b"](" + b"".join(text(name) + value + b"\x86" for name in names) + b"e"

    big = array(dtype("f4"), b"(" + number(5_000_000) + b"t", payload(bytes(20_000_000)))
    modulated = [
        f"synthesis/{1 << log}x{1 << log}/{layer}/mod_bias" for log in range(2, 11) for layer in ("Conv0_up", "Conv1")
    ]
    shared = network(pairs([f"a{i}" for i in range(50_000)], b"G" + bytes(8)))
    return {
        "1,000 components that are one, of 50,000 variables": pickled(
            shared, put(1), b"0", network(b"]", table(times(1000, 1)))
        ),
        "16 biases that are one, of 100 MB": pickled(
            big, put(1), b"0", network(pairs(modulated, get(1)), table({"mapping": network(b"]")}))
        ),
    }


def checkpoints() -> dict[str, bytes]:
    """Tables in tables, and generators in them."""
    marks = {f"p{i}.input.input": get(1) for i in range(50_000)}
    wide = call(
        "torch._utils",
        "_rebuild_tensor_v2",
        b"(" + storage(count=1_000_000) + b"K\x00" + b"(K\x01" + number(1_000_000) + b"t" + b"(K\x01K\x01t\x89}t",
    )
    mapping = {"style.1.weight": wide, "input.input": get(1), "style.1.bias": get(1)}
    numbers = struct.pack("<q", 1_000_000) + bytes(4_000_000)
    return {
        "50,000 generators in one table": pickled(_WEIGHT, put(1), b"0", table(marks)),
        "1,000 tables that hold 1,000 tables that are one": pickled(
            b"}",
            put(1),
            b"0",
            table(times(1000, 1)),
            put(2),
            b"0",
            table({f"t{i}": table(times(300, 2)) for i in range(800)}),
        ),
        "one name of 10 MB in 1,000 tables": pickled(
            _WEIGHT,
            put(1),
            b"0",
            text("x" * 10_000_000 + ".input.input"),
            put(2),
            b"0",
            b"}(" + b"".join(text(f"t{i}") + b"}" + get(2) + get(1) + b"s" for i in range(1000)) + b"u",
        ),
        "a resolution of 4,000 digits": pickled(
            _WEIGHT,
            put(1),
            b"0",
            table({f"synthesis.b{'9' * 4000}.conv1.weight": get(1), "synthesis.b4.const": get(1)}),
        ),
        "a resolution of 900 digits": pickled(
            _WEIGHT, put(1), b"0", table({f"synthesis.b{'9' * 900}.conv1.weight": get(1), "synthesis.b4.const": get(1)})
        ),
        "convs.20 of rosinality": pickled(
            _WEIGHT, put(1), b"0", table({"input.input": get(1), "convs.20.conv.weight": get(1)})
        ),
        "a mapping layer of a million inputs": stream(
            object_=b"\x80\x02" + _WEIGHT + put(1) + b"0" + table(mapping) + b".",
            keys=b"\x80\x02](" + text("0") + b"e.",
            data=numbers,
        ),
        "an array that was built a thousand times": pickled(
            call("numpy.core.multiarray", "_reconstruct", b"(cnumpy\nndarray\n(K\x00t" + payload(b"b") + b"t"),
            b"".join(put(i) for i in range(200_000)),
            b"2" * 10_000,
            (b"(K\x01(K\x01t" + dtype("f4") + b"\x89" + payload(bytes(4)) + b"tb0") * 4_000,
        ),
        "tensors without numbers and with sides of 2^62": pickled(
            array(dtype("f4"), b"(K\x00" + number(2**62) + number(2**62) + b"t", payload(b""))
        ),
    }


def overlapping() -> dict[str, bytes]:
    """Zip archives whose directory names the same bytes many times."""
    data = archive({"m/data.pkl": b"\x80\x02}.", "m/data/0": bytes(4_000_000)})
    with zipfile.ZipFile(BytesIO(data)) as opened:
        entry = opened.infolist()[1]
    start = data.index(b"PK\1\2", entry.header_offset + 4_000_000)
    end = data.index(b"PK\5\6", start)
    second = data.index(b"PK\1\2", start + 4)
    one = data[second:end]
    many = data[:end] + one * 5000
    listing = len(many) - start
    tail = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 5002, 5002, listing, start, 0)
    names = b"".join(one.replace(b"data/0", f"dat{i:03d}".encode()) for i in range(1000))
    renamed = data[:end] + names
    other = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1002, 1002, len(renamed) - start, start, 0)
    return {
        "5,000 entries that are one": many + tail,
        "1,000 names of one entry": renamed + other,
        "a directory of 4 GB": data[:end] + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 2, 2, 2**32 - 2, start, 0),
    }


CASES = {**official(), **tensorflow(), **checkpoints(), **overlapping()}
