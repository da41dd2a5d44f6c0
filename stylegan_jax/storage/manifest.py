"""What a checkpoint says of itself: configuration, lineage, and checksums of its arrays and of the files beside."""

import json
import os
import stat
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stylegan_jax.config import ModelConfig
from stylegan_jax.errors import InputError, shown
from stylegan_jax.storage import inputs, schema
from stylegan_jax.storage.inputs import Budget

FORMAT_VERSION = 1
NAME, WEIGHTS = "model.json", "weights"
ENCODER = "stylegan_jax_encoder"
"""Where the file of an encoder has its manifest; see `projection.encoderfile`."""
DAMAGED = "convert or download it again"
LARGEST = 16 << 20  # bytes
_LARGEST_FACTS = 8 << 20  # bytes of the files in which Orbax describes the arrays
_MOST_FILES, _MOST_SHOWN = 10_000, 8
CRC = schema.Number(0, (1 << 32) - 1, whole=True)
_MOST_LABELS = 1 << 16  # and classes, and numbers of a vector
_LABEL = schema.Either((schema.Number(0, _MOST_LABELS - 1, whole=True), schema.ListOf(schema.Number(), _MOST_LABELS)))
_COUNTED = schema.Row((_LABEL, schema.Number(1, 1 << 40, whole=True)))  # a label, and images that have it
LINEAGE = schema.Table(
    {
        **dict.fromkeys(("source", "sha256", "format", "made_by", "cfg", "after_training"), schema.Text()),
        **dict.fromkeys(("notes", "left_aside", "surgery"), schema.ListOf(schema.Text())),
        **dict.fromkeys(("recipe", "data", "from"), schema.Table(others=schema.Anything())),
        "labels": schema.ListOf(_COUNTED, most=_MOST_LABELS),
    },
    others=schema.Anything(),
)
_MANIFEST = schema.Table(
    {
        "format_version": schema.Number(1, FORMAT_VERSION, whole=True),
        "config": schema.Table(others=schema.Anything()),
        "lineage": LINEAGE,
        "tensors": schema.Table(others=CRC),
        "files": schema.Table(others=CRC, most=_MOST_FILES),
    },
    required=("config", "lineage", "tensors", "files"),
    others=schema.Anything(),
)


def text_of(
    config: ModelConfig, lineage: Mapping[str, Any], tensors: Mapping[str, int], files: Mapping[str, int]
) -> str:
    """The manifest of a model: JSON with the checksums of its arrays by key and of its files by path."""
    manifest = {
        "format_version": FORMAT_VERSION,
        "config": config.to_json(),
        "lineage": lineage,
        "tensors": tensors,
        "files": files,
    }
    return json.dumps({**manifest, "crc32": own_crc32(manifest)}, indent=1)


def own_crc32(manifest: Mapping[str, Any]) -> int:
    """Checksum of what a manifest says."""
    return zlib.crc32(json.dumps(manifest, sort_keys=True).encode())


def first_line(error: Exception) -> str:
    """What an error says, in one line."""
    return shown((str(error).strip() or type(error).__name__).splitlines()[0], 200)


@dataclass(frozen=True)
class Kind:
    """A kind of file that has a manifest: what is in it, how its configuration is read, what to do if it is damaged."""

    table: schema.Table
    newest: int
    config: Callable[[Any], Any]
    damaged: str


_MODEL = Kind(_MANIFEST, FORMAT_VERSION, ModelConfig.from_json, DAMAGED)


def parsed(text: str, path: str | Path, kind: Kind = _MODEL) -> dict[str, Any]:
    """The manifest of a file (by default a model's), if it is whole and no newer than this program; else InputError."""
    try:
        data = text.encode()
        manifest = inputs.parsed(data, Budget(len(data)))
        version = manifest["format_version"]
        if type(version) is int and kind.newest < version < 1000:
            newer = f"has format version {version}, newer than this program's {kind.newest}"
            raise InputError(newer, "update stylegan-jax", file=path)
        if lines := schema.faults(manifest, kind.table):
            raise ValueError("; ".join(lines))
        if manifest.pop("crc32") != own_crc32(manifest):
            raise ValueError("its checksum differs")
        lineage = printable(_stated(manifest["lineage"]))
        return {**manifest, "config": kind.config(manifest["config"]), "lineage": lineage}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InputError(f"its description is damaged ({first_line(error)})", kind.damaged, file=path) from error
    except InputError as error:
        error.file = path
        raise


def _stated(lineage: dict[str, Any]) -> dict[str, Any]:
    """Lineage without fields whose value is null, of those that readers know as texts, lists or tables."""
    return {key: value for key, value in lineage.items() if value is not None or key not in LINEAGE.fields}


def printable(tree: Any) -> Any:
    """Lineage without characters that move a terminal's cursor; commands print it."""
    if type(tree) is dict:
        return {printable(key): printable(value) for key, value in tree.items()}
    if type(tree) is list:
        return [printable(value) for value in tree]
    return ascii(tree)[1:-1] if type(tree) is str and not tree.isprintable() else tree


def file_sums(folder: Path) -> dict[str, int]:
    """Checksums of the files that Orbax wrote: its own complaint about a damaged one takes pages."""
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file.name != NAME)
    return {file.relative_to(folder).as_posix(): _file_crc32(file) for file in files}


def _file_crc32(path: Path) -> int:
    crc32 = 0
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            crc32 = zlib.crc32(chunk, crc32)
    return crc32


def check_files(folder: Path, sums: Mapping[str, int]) -> int:
    """The bytes of the files that Orbax may open. InputError unless they are those of the manifest, and whole.

    There are no links, which may lead out of the folder. What systems leave there (.DS_Store) does not matter.
    """
    sizes: dict[str, int] = {}
    for name, status in _entries(folder):
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"holds {shown(name, 200)}, which is a link, device or pipe", "remove it", file=folder)
        if name not in sums and not name.rpartition("/")[2].startswith("."):
            raise InputError(
                f"holds {shown(name, 200)}, which is no part of the checkpoint", "move it away", file=folder
            )
        sizes[name] = status.st_size
    missing = [name for name in sums if name not in sizes]
    wrong = missing or [name for name, crc32 in sums.items() if _file_crc32(folder / name) != crc32]
    if wrong:
        raise InputError(f"parts are missing or damaged: {few(wrong)}", DAMAGED, file=folder)
    facts = sum(size for name, size in sizes.items() if name.rpartition("/")[2].startswith(("_", "manifest.")))
    if facts > _LARGEST_FACTS:
        raise InputError(f"describes its arrays in {facts >> 20} MiB, far more than a model's", DAMAGED, file=folder)
    return sum(sizes.values())


def _entries(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Name and facts of all that Orbax might open in a checkpoint, but for folders; links are not followed."""
    count = 0
    for at, folders, files in os.walk(folder / WEIGHTS):
        for name in (*files, *(name for name in folders if os.path.islink(os.path.join(at, name)))):
            count += 1
            if count > _MOST_FILES:
                raise InputError(f"holds more than {_MOST_FILES} files", DAMAGED, file=folder)
            path = os.path.join(at, name)
            yield Path(os.path.relpath(path, folder)).as_posix(), os.lstat(path)


def few(names: Collection[str]) -> str:
    """The first of some names, and how many more there are."""
    listed = ", ".join(shown(name, 200) for name in list(names)[:_MOST_SHOWN])
    return f"{listed} and {len(names) - _MOST_SHOWN} more" if len(names) > _MOST_SHOWN else listed
