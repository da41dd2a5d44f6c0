"""Objects beside the network: the standard library's containers built inertly, all others a name that runs nothing."""

import re
import sys
from collections.abc import Mapping
from typing import Any

from convert.pickles.allowed import (
    GLOBALS,
    Budget,
    Instance,
    mapping,
    refuse,
    set_item,
    small_set,
    unknown_global,
    words,
)

_MODULE = re.compile(r"[A-Za-z_]\w{0,60}(\.\w{1,60}){0,8}", re.ASCII)
_NAME = re.compile(r"[A-Za-z_]\w{0,80}(\.\w{1,80}){0,3}", re.ASCII)
_CLASS = re.compile(r"_*[A-Z]\w*(\.\w+)?", re.ASCII)
_SCRIPTED = re.compile(r"__torch__(\.\w{1,60}){0,8}", re.ASCII)
_EARLIER = ("__builtin__", "copy_reg", "cPickle", "commands", "exceptions", "urllib2", "nt", "posix", "dbm", "imp")
_EXACT = frozenset({*sys.stdlib_module_names, *_EARLIER, "numpy", "torch_utils", "dnnlib"})
"""Of these a file may name only what the table knows."""
_BY_CLASS = frozenset({"torch"})
"""Of these also classes, which only hold data, but no functions."""


class OpaqueClass:
    """A class or function that a file names and that we do not have; calling it makes an object with a name alone."""

    def __init__(self, module: str, name: str):
        self.module, self.name = module, name

    def __call__(self, *arguments: Any) -> Instance:
        """An object without contents; InputError for a function."""
        if not _CLASS.fullmatch(self.name):
            raise unknown_global(self.module, self.name)  # programs that execute pickles would call a function
        return Instance(self.module, self.name, opaque=True)


def opaque(module: Any, name: Any, budget: Budget) -> OpaqueClass:
    """What stands in for a name that the table does not know; InputError where it can only be meant to do harm."""
    known = type(module) is str and type(name) is str and _MODULE.fullmatch(module) and _NAME.fullmatch(name)
    root = module.partition(".")[0] if known else ""
    if not known or root in _EXACT or (root in _BY_CLASS and not _CLASS.fullmatch(name)):
        raise unknown_global(module, name)
    budget.left_aside[f"{module}.{name}"] = None
    return OpaqueClass(module, name)


class ScriptedNames(dict[tuple[str, str], Any]):
    """A table that knows the classes of TorchScript modules too: what it makes of one is an `Instance`, with its state.

    Their names, below `__torch__`, are the file's own; the programs that go with them are other parts of the archive.
    """

    def __init__(self, names: Mapping[tuple[str, str], Any]):
        super().__init__(names)
        for kind in ("int", "double", "bool", "tensor"):
            self["torch.jit._pickle", f"build_{kind}list"] = lambda items: items
        self["torch.jit._pickle", "restore_type_tag"] = lambda value, kind: value

    def __contains__(self, key: Any) -> bool:
        module, name = key
        known = super().__contains__(key)
        return known or bool(_SCRIPTED.fullmatch(module) and _NAME.fullmatch(name))

    def __missing__(self, key: tuple[str, str]) -> Any:
        return lambda: Instance(*key)


def look_up(names: Mapping[tuple[str, str], Any], module: Any, name: Any, budget: Budget) -> Any:
    """What the table has under the exact name, else (if there is a table at all) a label."""
    if type(module) is str and type(name) is str and (module, name) in names:
        return names[module, name]
    if not names:
        raise unknown_global(module, name)
    return opaque(module, name, budget)


def _object(module: str, name: str) -> Any:
    return lambda *arguments: Instance(module, name, opaque=True)


def ordered(items: Any = ()) -> dict[Any, Any]:
    """A dictionary of pairs, as Python 2 stored an OrderedDict."""
    found: dict[Any, Any] = {}
    if type(items) not in (list, tuple):
        raise refuse(f"makes a dictionary of a {type(items).__name__}")
    for pair in items:
        if type(pair) not in (list, tuple) or len(pair) != 2:
            raise refuse("makes a dictionary of what is no pair")
        set_item(found, *pair)
    return found


def _with_default(factory: Any = None, *items: Any) -> dict[Any, Any]:
    return ordered(*items)


def _counted(counts: Any = None) -> dict[Any, Any]:
    if counts is not None and type(counts) is not dict:
        raise refuse(f"counts a {type(counts).__name__}")
    return dict(counts or {})


def _queue(items: Any = (), most: Any = None) -> list[Any]:
    if type(items) not in (list, tuple):
        raise refuse(f"makes a queue of a {type(items).__name__}")
    return list(items)


def _attribute(owner: Any = None, name: Any = None) -> OpaqueClass:
    """A static method of an opaque class, as learning-rate schedulers hold them."""
    if type(owner) is not OpaqueClass or type(name) is not str or not _NAME.fullmatch(name):
        raise unknown_global("builtins", "getattr")
    return OpaqueClass(owner.module, f"{owner.name}.{name}")


def _partial(function: Any = None, *arguments: Any) -> Instance:
    if type(function) is not OpaqueClass:
        raise unknown_global("functools", "partial")
    return Instance("functools", "partial", opaque=True)


def _reconstructed(kind: Any = None, base: Any = None, state: Any = None) -> Any:
    """An object without its state, as the oldest protocols make it."""
    if type(kind) is OpaqueClass:
        return kind()
    if kind in _PLAIN:
        return kind()
    raise unknown_global("copyreg", "_reconstructor")


def _types() -> Mapping[tuple[str, str], Any]:
    """Types that are named (as the factory of a defaultdict, say) but never called."""
    names = ("object", "list", "dict", "tuple", "str", "int", "float", "bool", "type")
    table = {(module, name): f"{module}.{name}" for module in ("builtins", "__builtin__") for name in names}
    return table | {("numpy", name): f"numpy.{name}" for name in ("float32", "float64", "float16", "int64", "int32")}


def _objects() -> Mapping[tuple[str, str], Any]:
    table = {
        "datetime": ("datetime", "date", "time", "timedelta", "timezone"),
        "decimal": ("Decimal",),
        "fractions": ("Fraction",),
        "uuid": ("UUID",),
        "random": ("Random",),
        "collections": ("ChainMap", "UserDict", "UserList", "UserString"),
        "numpy.random._pickle": ("__randomstate_ctor", "__generator_ctor", "__bit_generator_ctor"),
        "torch._utils": ("_rebuild_sparse_tensor", "_rebuild_qtensor", "_rebuild_device_tensor_from_numpy"),
        "torch._tensor": ("_rebuild_from_type_v2",),
    }
    return {(module, name): _object(module, name) for module, names in table.items() for name in names}


def _namespace() -> Instance:
    return Instance("types", "SimpleNamespace")


_PLAIN = (mapping, _namespace, GLOBALS["argparse", "Namespace"])
CONTAINERS: Mapping[tuple[str, str], Any] = {
    **_types(),
    **_objects(),
    **{(module, "frozenset"): small_set for module in ("builtins", "__builtin__")},
    **{(module, "complex"): _object("builtins", "complex") for module in ("builtins", "__builtin__")},
    **{
        (module, name): _object("builtins", name)
        for module in ("builtins", "__builtin__")
        for name in ("slice", "range")
    },
    **{(module, "getattr"): _attribute for module in ("builtins", "__builtin__")},
    **{(module, "_reconstructor"): _reconstructed for module in ("copyreg", "copy_reg")},
    ("collections", "OrderedDict"): ordered,
    ("collections", "defaultdict"): _with_default,
    ("collections", "Counter"): _counted,
    ("collections", "deque"): _queue,
    ("functools", "partial"): _partial,
    ("types", "SimpleNamespace"): _namespace,
    ("pathlib", "PurePosixPath"): words,
    ("pathlib", "PureWindowsPath"): words,
    ("pathlib", "Path"): words,
}
"""Harmless containers and values of the standard library, added to the table of what models need."""
