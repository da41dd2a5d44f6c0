"""Models on disk: an Orbax directory or one `.safetensors` file, with configuration, lineage and checksums."""

import contextlib
import hashlib
import math
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np

from stylegan_jax import names
from stylegan_jax.config import ModelConfig
from stylegan_jax.errors import InputError, remedy_of, shown, system_fault
from stylegan_jax.storage import atomic, inputs, safetensors
from stylegan_jax.storage import manifest as manifests
from stylegan_jax.storage.inputs import Budget
from stylegan_jax.storage.manifest import DAMAGED, WEIGHTS
from stylegan_jax.storage.quiet import quiet

MANIFEST = manifests.NAME
_KEY = "stylegan_jax"
_MOST_LINES, _MOST_TRIES = 200, 5
Result = TypeVar("Result")
_Reader = Callable[[Collection[str]], dict[str, np.ndarray]]


@dataclass(frozen=True, eq=False, repr=False)
class Model:
    """A model file in memory: configuration, official name → array for every network, and where it came from."""

    config: ModelConfig
    networks: dict[str, dict[str, np.ndarray]]
    lineage: dict[str, Any]
    html: ClassVar[Callable[["Model"], str] | None] = None
    """What a notebook shows; the face of the package, which can sample, sets it."""

    def __repr__(self) -> str:
        """One line: where it came from, resolution, networks with their numbers of parameters."""
        sizes = {name: sum(leaf.size for leaf in leaves.values()) for name, leaves in self.networks.items()}
        listed = ", ".join(f"{name} {size / 1e6:.1f} M" for name, size in sizes.items())
        source, (height, width) = str(self.lineage.get("source"))[:80], self.config.generator.image_size
        return f"<Model {source!r}: {width}×{height}, {listed}>"

    def _repr_html_(self) -> str | None:
        return Model.html(self) if Model.html is not None else None


def is_checkpoint(path: str | Path) -> bool:
    """Whether `path` is of our own making, by its contents; InputError if it claims so and is damaged."""
    path = atomic.standing(path)
    if path.is_dir():
        return (path / MANIFEST).is_file()
    if not path.is_file() or not path.stat().st_size or not safetensors.looks_like(path):
        return False
    metadata = safetensors.read_header(path).metadata
    return _KEY in metadata or any('"format_version"' in text[:100] for text in metadata.values())  # a damaged key


def save(model: Model, path: str | Path, *, overwrite: bool = False) -> Path:
    """Writes a model: one file if `path` ends in `.safetensors`, otherwise an Orbax directory. Returns its path.

    Raises InputError if `path` exists (unless `overwrite`); OSError if the disk is full or unwritable.
    """
    place = atomic.output_path(path, overwrite=overwrite)
    _check_layout(model.config, model.networks, path)
    leaves = {key: np.asarray(leaf) for key, leaf in names.join_networks(model.networks).items()}
    sums = {key: crc32(leaf) for key, leaf in leaves.items()}
    if place.suffix == ".safetensors":
        with atomic.new_file(path, overwrite=overwrite) as file:
            safetensors.write(file, leaves, {_KEY: manifests.text_of(model.config, model.lineage, sums, {})})
    else:
        with atomic.new_folder(path, marker=MANIFEST, beside=[WEIGHTS], overwrite=overwrite) as folder:
            _write_orbax(folder / WEIGHTS, leaves)
            (folder / MANIFEST).write_text(
                manifests.text_of(model.config, model.lineage, sums, manifests.file_sums(folder))
            )
    return place


def load(path: str | Path, *, networks: Sequence[str] | None = None, as_stored: bool = False) -> Model:
    """Reads a model that `save` wrote, or only the named `networks`, as float32 (`as_stored`: in the file's dtypes).

    Raises InputError, with all that is wrong, unless checksums, names and shapes are those of the configuration.
    """
    return _unchanged(atomic.standing(path), lambda place: _load(place, networks, as_stored=as_stored))


def _unchanged(place: Path, read: Callable[[Path], Result]) -> Result:
    """What `read` makes of a file or folder, once more if another has taken its place meanwhile."""
    for _ in range(_MOST_TRIES):
        before = atomic.identity(place)
        try:
            return read(place)
        except InputError:
            if atomic.identity(place) == before:
                raise
    return read(place)


def _load(place: Path, networks: Sequence[str] | None, *, as_stored: bool) -> Model:
    manifest, read = _open(place)
    config, wanted = manifest["config"], _select(manifest["tensors"], networks, place)
    leaves = read(wanted)
    _check_sums(leaves, wanted, place)
    found = names.split_networks(leaves)
    _check_layout(config, found, place)
    if not as_stored:
        found = {
            name: {key: leaf.astype(np.float32, copy=False) for key, leaf in leaves.items()}
            for name, leaves in found.items()
        }
    return Model(config, found, manifest["lineage"])


def fingerprint(model: Model, network: str = "G_ema") -> str:
    """SHA-256 over the names and values of one network: equal for equal weights, whatever file they come from."""
    return digest(model.networks[network])


def digest(weights: Mapping[str, np.ndarray]) -> str:
    """SHA-256 over names and values, as float32."""
    found = hashlib.sha256()
    for name, leaf in sorted(weights.items()):
        found.update(f"{name} {leaf.shape} ".encode())
        found.update(np.ascontiguousarray(leaf, np.float32).data)
    return found.hexdigest()


def contents(path: str | Path) -> tuple[ModelConfig, list[str], dict[str, Any]]:
    """Configuration, networks and lineage of a model that `save` wrote, without its weights; InputError as `load`."""
    manifest, _ = _unchanged(atomic.standing(path), _open)
    return manifest["config"], list(names.split_networks(manifest["tensors"])), manifest["lineage"]


def crc32(leaf: np.ndarray) -> int:
    """Checksum of an array's values, dtype and shape."""
    start = zlib.crc32(f"{leaf.dtype} {leaf.shape}".encode())
    return zlib.crc32(np.ascontiguousarray(leaf).reshape(-1).view(np.uint8).data, start)


def _open(path: Path) -> tuple[dict[str, Any], _Reader]:
    return _open_folder(path) if path.is_dir() else _open_file(path)


def _open_file(path: Path) -> tuple[dict[str, Any], _Reader]:
    if not safetensors.looks_like(path):
        raise InputError("is no .safetensors file", "pass it through python -m convert first", file=path)
    header = safetensors.read_header(path)
    if manifests.ENCODER in header.metadata:
        raise InputError("is an encoder, not a model", "name the model that it was trained for", file=path)
    if _KEY not in header.metadata:
        what = "holds no stylegan-jax configuration, or a damaged one"
        raise InputError(what, "pass it through python -m convert first", file=path)
    return manifests.parsed(header.metadata[_KEY], path), lambda wanted: safetensors.read(path, header, wanted)


def _open_folder(path: Path) -> tuple[dict[str, Any], _Reader]:
    if not (path / MANIFEST).is_file():
        raise InputError(f"is no checkpoint: {MANIFEST} is missing", DAMAGED, file=path)
    try:
        text = inputs.contents(path / MANIFEST, most=manifests.LARGEST).decode()
    except UnicodeDecodeError as error:
        raise InputError(f"is no checkpoint: {MANIFEST} is damaged", DAMAGED, file=path) from error
    manifest = manifests.parsed(text, path)
    return manifest, lambda wanted: _read_orbax(path, manifest, wanted)


def _read_orbax(path: Path, manifest: Mapping[str, Any], wanted: Collection[str]) -> dict[str, np.ndarray]:
    """The arrays themselves, by TensorStore: Orbax would keep a MiB of memory at each reading, and takes twice as long.

    What is read is what was checked.
    """
    budget = Budget(manifests.check_files(path, manifest["files"]))
    try:
        stored = _stored(path.absolute() / WEIGHTS, wanted)
        _check_shapes(manifest["config"], stored, wanted, budget, path)
        reading = {key: leaf.read() for key, leaf in stored.items()}
        return {key: np.asarray(leaf.result()) for key, leaf in reading.items()}
    except InputError:
        raise
    except Exception as error:  # TensorStore raises all kinds
        if (fault := system_fault(error)) is not None:
            raise InputError(f"cannot be read ({fault.strerror})", remedy_of(fault), file=path) from error
        raise InputError(f"a part is missing or damaged ({manifests.first_line(error)})", DAMAGED, file=path) from error


def _stored(place: Path, keys: Collection[str]) -> dict[str, Any]:
    """Arrays in the database that Orbax made of them, opened and not yet read; not those that are not there."""
    import tensorstore

    (database,) = place.glob("*/manifest.ocdbt")
    base = {"driver": "file", "path": f"{database.parent}/"}
    specs = {key: {"driver": "zarr3", "kvstore": {"driver": "ocdbt", "base": base, "path": f"{key}/"}} for key in keys}
    context = tensorstore.Context()
    opening = {key: tensorstore.open(spec, read=True, context=context) for key, spec in specs.items()}
    return {key: leaf.result() for key, leaf in opening.items() if not _is_absent(leaf)}


def _is_absent(opening: Any) -> bool:
    return "NOT_FOUND" in str(opening.exception() or "")


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
        raise InputError(f"holds arrays of other shapes: {lines[0]}{more}", DAMAGED, file=path)
    for key in wanted:
        leaf = stored.get(key)
        if leaf is None:
            continue
        piece, dtype = leaf.chunk_layout.read_chunk.shape or leaf.shape, leaf.dtype.numpy_dtype
        if dtype not in safetensors.DTYPES.values() or math.prod(piece) > max(math.prod(leaf.shape), 1):
            raise InputError(f"{shown(key)}: is stored in pieces {shown(piece)} of {dtype}", DAMAGED, file=path)
        budget.allocate(math.prod(leaf.shape) * dtype.itemsize, shown(key))


def _write_orbax(path: Path, leaves: dict[str, np.ndarray]) -> None:
    ocp = _orbax()
    context = ocp.Context()
    context.memory.deepcopy_host_arrays = False  # nothing changes them meanwhile
    context.array.saving.use_compression = False  # weights hardly shrink, and it doubles time and memory

    def write() -> None:
        with context:
            ocp.save(path, leaves)

    # Ctrl-C reaches the main thread alone, which then waits: Orbax would go on writing into a folder that is deleted
    with disk_errors(path), ThreadPoolExecutor(1) as writer:
        writer.submit(int).result()  # starts the thread, which is waited for only once it is known to have started
        writer.submit(write).result()


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

    quiet()
    return ocp


def check_held(held: Collection[str], wanted: Sequence[str] | None, file: object = None) -> None:
    """Raises InputError unless the networks `wanted` are among those that a file holds."""
    if missing := [network for network in wanted or () if network not in held]:
        remedy = "take a model with G_ema" if list(wanted or ()) == ["G_ema"] else "choose among its networks"
        raise InputError(f"holds {', '.join(held)}, not {', '.join(missing)}", remedy, file=file)


def _select(sums: dict[str, int], networks: Sequence[str] | None, path: Path) -> dict[str, int]:
    held = names.split_networks(sums)
    check_held(held, networks, path)
    return sums if networks is None else names.join_networks({network: held[network] for network in networks})


def _check_sums(leaves: Mapping[str, np.ndarray], sums: Mapping[str, int], path: Path) -> None:
    wrong = [key for key, leaf in leaves.items() if key in sums and crc32(leaf) != sums[key]]
    absent = [f"{key} (missing)" for key in sums if key not in leaves]
    if wrong or absent:
        raise InputError(f"checksums differ: {manifests.few(wrong + absent)}", DAMAGED, file=path)


def _check_layout(config: ModelConfig, networks: Mapping[str, Mapping[str, Any]], path: object) -> None:
    if lines := _misfits(config, networks):
        listed = "\n  ".join(lines[:_MOST_LINES])
        what = f"{len(lines)} tensors do not fit the configuration\n  {listed}\n"
        raise InputError(what, DAMAGED, file=path)


def _misfits(config: ModelConfig, networks: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """One line for every array that is not what the configuration says."""
    lines = []
    for network, leaves in networks.items():
        expected = {} if network == "D" and config.discriminator is None else names.layout_of(config, network)
        lines += [f"{network}.{line}" for line in names.differences(leaves, expected)]
    return lines
