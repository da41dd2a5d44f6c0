"""Pickle bytes → an inert tree of dicts, lists and numpy arrays; nothing in the file is executed or imported."""

from io import BufferedIOBase
from pathlib import Path
from typing import Any

from convert.pickles import torch_file
from convert.pickles.allowed import GLOBALS, Budget, Instance, Storage, refuse, unknown_global
from convert.pickles.interpreter import Machine, Names
from convert.pickles.opaque import CONTAINERS, OpaqueClass, ScriptedNames


def load(
    data: memoryview, file: BufferedIOBase | None = None, budget: Budget | None = None, *, scripted: bool = False
) -> Any:
    """The tree of a pickle, of an older torch file, or (given its open `file`) of a torch zip archive.

    Arrays are views of `data`, which must outlive them. Objects of classes become `Instance`s: name and state. Raises
    InputError, whatever the bytes, unless they are intact and call nothing but what `allowed.GLOBALS` and
    `opaque.CONTAINERS` have; objects of other classes are opaque, and `budget.left_aside` names them. The zip may be a
    TorchScript archive if `scripted`: the objects of its modules are `Instance`s, and its programs are not looked at.
    """
    budget = budget or Budget(len(data))
    names = _names(budget)
    if file is not None:
        chosen = ScriptedNames(names) if scripted else names
        return _checked(torch_file.load_zip(data, file, budget, names=chosen, scripted=scripted))
    if data[: len(torch_file.LEGACY_START)] == torch_file.LEGACY_START:
        return _checked(torch_file.load_stream(data, budget, names=names))
    return _checked(Machine(data, 0, names=names, budget=budget).run())


def load_folder(path: Path, budget: Budget | None = None) -> Any:
    """The tree of an unpacked torch zip archive, as `load`."""
    budget = budget or Budget()
    return _checked(torch_file.load_folder(path, budget, names=_names(budget)))


def _checked(tree: Any) -> Any:
    """The tree, unless all of it is opaque."""
    if (type(tree) is Instance and tree.opaque) or type(tree) is OpaqueClass:
        raise unknown_global(tree.module, tree.name)
    return tree


def _names(budget: Budget) -> Names:
    """The table, with the two functions whose cost depends on their argument."""

    def storage_from_bytes(data: Any) -> Storage:
        if type(data) is not memoryview:
            raise refuse("holds a tensor that is not bytes")
        storage = torch_file.load_stream(data, budget)
        if type(storage) is not Storage:
            raise refuse("holds a pickle within a pickle that is no tensor")
        return storage

    def encode(text: Any, encoding: Any) -> memoryview:
        if type(text) is not str or encoding not in ("latin1", "latin-1"):
            raise refuse("encodes text")
        budget.read_text(len(text))
        return memoryview(text.encode("latin-1"))

    return {
        **GLOBALS,
        **CONTAINERS,
        ("torch.storage", "_load_from_bytes"): storage_from_bytes,
        ("_codecs", "encode"): encode,
    }
