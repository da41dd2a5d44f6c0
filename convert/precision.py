"""Half precision for files: half the size, read back as float32."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from stylegan_jax.errors import InputError
from stylegan_jax.storage.checkpoint import Model

_NOTE = "half precision: "


def is_half(lineage: Mapping[str, Any]) -> bool:
    """Whether a model with this lineage was stored by halves."""
    return any(note.startswith(_NOTE) for note in lineage.get("notes", ()))


def halved(model: Model) -> Model:
    """The model with every tensor as float16 and a note of the largest relative error in its lineage.

    Raises InputError naming every tensor with a number beyond float16 (65504).
    """
    networks, overflown, worst = {}, [], 0.0
    for network, leaves in model.networks.items():
        networks[network] = {}
        for name, leaf in leaves.items():
            with np.errstate(over="ignore", under="ignore"):
                half = np.asarray(leaf).astype(np.float16)
            if not np.isfinite(half).all():
                overflown.append(f"{network}.{name} (up to {np.abs(leaf).max():.3g})")
            largest = np.abs(leaf).max(initial=0)
            worst = max(worst, float(np.abs(half.astype(np.float32) - leaf).max(initial=0) / (largest or 1)))
            networks[network][name] = half
    if overflown:
        what = f"{len(overflown)} tensors exceed half precision: {', '.join(overflown)}"
        raise InputError(what, "write the model in full precision")
    note = f"{_NOTE}errors of at most {worst:.1e} of a tensor's largest number"
    notes = [*model.lineage.get("notes", ()), note]
    return Model(model.config, networks, {**model.lineage, "notes": notes})
