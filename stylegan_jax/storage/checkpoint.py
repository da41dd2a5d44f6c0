"""Models on disk: an Orbax directory or one `.safetensors` file, with configuration, lineage and checksums."""

import contextlib
import hashlib
import json
import math
import os
import stat
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stylegan_jax import names
from stylegan_jax.config import ModelConfig
from stylegan_jax.errors import InputError, remedy_of, shown, system_fault
from stylegan_jax.storage import atomic, inputs, safetensors, schema
from stylegan_jax.storage.inputs import Budget

FORMAT_VERSION = 1
MANIFEST = "model.json"
_WEIGHTS = "weights"
_KEY = "stylegan_jax"
_DAMAGED = "convert or download it again"
_LARGEST_MANIFEST = 16 << 20
_LARGEST_FACTS = 8 << 20  # bytes of the files in which Orbax describes the arrays
_MOST_FILES, _MOST_SHOWN, _MOST_LINES = 10_000, 8, 200
_CRC = schema.Number(0, (1 << 32) - 1, whole=True)
_LINEAGE = schema.Table(
    {
        **dict.fromkeys(("source", "sha256", "format", "made_by", "cfg", "after_training"), schema.Text()),
        **dict.fromkeys(("notes", "left_aside"), schema.ListOf(schema.Text())),
        **dict.fromkeys(("recipe", "data", "from"), schema.Table(others=schema.Anything())),
        "labels": schema.ListOf(schema.ListOf(schema.Anything(), most=2, least=2), most=1 << 16),
    },
    others=schema.Anything(),
)
_MANIFEST = schema.Table(
    {
        "format_version": schema.Number(1, FORMAT_VERSION, whole=True),
        "config": schema.Table(others=schema.Anything()),
        "lineage": _LINEAGE,
        "tensors": schema.Table(others=_CRC),
        "files": schema.Table(others=_CRC, most=_MOST_FILES),
    },
    required=("config", "lineage", "tensors", "files"),
    others=schema.Anything(),
)
_Reader = Callable[[Collection[str]], dict[str, np.ndarray]]


@dataclass(frozen=True, eq=False)
class Model:
    """A model file in memory: configuration, official name → array for every network, and where it came from."""

    config: ModelConfig
    networks: dict[str, dict[str, np.ndarray]]
    lineage: dict[str, Any]


def is_checkpoint(path: str | Path) -> bool:
    """Whether `path` is of our own making, by its contents; InputError if it claims so and is damaged."""
    path = Path(path)
    if path.is_dir():
        return (path / MANIFEST).is_file()
    return path.is_file() and safetensors.looks_like(path) and _KEY in safetensors.read_header(path).metadata


def save(model: Model, path: str | Path, *, overwrite: bool = False) -> Path:
    """Writes a model: one file if `path` ends in `.safetensors`, otherwise an Orbax directory. Returns its path.

    Raises InputError if `path` exists (unless `overwrite`); OSError if the disk is full or unwritable.
    """
    place = atomic.check_place(path, overwrite=overwrite)
    _check_layout(model.config, model.networks, path)
    leaves = {key: np.asarray(leaf) for key, leaf in names.join_networks(model.networks).items()}
    if place.suffix == ".safetensors":
        with atomic.new_file(path, overwrite=overwrite) as file:
            safetensors.write(file, leaves, {_KEY: _manifest(model, leaves)})
    else:
        with atomic.new_folder(path, marker=MANIFEST, beside=[_WEIGHTS], overwrite=overwrite) as folder:
            _write_orbax(folder / _WEIGHTS, leaves)
            (folder / MANIFEST).write_text(_manifest(model, leaves, _file_sums(folder)))
    return place


def load(path: str | Path, *, networks: Sequence[str] | None = None, as_stored: bool = False) -> Model:
    """Reads a model that `save` wrote, or only the named `networks`, as float32 (`as_stored`: in the file's dtypes).

    Raises InputError, naming every culprit, unless checksums, names and shapes are exactly those of the configuration.
    """
    place = Path(path)
    manifest, read = _open(place)
    config, wanted = manifest["config"], _select(manifest["tensors"], networks, place)
    leaves = read(wanted)
    _check_sums(leaves, wanted, place)
    found = names.split_networks(leaves)
    _check_layout(config, found, place)
    if not as_stored:
        found = {name: {key: _float32(leaf) for key, leaf in leaves.items()} for name, leaves in found.items()}
    return Model(config, found, manifest["lineage"])


def fingerprint(model: Model, network: str = "G_ema") -> str:
    """SHA-256 over the names and values of one network: equal for equal weights, whatever file they come from."""
    digest = hashlib.sha256()
    for name, leaf in sorted(model.networks[network].items()):
        digest.update(f"{name} {leaf.shape} ".encode())
        digest.update(np.ascontiguousarray(leaf, np.float32).data)
    return digest.hexdigest()


def contents(path: str | Path) -> tuple[ModelConfig, list[str], dict[str, Any]]:
    """Configuration, networks and lineage of a model that `save` wrote, without its weights; InputError as `load`."""
    manifest, _ = _open(Path(path))
    return manifest["config"], list(names.split_networks(manifest["tensors"])), manifest["lineage"]


def _manifest(model: Model, leaves: Mapping[str, np.ndarray], files: Mapping[str, int] | None = None) -> str:
    manifest = {
        "format_version": FORMAT_VERSION,
        "config": model.config.to_json(),
        "lineage": model.lineage,
        "tensors": {key: crc32(leaf) for key, leaf in leaves.items()},
        "files": files or {},
    }
    return json.dumps({**manifest, "crc32": _own_crc32(manifest)}, indent=1)


def crc32(leaf: np.ndarray) -> int:
    """Checksum of an array's values, dtype and shape."""
    start = zlib.crc32(f"{leaf.dtype} {leaf.shape}".encode())
    return zlib.crc32(np.ascontiguousarray(leaf).reshape(-1).view(np.uint8).data, start)


def _own_crc32(manifest: Mapping[str, Any]) -> int:
    return zlib.crc32(json.dumps(manifest, sort_keys=True).encode())


def _file_sums(folder: Path) -> dict[str, int]:
    """Checksums of the files that Orbax wrote: its own complaint about a damaged one takes pages."""
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file.name != MANIFEST)
    return {file.relative_to(folder).as_posix(): _file_crc32(file) for file in files}


def _file_crc32(path: Path) -> int:
    crc32 = 0
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            crc32 = zlib.crc32(chunk, crc32)
    return crc32


def _check_files(folder: Path, sums: Mapping[str, int]) -> int:
    """The bytes of the files that Orbax may open. InputError unless they are those of the manifest, and whole.

    There are no links, which may lead out of the folder. What systems leave there (.DS_Store) does not matter.
    """
    sizes: dict[str, int] = {}
    for name, status in _entries(folder):
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"holds {shown(name, 200)}, which is a link, device or pipe", "remove it", file=folder)
        if name not in sums and not name.rpartition("/")[2].startswith("."):
            raise InputError(f"holds {shown(name, 200)}, which is no part of the checkpoint", "move it away", file=folder)
        sizes[name] = status.st_size
    missing = [name for name in sums if name not in sizes]
    culprits = missing or [name for name, crc32 in sums.items() if _file_crc32(folder / name) != crc32]
    if culprits:
        raise InputError(f"parts are missing or damaged: {_few(culprits)}", _DAMAGED, file=folder)
    facts = sum(size for name, size in sizes.items() if name.rpartition("/")[2].startswith(("_", "manifest.")))
    if facts > _LARGEST_FACTS:
        raise InputError(f"describes its arrays in {facts >> 20} MiB, far more than a model's", _DAMAGED, file=folder)
    return sum(sizes.values())


def _entries(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Name and facts of all that Orbax might open in a checkpoint, but for folders; links are not followed."""
    count = 0
    for at, folders, files in os.walk(folder / _WEIGHTS):
        for name in (*files, *(name for name in folders if os.path.islink(os.path.join(at, name)))):
            count += 1
            if count > _MOST_FILES:
                raise InputError(f"holds more than {_MOST_FILES} files", _DAMAGED, file=folder)
            path = os.path.join(at, name)
            yield Path(os.path.relpath(path, folder)).as_posix(), os.lstat(path)


def _few(names: Collection[str]) -> str:
    listed = ", ".join(shown(name, 200) for name in list(names)[:_MOST_SHOWN])
    return f"{listed} and {len(names) - _MOST_SHOWN} more" if len(names) > _MOST_SHOWN else listed


def _open(path: Path) -> tuple[dict[str, Any], _Reader]:
    return _open_folder(path) if path.is_dir() else _open_file(path)


def _open_file(path: Path) -> tuple[dict[str, Any], _Reader]:
    if not safetensors.looks_like(path):
        raise InputError("is no .safetensors file", "pass it through python -m convert first", file=path)
    header = safetensors.read_header(path)
    if _KEY not in header.metadata:
        raise InputError("holds no stylegan-jax configuration", "pass it through python -m convert first", file=path)
    return _manifest_of(header.metadata[_KEY], path), lambda wanted: safetensors.read(path, header, wanted)


def _open_folder(path: Path) -> tuple[dict[str, Any], _Reader]:
    if not (path / MANIFEST).is_file():
        raise InputError(f"is no checkpoint: {MANIFEST} is missing", _DAMAGED, file=path)
    try:
        text = inputs.contents(path / MANIFEST, most=_LARGEST_MANIFEST).decode()
    except UnicodeDecodeError as error:
        raise InputError(f"is no checkpoint: {MANIFEST} is damaged", _DAMAGED, file=path) from error
    manifest = _manifest_of(text, path)
    return manifest, lambda wanted: _read_orbax(path, manifest, wanted)


def _read_orbax(path: Path, manifest: Mapping[str, Any], wanted: Collection[str]) -> dict[str, np.ndarray]:
    budget = Budget(_check_files(path, manifest["files"]))
    ocp, weights = _orbax(), path.absolute() / _WEIGHTS
    try:
        stored = ocp.metadata(weights).metadata
        _check_shapes(manifest["config"], stored, wanted, budget, path)
        tree = {
            key: np.empty(leaf.shape, leaf.dtype) if key in wanted else ocp.PLACEHOLDER for key, leaf in stored.items()
        }
        loaded = ocp.load(weights, tree)
    except InputError:
        raise
    except Exception as error:  # Orbax and TensorStore raise all kinds
        if (fault := system_fault(error)) is not None:
            raise InputError(f"cannot be read ({fault.strerror})", remedy_of(fault), file=path) from error
        raise InputError(f"a part is missing or damaged ({_first_line(error)})", _DAMAGED, file=path) from error
    return {key: loaded[key] for key in wanted if key in loaded}


def _check_shapes(
    config: ModelConfig, stored: Mapping[str, Any], wanted: Collection[str], budget: Budget, path: Path
) -> None:
    """Raises InputError before anything is loaded that is not of the configuration's shapes, or is packed.

    Arrays are stored as they are, so that all of them together are no larger than the files; TensorStore would make
    any other, and end the process where it cannot.
    """
    lines = _misfits(config, names.split_networks({key: stored[key] for key in wanted if key in stored}))
    if lines:
        more = f" and {len(lines) - 1} more" if len(lines) > 1 else ""
        raise InputError(f"holds arrays of other shapes: {lines[0]}{more}", _DAMAGED, file=path)
    for key in wanted:
        leaf = stored.get(key)
        if leaf is None:
            continue
        piece = tuple(getattr(leaf.storage_metadata, "chunk_shape", None) or leaf.shape)
        if leaf.dtype not in safetensors.DTYPES.values() or math.prod(piece) > max(math.prod(leaf.shape), 1):
            raise InputError(f"{shown(key)}: is stored in pieces {shown(piece)} of {leaf.dtype}", _DAMAGED, file=path)
        budget.allocate(math.prod(leaf.shape) * leaf.dtype.itemsize, shown(key))


def _write_orbax(path: Path, leaves: dict[str, np.ndarray]) -> None:
    ocp = _orbax()
    context = ocp.Context()
    context.memory.deepcopy_host_arrays = False  # nothing changes them meanwhile
    context.array.saving.use_compression = False  # weights hardly shrink, and it doubles time and memory
    with disk_errors(path), _silent_absl(), context:
        ocp.save(path, leaves)


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Makes an OSError of TensorStore's form of a full or failing disk, a ValueError."""
    try:
        yield
    except ValueError as error:
        if (fault := system_fault(error)) is not None:
            raise OSError(fault.errno, fault.strerror, str(path)) from error
        raise


def _orbax() -> Any:
    """Imported late: it takes seconds, and brings jax along."""
    import orbax.checkpoint.experimental.v1 as ocp

    return ocp


@contextlib.contextmanager
def _silent_absl() -> Iterator[None]:
    """Orbax logs the traceback of every thread of a failed save; the error itself is enough."""
    from absl import logging

    before = logging.get_verbosity()
    logging.set_verbosity(logging.FATAL)
    try:
        yield
    finally:
        logging.set_verbosity(before)


def _first_line(error: Exception) -> str:
    return shown((str(error).strip() or type(error).__name__).splitlines()[0], 200)


def _manifest_of(text: str, path: Path) -> dict[str, Any]:
    """The manifest, if it is whole and no newer than this program."""
    try:
        data = text.encode()
        manifest = inputs.parsed(data, Budget(len(data)))
        version = manifest["format_version"]
        if type(version) is int and FORMAT_VERSION < version < 1000:
            newer = f"has format version {version}, newer than this program's {FORMAT_VERSION}"
            raise InputError(newer, "update stylegan-jax", file=path)
        if lines := schema.faults(manifest, _MANIFEST):
            raise ValueError("; ".join(lines))
        if manifest.pop("crc32") != _own_crc32(manifest):
            raise ValueError("its checksum differs")
        lineage = _printable(manifest["lineage"])
        return {**manifest, "config": ModelConfig.from_json(manifest["config"]), "lineage": lineage}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InputError(f"its description is damaged ({_first_line(error)})", _DAMAGED, file=path) from error
    except InputError as error:
        error.file = path
        raise


def _printable(tree: Any) -> Any:
    """Lineage without characters that move a terminal's cursor; commands print it."""
    if type(tree) is dict:
        return {_printable(key): _printable(value) for key, value in tree.items()}
    if type(tree) is list:
        return [_printable(value) for value in tree]
    return ascii(tree)[1:-1] if type(tree) is str and not tree.isprintable() else tree


def _select(sums: dict[str, int], networks: Sequence[str] | None, path: Path) -> dict[str, int]:
    held = names.split_networks(sums)
    missing = [network for network in networks or () if network not in held]
    if missing:
        raise InputError(f"holds {', '.join(held)}, not {', '.join(missing)}", "choose among its networks", file=path)
    return sums if networks is None else names.join_networks({network: held[network] for network in networks})


def _check_sums(leaves: Mapping[str, np.ndarray], sums: Mapping[str, int], path: Path) -> None:
    culprits = [key for key, leaf in leaves.items() if key in sums and crc32(leaf) != sums[key]]
    absent = [f"{key} (missing)" for key in sums if key not in leaves]
    if culprits or absent:
        raise InputError(f"checksums differ: {_few(culprits + absent)}", _DAMAGED, file=path)


def _check_layout(config: ModelConfig, networks: Mapping[str, Mapping[str, Any]], path: object) -> None:
    if lines := _misfits(config, networks):
        listed = "\n  ".join(lines[:_MOST_LINES])
        what = f"{len(lines)} tensors do not fit the configuration\n  {listed}\n"
        raise InputError(what, _DAMAGED, file=path)


def _misfits(config: ModelConfig, networks: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """One line for every array that is not what the configuration says."""
    lines = []
    for network, leaves in networks.items():
        expected = {} if network == "D" and config.discriminator is None else names.layout_of(config, network)
        lines += [f"{network}.{line}" for line in names.differences(leaves, expected)]
    return lines


def _float32(leaf: np.ndarray) -> np.ndarray:
    return leaf.astype(np.float32, copy=False)
