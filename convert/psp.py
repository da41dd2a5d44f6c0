"""The encoder in a file of pSp or e4e, beside the generator that `read` finds there."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from convert import finding, reading
from convert.pickles.allowed import AGAIN, Instance, shown
from stylegan_jax.errors import InputError
from stylegan_jax.names import differences
from stylegan_jax.psp import PspConfig, PspEncoder
from stylegan_jax.storage import safetensors

_MARK, _SECOND = "input_layer.0.weight", "styles.0.linear.weight"
_COUNTER = "num_batches_tracked"
_OFFSETS = {"Encoder4Editing": True, "GradualStyleEncoder": False}
_AVERAGE = "latent_avg"
_MOST_SHOWN = 3


def read_encoder(path: str | Path) -> PspEncoder:
    """The encoder of a pSp or e4e file; nothing in the file is executed.

    Raises InputError where it holds none, or one whose tensors are not those of the family's ordinary network.
    """
    with reading.local(path) as place:
        tree, size = reading.tree_of(place)
        return find(tree, size)


def find(tree: Any, size: int) -> PspEncoder:
    """The encoder in the tree of a file of `size` bytes."""
    table, outer, prefix = _table(tree)
    found = {
        name.removeprefix(prefix): leaf
        for name, leaf in table.items()
        if type(name) is str and name.startswith(prefix) and isinstance(leaf, np.ndarray)
    }
    found = {name: leaf for name, leaf in found.items() if not name.endswith(_COUNTER)}
    options = _options(outer)
    config = _config(found, options)
    lines = differences(found, config.layout())
    if lines:
        more = f" and {len(lines) - _MOST_SHOWN} more" if len(lines) > _MOST_SHOWN else ""
        raise InputError(f"its encoder is not a whole one: {'; '.join(lines[:_MOST_SHOWN])}{more}", AGAIN)
    if sum(leaf.size for leaf in found.values()) > size // 2 + 1_000_000:  # float16 at the least
        raise InputError(f"its encoder describes more numbers than {size} bytes hold", AGAIN)
    weights = {name: _float32(name, found[name]) for name in config.layout()}
    return PspEncoder(config, weights, _average(outer, options, config))


def _table(tree: Any) -> tuple[Mapping[Any, Any], tuple[Mapping[Any, Any], ...], str]:
    """The table that holds an encoder, it and those around it, and what its names begin with."""
    found = []
    for _, table, outer in finding.tables(tree):
        for name in table:
            prefix = name.removesuffix(_MARK) if type(name) is str and name.endswith(_MARK) else None
            if prefix is not None and (not prefix or prefix.endswith(".")) and f"{prefix}{_SECOND}" in table:
                found.append((table, (table, *outer), prefix))
    if len(found) != 1:
        what = f"holds {len(found)} encoders" if found else "holds no encoder of the pSp family (pSp, e4e)"
        raise InputError(what, "pass a .pt file of pSp or e4e, such as e4e_ffhq_encode.pt")
    return found[0]


def _options(tables: tuple[Mapping[Any, Any], ...]) -> Mapping[str, Any]:
    """The settings it was trained with, as a table or a namespace."""
    stored = next((table["opts"] for table in tables if "opts" in table), {})
    options = stored.state if type(stored) is Instance else stored
    return options if type(options) is dict else {}


def _config(found: Mapping[str, np.ndarray], options: Mapping[str, Any]) -> PspConfig:
    """What the tensors say of the network; a stage begins where the channels change."""
    units = _count(found, r"body\.(\d{1,3})\.res_layer\.1\.weight")
    starts = [i for i in range(units) if i == 0 or f"body.{i}.shortcut_layer.0.weight" in found]
    channels = [_channels(found, f"body.{i}.res_layer.1.weight") for i in starts]
    if len(starts) != 4:
        raise InputError(f"its encoder has {len(starts)} stages where pSp's have 4", "it comes from a fork")
    kind = options.get("encoder_type")
    if type(kind) is not str or kind not in _OFFSETS:
        what = f"its encoder is of kind {shown(kind)}" if kind is not None else "does not say what its encoder is"
        raise InputError(what, f"set opts['encoder_type'] in it to {' or '.join(_OFFSETS)}")
    lengths = [after - before for before, after in zip(starts, [*starts[1:], units], strict=True)]
    heads = _count(found, r"styles\.(\d{1,3})\.linear\.weight")
    return PspConfig(heads, tuple(channels), tuple(lengths), _OFFSETS[kind])


def _count(found: Mapping[str, np.ndarray], pattern: str) -> int:
    numbers = (re.fullmatch(pattern, name) for name in found)
    return 1 + max((int(number[1]) for number in numbers if number), default=-1)


def _channels(found: Mapping[str, np.ndarray], name: str) -> int:
    leaf = found.get(name)
    return 0 if leaf is None or not leaf.ndim else leaf.shape[0]


def _float32(name: str, leaf: np.ndarray) -> np.ndarray:
    array = safetensors.aligned(leaf.shape, np.float32)
    with np.errstate(all="ignore"):
        array[...] = leaf
    if not np.isfinite(array).all() or (name.endswith("running_var") and (array < 0).any()):
        raise InputError(f"its encoder's {name} holds what is no number or no variance", AGAIN)
    return array


def _average(tables: tuple[Mapping[Any, Any], ...], options: Mapping[str, Any], config: PspConfig) -> np.ndarray:
    """What is added to the network's ws: where the settings say nothing, whatever is stored."""
    stored = next((table[_AVERAGE] for table in tables if isinstance(table.get(_AVERAGE), np.ndarray)), None)
    said = options.get("start_from_latent_avg")
    if not (said if type(said) is bool else stored is not None):
        return np.zeros((1, config.w_dim), np.float32)
    if stored is None:
        raise InputError(f"its mean w ({_AVERAGE}) is missing", AGAIN)
    rows = stored.reshape(-1, stored.shape[-1]) if stored.ndim and stored.size else stored.reshape(0, 0)
    if rows.shape[1] != config.w_dim or len(rows) not in (1, config.num_ws):
        raise InputError(f"its mean w ({_AVERAGE}) is of shape {shown(stored.shape)}", AGAIN)
    return _float32(_AVERAGE, rows)
