"""What stands in for the classes and functions that a model file may name: an exact table, and nothing it can run."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ml_dtypes import bfloat16

from stylegan_jax.errors import InputError, shown
from stylegan_jax.storage import inputs

_DTYPE = re.compile(r"[<>=|]?(f[248]|[iu][1248]|b1)")
_KEYS = (str, int, bytes, bool, type(None))
_MAX_DIMENSIONS = 8
_LONGEST_KEY = 1024
AGAIN = "download or export it again"
_LIBRARIES = {
    "timm": "holds a network of timm's: a StyleGAN-XL or Projected GAN discriminator",
    "torch.nn": "holds whole torch modules instead of their tensors",
    "keras": "holds a Keras model",
    "tensorflow": "holds a TensorFlow object that is no StyleGAN network",
    "diffusers": "holds a diffusion model",
    "transformers": "holds a transformers model",
    "pytorch_lightning": "is a PyTorch Lightning checkpoint",
}


def refuse(what: str) -> InputError:
    """The error for a pickle that asks for more than data."""
    remedy = "nothing was run; no StyleGAN2 program writes this, and programs that execute pickles may be harmed by it"
    return InputError(what, remedy)


def unknown_global(module: object, name: object) -> InputError:
    """The error for a name that is not in the table; well-known libraries are called what they are."""
    asked = f"{shown(module)}.{shown(name)}"
    if what := library_of(module if type(module) is str else ""):
        return InputError(f"{what} (it asks for {asked})", "pass a StyleGAN2 file, or its state dict")
    return refuse(f"asks for {asked}")


def library_of(name: str) -> str | None:
    """What a file holds that names something of a well-known library."""
    return next((what for library, what in _LIBRARIES.items() if f"{name}.".startswith(f"{library}.")), None)


class Budget(inputs.Budget):
    """What one file may cost, whatever it says: memory, interpreted instructions and decoded text."""

    def __init__(self, size: int = 0, *, spare: int = inputs.SPARE, steps: int = 1_000_000, text: int = 1 << 26):
        super().__init__(size, spare)
        self.steps, self.text = steps, text
        self.left_aside: dict[str, None] = {}
        """Names of classes whose objects were not built."""

    def spend(self, steps: int) -> None:
        """Pays for work; InputError when the file has used up its share."""
        self.steps -= steps
        if self.steps < 0:
            raise refuse("needs far more pickle instructions than a model does")

    def read_text(self, size: int) -> None:
        """Pays for decoded text."""
        self.text -= size
        if self.text < 0:
            raise refuse("holds far more text than a model does")


@dataclass(eq=False)
class Instance:
    """An object of a class we do not have: its class by module and name, and its state.

    Of one that is `opaque` nothing is known, and whatever the file does with it is left aside.
    """

    module: str
    name: str
    state: dict[str, Any] = field(default_factory=dict)
    opaque: bool = False


@dataclass(eq=False)
class Storage:
    """A run of numbers that tensors are views of; without data while a stream is only being measured."""

    dtype: np.dtype
    size: int
    data: memoryview | None = None


class UnbuiltDtype:
    """A numpy dtype, complete once its byte order is set."""

    def __init__(self, code: Any, align: Any = False, copy: Any = True):
        if type(code) is not str or not _DTYPE.fullmatch(code):
            raise refuse(f"holds an array of type {shown(code)}")
        self.dtype = np.dtype(code)

    def build(self, state: Any) -> None:
        """Takes the byte order from numpy's state tuple; refuses fields, subarrays and objects."""
        if type(state) is not tuple or len(state) < 5 or any(part is not None for part in state[2:5]):
            raise refuse("holds a structured array")
        if state[1] not in ("<", ">", "|", "="):
            raise refuse("holds an array of unknown byte order")
        self.dtype = self.dtype.newbyteorder(state[1])


@dataclass(eq=False)
class UnbuiltArray:
    """A numpy array before its state arrives; it knows its memo entries, to be replaced in them."""

    memo_keys: list[int] = field(default_factory=list)

    def build(self, state: Any) -> np.ndarray:
        """The array of numpy's state tuple (version, shape, dtype, Fortran order, bytes)."""
        shape, dtype, fortran, data = state[-4:]
        return array(data, dtype, shape, "F" if fortran is True else "C")


def array(data: Any, dtype: Any, shape: Any, order: str = "C") -> np.ndarray:
    """A view of raw bytes as an array; refuses anything but plain numbers of exactly that size."""
    if type(dtype) is not UnbuiltDtype or type(data) is not memoryview:
        raise refuse("holds an array that is not plain numbers")
    if order not in ("C", "F"):
        raise refuse(f"holds an array of order {shown(order)}")
    if math.prod(sizes(shape)) * dtype.dtype.itemsize != len(data):
        raise InputError(f"holds an array whose shape {shown(shape)} does not fit its {len(data)} bytes", AGAIN)
    return np.frombuffer(data, dtype.dtype).reshape(shape, order=order)


def scalar(dtype: Any, data: Any) -> Any:
    """A numpy number as a Python number."""
    return array(data, dtype, ()).item()


def sizes(shape: Any) -> tuple[int, ...]:
    """`shape` as a tuple of non-negative integers; refuses anything else."""
    good = type(shape) is tuple and len(shape) <= _MAX_DIMENSIONS
    if not good or any(type(size) is not int or size < 0 for size in shape):
        raise refuse(f"holds a tensor of shape {shown(shape)}")
    return shape


def tensor(storage: Any, offset: Any, shape: Any, stride: Any, *ignored: Any) -> np.ndarray:
    """torch's strided view of a storage as an array; the view must lie inside the storage and not overlap itself."""
    if type(storage) is not Storage or storage.data is None:
        raise refuse("holds a tensor without a storage")
    (start,) = sizes((offset,))
    if len(sizes(shape)) != len(sizes(stride)):
        raise refuse("holds a tensor with more strides than dimensions")
    count = math.prod(shape)
    if count == 0:
        return np.empty(shape, storage.dtype)
    steps = [(size - 1, step) for size, step in zip(shape, stride, strict=True) if size > 1]
    last = start + sum(most * step for most, step in steps)
    if last >= storage.size or count > storage.size - start or any(step == 0 for _, step in steps):
        what = f"holds a tensor {shown(shape)} that does not lie in its storage of {storage.size} numbers"
        raise InputError(what, AGAIN)
    width = storage.dtype.itemsize
    return np.ndarray(shape, storage.dtype, storage.data, start * width, tuple(step * width for step in stride))


def parameter(data: Any, *ignored: Any) -> Any:
    """A torch parameter is its tensor."""
    return data


def persistent_object(meta: Any) -> Instance:
    """An object of the official programs: its class name and state; its source text stays text, unread."""
    if type(meta) is not dict or type(meta.get("class_name")) is not str or type(meta.get("state")) is not dict:
        raise InputError("holds an object of the official programs without class name or state", AGAIN)
    return Instance("torch_utils.persistence", meta["class_name"], meta["state"])


def mapping() -> dict[Any, Any]:
    """A dictionary of any kind."""
    return {}


def set_item(items: Any, key: Any, value: Any) -> None:
    """`items[key] = value` on a plain dict, with keys whose hash is cheap."""
    if type(items) is not dict or not _cheap(key):
        if type(items) is Instance and items.opaque:
            return
        raise refuse(f"sets an item of a {type(items).__name__} by a {type(key).__name__}")
    items[key] = value


def _cheap(key: Any) -> bool:
    """Hashing nested tuples takes exponential time, large integers can be made to collide, long texts be copied."""
    if type(key) in (str, bytes):
        return len(key) <= _LONGEST_KEY
    return type(key) in _KEYS and (type(key) is not int or key.bit_length() < 64)


def extend(new: list[Any], items: Any) -> None:
    """Appends to a plain list; to an opaque object, nothing."""
    if type(items) is list:
        items.extend(new)
    elif not (type(items) is Instance and items.opaque):
        raise refuse(f"appends to a {type(items).__name__}")


def add_items(items: Any, new: Iterable[Any]) -> None:
    """Adds to a plain set, members whose hash is cheap."""
    for item in new:
        if type(items) is not set or not _cheap(item):
            raise refuse(f"adds a {type(item).__name__} to a {type(items).__name__}")
        items.add(item)


def small_set(items: Any = ()) -> set[Any]:
    """A set of names or numbers."""
    if type(items) not in (list, tuple) or len(items) > 64:
        raise refuse(f"makes a large set, or one of a {type(items).__name__}")
    members: set[Any] = set()
    add_items(members, items)
    return members


def words(*parts: Any) -> str:
    """A path, device or the like, as its text."""
    return "/".join(shown(part) for part in parts if type(part) in (str, int))


def build(target: Any, state: Any) -> Any:
    """BUILD: the object that `target` becomes with its state; only our own stand-ins take one."""
    kind = type(target)
    if kind is UnbuiltArray:
        return target.build(state)
    if kind is UnbuiltDtype:
        target.build(state)
    elif kind is Instance and (type(state) is dict or target.opaque):
        target.state = state if type(state) is dict else {}
    elif kind is not dict or type(state) is not dict:  # a dict's attributes are notes of torch's own
        raise refuse(f"gives a state to a {kind.__name__}")
    return target


def _storages() -> Mapping[tuple[str, str], Any]:
    codes = {"Float": "<f4", "Double": "<f8", "Half": "<f2", "Long": "<i8", "Int": "<i4", "Short": "<i2"}
    codes |= {"Char": "i1", "Byte": "u1", "Bool": "?"}
    table = {("torch", f"{name}Storage"): np.dtype(code) for name, code in codes.items()}
    return table | {("torch", "BFloat16Storage"): np.dtype(bfloat16)}


def _numpy() -> Mapping[tuple[str, str], Any]:
    table: dict[tuple[str, str], Any] = {("numpy", "dtype"): UnbuiltDtype, ("numpy", "ndarray"): "numpy.ndarray"}
    for core in ("numpy.core", "numpy._core"):
        table[f"{core}.multiarray", "scalar"] = scalar
        table[f"{core}.multiarray", "_reconstruct"] = lambda *ignored: UnbuiltArray()
        table[f"{core}.numeric", "_frombuffer"] = array_from_buffer
    return table


def array_from_buffer(data: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray:
    """numpy's newer way to store an array."""
    return array(data, dtype, shape, order)


GLOBALS: Mapping[tuple[str, str], Any] = {
    ("torch_utils.persistence", "_reconstruct_persistent_obj"): persistent_object,
    ("collections", "OrderedDict"): mapping,
    ("builtins", "set"): small_set,
    ("__builtin__", "set"): small_set,
    ("__builtin__", "bytes"): lambda: memoryview(b""),
    ("dnnlib.util", "EasyDict"): mapping,
    ("dnnlib", "EasyDict"): mapping,
    ("torch._utils", "_rebuild_tensor_v2"): tensor,
    ("torch._utils", "_rebuild_parameter"): parameter,
    ("torch._utils", "_rebuild_parameter_with_state"): parameter,
    ("torch", "Size"): sizes,
    ("torch", "device"): words,
    ("pathlib", "PosixPath"): words,
    ("pathlib", "WindowsPath"): words,
    ("argparse", "Namespace"): lambda: Instance("argparse", "Namespace"),
    ("dnnlib.tflib.network", "Network"): lambda: Instance("dnnlib.tflib.network", "Network"),
    **{("torch", name): name for name in ("float32", "float16", "float64", "bfloat16", "int64", "channels_last")},
    **_storages(),
    **_numpy(),
}
"""(module, name) → an inert function of ours, or plain data."""
