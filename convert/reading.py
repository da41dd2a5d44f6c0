"""Reads any supported model file, recognised by its content."""

import contextlib
import hashlib
import mmap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np

from convert import finding, kinds, official, rosinality, state_dict, tensorflow
from convert.assembly import Found, RawNetwork, assemble, prove_config
from convert.locating import locate, naming
from convert.pickles import unpickle
from convert.pickles.allowed import Budget, shown
from stylegan_jax.config import ModelConfig
from stylegan_jax.errors import InputError
from stylegan_jax.storage import atomic, checkpoint, inputs, rundir, safetensors
from stylegan_jax.storage.checkpoint import Model

RawNetworks = Mapping[str, RawNetwork]
_READERS = (official, tensorflow, rosinality, state_dict)
_MOST_ASIDE = 50


def read(path: str | Path, *, networks: Sequence[str] | None = None, key: str | None = None) -> Model:
    """The model in any supported file or folder, or only the named `networks` of it.

    Of a checkpoint with several generators, `key` says which: the words that the error lists.

    Nothing in the file is executed. The model's `lineage` says source, SHA-256 and format. Of a training run it is the
    latest snapshot. Raises InputError, in one line that says what the file is instead, for anything that is no
    complete StyleGAN2 model.
    """
    return read_with_origins(path, networks=networks, key=key)[0]


def read_config(path: str | Path, *, networks: Sequence[str] | None = None, key: str | None = None) -> ModelConfig:
    """The configuration of a model (or of the named networks of it), proven as `read` does but without its weights.

    Raises InputError as `read`, except for what only the weights show (NaN, damaged numbers).
    """
    with local(path) as path:
        kind = kinds.sniff(path)
        if kind == kinds.RUN:
            return read_config(rundir.latest_snapshot(path), networks=networks)
        if kind == kinds.OURS:
            config, held, _ = checkpoint.contents(path)
            checkpoint.check_held(held, networks)
            return config
        if kind == kinds.TORCH_FOLDER:
            found, size = _in_folder(kinds.unpacked(Path(path)), key, networks)
            return prove_config(found, networks, file_size=size)[0]
        with inputs.open_regular(path) as file:
            found, size = _find(kind, file, Path(path), numbers=False, key=key, networks=networks)
            return prove_config(found, networks, file_size=size)[0]


def read_with_origins(
    path: str | Path, *, networks: Sequence[str] | None = None, key: str | None = None
) -> tuple[Model, RawNetworks]:
    """As `read`, and beside the model what the foreign file held of each network (nothing if it is our own)."""
    with local(path) as path:
        kind = kinds.sniff(path)
        if kind == kinds.RUN:
            return read_with_origins(rundir.latest_snapshot(path), networks=networks)
        if kind == kinds.OURS:
            return checkpoint.load(path, networks=networks), {}
        if kind == kinds.TORCH_FOLDER:
            found, size = _in_folder(kinds.unpacked(Path(path)), key, networks)
            model = assemble(found, networks, file_size=size)
            return Model(model.config, model.networks, {"source": Path(path).name, **model.lineage}), found.networks
        with inputs.open_regular(path) as file:
            found, size = _find(kind, file, Path(path), key=key, networks=networks)
            model = assemble(found, networks, file_size=size)
            file.seek(0)
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            lineage = {"source": Path(path).name, "sha256": sha256, **model.lineage}
        return Model(model.config, model.networks, lineage), found.networks


@contextlib.contextmanager
def local(path: str | Path) -> Iterator[Path]:
    """Where a path or an address lies on this machine; errors inside name it as it was given, or a file in it."""
    place = atomic.standing(locate(path))
    with naming(place, path):
        yield place


def _in_folder(path: Path, key: str | None, networks: Sequence[str] | None) -> tuple[Found, int]:
    """The networks in an unpacked torch archive, and the bytes of its files."""
    budget = Budget()
    tree, size = _folder_tree(path, budget)
    return recognise(tree, key, budget, networks), size


def _folder_tree(path: Path, budget: Budget) -> tuple[Any, int]:
    tree = unpickle.load_folder(path, budget)
    return tree, sum(file.stat().st_size for file in [path / "data.pkl", *(path / "data").glob("*")])


def tree_of(path: Path, *, scripted: bool = False) -> tuple[Any, int]:
    """What a torch file holds, whatever it is, and its size in bytes; the arrays are views of it.

    Args:
      path: of a file on this machine, or of the folder that one was unpacked into.
      scripted: read TorchScript archives too; their objects become `Instance`s, and their programs are left unread.

    Raises InputError for other kinds of files, and as `read` for what is damaged or asks for more than data.
    """
    kind = kinds.sniff(path)
    if kind == kinds.TORCH_FOLDER:
        return _folder_tree(kinds.unpacked(path), Budget())
    if kind not in (kinds.TORCH_ZIP, kinds.TORCH_STREAM, kinds.PICKLE):
        raise InputError("is no file of torch's", "pass the .pt or .pth file")
    with inputs.open_regular(path) as file:
        data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        budget = Budget(len(data))
        return unpickle.load(data, file if kind == kinds.TORCH_ZIP else None, budget, scripted=scripted), len(data)


def _find(
    kind: str,
    file: BufferedReader,
    path: Path,
    *,
    numbers: bool = True,
    key: str | None = None,
    networks: Sequence[str] | None = None,
) -> tuple[Found, int]:
    """The networks in an open file and the file's size; tensors are views of it (but copies of a `.safetensors`).

    Without `numbers`, none is read before it is used.
    """
    data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))  # unmapped with the last view of it
    if kind == kinds.SAFETENSORS:
        header = safetensors.read_header(path)
        tree: Any = safetensors.read(path, header, header.entries) if numbers else _views(data, header)
        return recognise(tree, key, networks=networks), len(data)
    budget = Budget(len(data))
    tree = unpickle.load(data, file if kind == kinds.TORCH_ZIP else None, budget)
    return recognise(tree, key, budget, networks), len(data)


def _views(data: memoryview, header: safetensors.Header) -> dict[str, np.ndarray]:
    return {
        name: np.frombuffer(data[header.data + at.begin : header.data + at.end], at.dtype).reshape(at.shape)
        for name, at in header.entries.items()
    }


@np.errstate(all="ignore")  # `assemble` names the tensors that are not finite
def recognise(
    tree: Any, key: str | None = None, budget: Budget | None = None, networks: Sequence[str] | None = None
) -> Found:
    """The networks in the tree of a file; InputError that says what it holds instead.

    Args:
      tree: of the file.
      key: which of several generators.
      budget: that the tree was read with; it knows what was left aside.
      networks: those that are wanted.
    """
    aside = [shown(name) for name in (budget.left_aside if budget else ())]
    reader = next((reader for reader in _READERS if key is None and reader.matches(tree)), None)
    found = reader.find(tree) if reader else finding.find(tree, key, networks)
    if found is None:
        raise kinds.unknown_tree(tree, aside)
    return replace(found, left_aside=aside[:_MOST_ASIDE])
