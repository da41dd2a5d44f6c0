"""What became of every tensor of a file: its names, what it went through, shape, dtype and hash."""

import dataclasses
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from convert.reading import RawNetworks
from stylegan_jax.storage.checkpoint import Model


@dataclass(frozen=True)
class Row:
    """One tensor of the model; `source` is its name in the file, "" if the file does not store it."""

    network: str
    target: str
    source: str
    transform: str
    shape: tuple[int, ...]
    dtype: str
    sha256: str


def rows(model: Model, raw: RawNetworks) -> list[Row]:
    """A row for every tensor of what `read_with_origins` gives; `dtype` is the file's, the hash that of the result.

    Nothing is left out: reading refuses tensors that have no place and places that have no tensor.
    """
    found = []
    for network, leaves in model.networks.items():
        before = raw.get(network)
        for name, leaf in leaves.items():
            source, transform = before.origins.get(name, (name, "")) if before else (name, "")
            dtype = str(before.tensors[name].dtype if before else leaf.dtype)
            sha256 = hashlib.sha256(np.ascontiguousarray(leaf).data).hexdigest()
            found.append(Row(network, name, source, transform, leaf.shape, dtype, sha256))
    return found


def left_aside(model: Model) -> list[Row]:
    """A row for every class of objects that lay beside the networks and were not read."""
    return [Row("", "", name, "left aside", (), "", "") for name in model.lineage.get("left_aside", ())]


def as_json(report: Iterable[Row]) -> list[dict[str, Any]]:
    """The rows as JSON data."""
    return [dataclasses.asdict(row) for row in report]


def as_table(report: Iterable[Row]) -> str:
    """The rows as a table to read, hashes cut to eight digits."""
    lines = [("network", "tensor", "from", "transform", "shape", "dtype", "sha256")]
    for row in report:
        source = "same name" if row.source == row.target else row.source or "-"
        shape = "×".join(map(str, row.shape)) or "scalar"
        lines.append((row.network, row.target, source, row.transform or "-", shape, row.dtype, row.sha256[:8]))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = (zip(line, widths, strict=True) for line in lines)
    return "\n".join("  ".join(cell.ljust(width) for cell, width in line).rstrip() for line in padded)
