"""Plain tables of tensors under official names (`.pt`, foreign `.safetensors`): all else follows from their shapes."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from convert.assembly import Found, RawNetwork
from stylegan_jax import names

_NAME = re.compile(r"((G|D|G_ema)\.)?((mapping|synthesis|b\d{1,4})\.)[\w.]{1,100}", re.ASCII)
ASSUMED = "no arguments are stored: no clamp, lrelu and learning-rate multiplier 0.01 are assumed"


def matches(tree: Any) -> bool:
    """Whether a tree is a table of tensors under official names, flat or one table per network."""
    flat = _flat(tree)
    return bool(flat) and all(_NAME.fullmatch(name) for name in flat)


def find(tree: Any) -> Found:
    """The networks of such a table, unproven."""
    networks = names.split_networks(_flat(tree))
    if any(name.startswith("b4.") for name in networks.get("G_ema", {})):
        networks = {"D" if name == "G_ema" else name: tensors for name, tensors in networks.items()}
    found = {name: RawNetwork({}, tensors, notes=(ASSUMED,)) for name, tensors in networks.items()}
    return Found("state dict", found)


def _flat(tree: Any) -> dict[str, np.ndarray]:
    """Names → tensors; empty if the tree is anything else."""
    if type(tree) is not dict:
        return {}
    if set(tree) <= set(names.NETWORKS):
        tree = {f"{network}.{name}": leaf for network in tree for name, leaf in _items(tree[network])}
    fine = all(type(name) is str and isinstance(leaf, np.ndarray) for name, leaf in tree.items())
    return tree if fine else {}


def _items(table: Any) -> list[tuple[Any, Any]]:
    return list(table.items()) if isinstance(table, Mapping) else [(None, None)]
