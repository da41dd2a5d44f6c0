"""Inputs: regular files alone, and a bound for what reading one may cost."""

import ast
import io
import json
import os
import struct
import subprocess
import sys
import zipfile

import pytest

from stylegan_jax.errors import InputError, brief, shown
from stylegan_jax.storage import inputs
from stylegan_jax.storage.inputs import Budget
from tests.test_floors import ROOT


def odd_places(folder):
    os.mkfifo(folder / "pipe")
    (folder / "empty").touch()
    (folder / "folder").mkdir()
    (folder / "zero").symlink_to("/dev/zero")
    (folder / "loop").symlink_to("loop")
    names = ("pipe", "empty", "folder", "zero", "loop", "absent", "x" * 300, "nul\0")
    return [*(folder / name for name in names), "/dev/stdin", "/proc/kmsg", "/proc/self/mem"]


def test_what_is_no_file_with_contents_is_refused_at_once(tmp_path):
    for place in odd_places(tmp_path):
        for read in (inputs.require_regular_file, inputs.open_regular):
            with pytest.raises(InputError) as refusal:
                read(place)
            assert str(refusal.value).isprintable() and refusal.value.remedy


def test_what_the_system_makes_up_is_called_so_and_not_empty(tmp_path):
    (tmp_path / "link").symlink_to("/proc/self/environ")
    for place in ("/proc/self/environ", tmp_path / "link"):
        with pytest.raises(InputError, match="is made up by the system, not a file — save it as a file first"):
            inputs.require_regular_file(place)
    (tmp_path / "empty").touch()
    with pytest.raises(InputError, match=r"is empty \(0 bytes\)"):
        inputs.require_regular_file(tmp_path / "empty")


def test_a_small_file_is_read_and_a_large_one_refused(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    assert inputs.contents(tmp_path / "a", most=5) == b"12345"
    with pytest.raises(InputError, match="far longer"):
        inputs.contents(tmp_path / "a", most=4)


def test_a_budget_is_spent_by_all_that_is_declared():
    budget = Budget(100, spare=50)
    budget.allocate(100, "a table")
    budget.allocate(50, "another")
    with pytest.raises(InputError, match="holds a third"):
        budget.allocate(1, "a third")


@pytest.mark.parametrize(
    "text", [b"[" * 10_000_000, b"[" + b"[]," * 8_000_000 + b"0]", b"[" + b"{}," * 8_000_000 + b"0]"]
)
def test_json_that_unfolds_is_refused_before_it_is_parsed(text):
    with pytest.raises(InputError, match="JSON"):
        inputs.parsed(text, Budget(len(text)))


def test_json_nested_deeply_is_a_value_error():
    with pytest.raises(ValueError, match="deeply"):
        inputs.parsed(b"[" * 5000, Budget(5000))


def test_no_encoding_of_json_imports_anything_while_it_is_read():
    names = ("utf-8-sig", "utf-16", "utf-32", "utf-16-be", "utf-32-be", "utf-16-le", "utf-32-le")
    code = f"""
import sys
from stylegan_jax.storage import inputs
inputs.parsed(b"{{}}", inputs.Budget())
imported = []
sys.addaudithook(lambda event, arguments: imported.append(arguments[0]) if event == "import" else None)
print([inputs.parsed(text, inputs.Budget()) for text in {["{}".encode(name) for name in names]}], imported)
"""
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout == f"{[{}] * 7} []\n"


def packed(files, packing=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", packing) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return file.getvalue()


def repeated(data, times):
    """A zip whose directory names its last entry many times."""
    end = data.rindex(b"PK\5\6")
    start = int.from_bytes(data[end + 16 : end + 20], "little")
    entry = data[data.rindex(b"PK\1\2") : end]
    listing = data[start:end] + entry * times
    count = struct.unpack("<H", data[end + 10 : end + 12])[0] + times
    tail = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, min(count, 65535), min(count, 65535), len(listing), start, 0)
    return data[:start] + listing + tail


def opened(data, most=100):
    with inputs.open_zip(io.BytesIO(data), Budget(len(data)), most=most) as archive:
        return archive.namelist()


def test_zips_of_too_many_or_overlapping_files_are_refused():
    good = packed({"a": b"1" * 1000, "b": b"2" * 1000})
    assert opened(good) == ["a", "b"]
    with pytest.raises(InputError, match="overlap"):
        opened(repeated(good, 50))
    with pytest.raises(InputError, match="more than 100"):
        opened(packed({str(i): b"" for i in range(101)}))
    with pytest.raises(InputError, match="more than 100"):
        opened(repeated(good, 60_000))


def test_a_directory_that_hides_behind_another_end_is_measured_too():
    data = bytearray(repeated(packed({"a": b"1"}), 60_000))
    data[-2:] = b"\x16\0"  # a comment that looks like an end of its own
    data += struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0, 0, 0, 0, 0)
    with pytest.raises(InputError, match="more than 100"):
        opened(bytes(data))


@pytest.mark.parametrize("packing", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_files_packed_in_ways_whose_memory_nothing_bounds_are_refused(packing):
    data = packed({"a": b"1"}, packing)
    archive = inputs.open_zip(io.BytesIO(data), Budget(len(data)), most=10)
    with pytest.raises(InputError, match="unusual"):
        inputs.member(archive, archive.getinfo("a"), Budget(len(data)))


def test_a_file_in_a_zip_that_unfolds_is_refused():
    data = packed({"a": bytes(700 << 20)}, zipfile.ZIP_DEFLATED)
    archive = inputs.open_zip(io.BytesIO(data), Budget(len(data)), most=10)
    with pytest.raises(InputError, match="MiB"):
        inputs.member(archive, archive.getinfo("a"), Budget(len(data)))


def test_what_a_file_says_is_shown_in_a_few_plain_letters():
    assert shown("\x1b[2J\n") == r"\x1b[2J\n" and shown("x" * 100) == "x" * 60 + "…" and shown("größe") == "größe"
    assert shown(10**400) == "a huge number" and shown([[1]]) == "a list" and shown((2, 3)) == "(2, 3)"
    assert len(brief(list(range(10_000)))) < 100 and "\x1b" not in brief({"\x1b": 1})
    assert str(InputError("is bad", file="a\nb\x1b")) == r"a\nb\x1b: is bad"


READERS = (
    "stylegan_jax/storage",
    "stylegan_jax/pictures",
    "stylegan_jax/projection",
    "stylegan_jax/train/data",
    "convert",
    "interp/recipes.py",
)
OPENERS = {"read_text", "read_bytes", "ZipFile", "load", "loads", "safe_load"}
KNOWN = {
    ("atomic.py", "open"),  # writes
    ("inputs.py", "ZipFile"),
    ("inputs.py", "loads"),
    ("manifest.py", "open"),  # the files that were looked at just before
    ("archives.py", "open"),  # its own unfinished files
    ("archives.py", "read_bytes"),
    ("archives.py", "loads"),
    ("cache.py", "open"),
    ("cache.py", "loads"),
    ("cache.py", "read_text"),
    ("rundir.py", "open"),
    ("rundir.py", "loads"),
    ("rundir.py", "read_bytes"),
    ("naming.py", "loads"),
    ("landmarks.py", "read_text"),  # a regular file of a length that was looked at
    ("unfinished.py", "loads"),  # what it has just written as JSON
    ("imagefolder.py", "loads"),
    ("latentfiles.py", "loads"),
    ("latentfiles.py", "ZipFile"),  # writes
    ("encoding.py", "load"),  # what this process has just written
    ("remote.py", "open"),
    ("modelcache.py", "open"),
    ("modelcache.py", "loads"),
    ("modelcache.py", "read_text"),
    ("transfers.py", "open"),
    ("torch_file.py", "ZipFile"),  # writes
    ("warrays.py", "load"),  # maps what was opened as a regular file
    ("locating.py", "open"),
    ("outputs.py", "open"),  # the source, whose kind is known
}
"""(file, call): those that do not read an input; a new one belongs behind `storage.inputs`, which bounds it."""


def test_inputs_are_opened_and_parsed_in_one_place():
    found = set()
    for place in READERS:
        path = ROOT / place
        for file in [path] if path.is_file() else path.rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "open":
                    found.add((file.name, "open"))
                called = node.func if isinstance(node, ast.Call) else None
                if isinstance(called, ast.Attribute) and called.attr in OPENERS and not _is_ours(called.value):
                    found.add((file.name, called.attr))
    assert found <= KNOWN, found - KNOWN


def _is_ours(owner):
    return ast.unparse(owner).rpartition(".")[2] in ("unpickle", "checkpoint", "ocp", "picture", "budget")


def test_every_json_value_that_costs_is_counted():
    for value in ([[]] * 1000, [{}] * 1000, [{"a": 1}] * 1000, ["x"] * 1000, [1.5] * 1000, "é" * 1000):
        text = json.dumps(value, ensure_ascii=False).encode()
        budget = Budget(spare=1 << 30)
        inputs.parsed(text, budget)
        assert (1 << 30) - budget.memory > 40 * (len(value) if isinstance(value, list) else 0)
