"""Lists of name pairs between a foreign layout and the official one, and what happens to a tensor on the way."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from convert.pickles.allowed import shown
from stylegan_jax.errors import InputError

Arrays = Mapping[str, np.ndarray]
Origin = tuple[str, str]
"""A foreign name ("" for what a file does not store) and what the tensor went through."""
_MOST_SHOWN = 20
_LARGEST_BIAS = 1 << 16  # numbers; larger ones, which are no bias, are not copied


@dataclass(frozen=True)
class Transform:
    """What a tensor goes through on its way to the official layout, and (where it is needed) on its way back."""

    name: str
    there: Callable[[np.ndarray], np.ndarray]
    back: Callable[[np.ndarray], np.ndarray] | None = None


SAME = Transform("", lambda a: a, lambda a: a)
BATCHED = Transform("[0]", lambda a: a.reshape(a.shape[1:]), lambda a: a[None])
SCALAR = Transform("[0]", lambda a: a.reshape(()), lambda a: a.reshape(1))
CHANNELS = Transform("[0, :, 0, 0]", lambda a: a.reshape(a.shape[1]), lambda a: a.reshape(1, -1, 1, 1))
IMAGE = Transform("[0, 0]", lambda a: a.reshape(a.shape[2:]), lambda a: a[None, None])
TRANSPOSED = Transform("transposed", lambda a: a.T)
CONV = Transform("HWIO → OIHW", lambda a: a.transpose(3, 2, 0, 1))
FLIPPED_CONV = Transform("HWIO → OIHW, flipped", lambda a: a[::-1, ::-1].transpose(3, 2, 0, 1))
PLUS_ONE = Transform("+ 1", lambda a: a + a.dtype.type(1) if a.size < _LARGEST_BIAS else a)


@dataclass(frozen=True)
class Pair:
    """One tensor by its foreign and its official name."""

    foreign: str
    official: str
    transform: Transform = SAME


def to_official(pairs: Iterable[Pair], tensors: Arrays, network: str) -> dict[str, np.ndarray]:
    """The tensors under official names; absent ones stay absent, to be named later by what lacks them.

    Raises InputError with the foreign tensors that have no official counterpart.
    """
    found = {}
    known = set()
    for pair in pairs:
        known.add(pair.foreign)
        if pair.foreign in tensors:
            found[pair.official] = _moved(pair, tensors[pair.foreign])
    left = sorted(set(tensors) - known)
    if left:
        listed = ", ".join(f"{shown(name)} {tensors[name].shape}" for name in left[:_MOST_SHOWN])
        more = f" and {len(left) - _MOST_SHOWN} more" if len(left) > _MOST_SHOWN else ""
        what = f"{network}: {len(left)} tensors have no counterpart in the official StyleGAN2: {listed}{more}"
        raise InputError(what, "it comes from a fork that cannot be represented")
    return found


def _moved(pair: Pair, tensor: np.ndarray) -> np.ndarray:
    try:
        return pair.transform.there(tensor)
    except (ValueError, IndexError):  # of another rank: left as it is, so that its shape is shown as a misfit
        return tensor


def origins(pairs: Iterable[Pair], found: Arrays, made: Arrays) -> dict[str, Origin]:
    """Where each tensor `found` came from, and that the filters `made` from taps came from no tensor."""
    named = {pair.official: (pair.foreign, pair.transform.name) for pair in pairs if pair.official in found}
    return {**{name: ("", "from the filter's taps") for name in made if name not in found}, **named}


def from_official(pairs: Iterable[Pair], tensors: Arrays) -> dict[str, np.ndarray]:
    """The tensors under their foreign names, in the order of the pairs."""
    moved = {}
    for pair in pairs:
        if pair.official in tensors and pair.transform.back is not None:
            moved[pair.foreign] = pair.transform.back(np.asarray(tensors[pair.official]))
    return moved
