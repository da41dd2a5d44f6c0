"""Edits as people type them, made into one step of w."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stylegan_jax.editing import directionfile
from stylegan_jax.editing.directions import Directions, Edit, Vector, parse_edit
from stylegan_jax.editing.finding import mapping_sha256
from stylegan_jax.errors import InputError, shown
from stylegan_jax.storage.checkpoint import Model


class Step(NamedTuple):
    """All edits together: what they add to w in each layer, and a line for each that was found in another W."""

    vector: Vector
    warnings: list[str]


def step_of(texts: Sequence[str], files: Sequence[str | Path], model: Model) -> Step | None:
    """The step of edits such as `sefa0=2.5:0-3`; None where there are none.

    Args:
      texts: as `parse_edit` reads them; a name is that of a direction in one of the files, or a file of one direction.
      files: of directions.
      model: in whose W they are made.

    Raises InputError for what is no edit, and for directions that are not there or of another shape.
    """
    if not texts:
        return None
    edits, config = [parse_edit(text) for text in texts], model.config.generator
    known = [directionfile.read(file, num_ws=config.num_ws, w_dim=config.w_dim) for file in files]
    chosen = [_directions_of(edit, known, model) for edit in edits]
    steps = [found.edit(name, edit.strength, edit.layers) for edit, (found, name) in zip(edits, chosen, strict=True)]
    own, warnings = mapping_sha256(model), []
    for edit, (found, _) in zip(edits, chosen, strict=True):
        if found.card.get("mapping_sha256", own) != own:
            other = shown(str(found.card.get("model")))
            warnings.append(
                f"{edit.name}: found in the w of {other}, another mapping network: it may mean nothing here"
            )
    return Step(np.stack(steps).sum(0), warnings)


def _directions_of(edit: Edit, known: Sequence[Directions], model: Model) -> tuple[Directions, str]:
    """The directions among which an edit's is, and its name there."""
    for found in known:
        if edit.name in found.names:
            return found, edit.name
    if Path(edit.name).is_file():
        config = model.config.generator
        found = directionfile.read(edit.name, num_ws=config.num_ws, w_dim=config.w_dim)
        if len(found.names) > 1:
            what, names = f"holds {len(found.names)} directions", ", ".join(map(shown, found.names[:4]))
            raise InputError(
                what, f"pass --directions {edit.name} and name one: {names}, …", file=f"--edit {edit.name}"
            )
        return found, str(next(iter(found.names)))
    names = [name for found in known for name in found.names]
    remedy = (
        f"use {', '.join(map(shown, names[:12]))}" if names else "pass --directions FILE, or a file of one direction"
    )
    raise InputError("no such direction", remedy, file=f"--edit {shown(edit.name)}")
