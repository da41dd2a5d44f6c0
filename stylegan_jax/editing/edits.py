"""Edits as people type them, made into one step of w."""

import dataclasses
import sys
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
    shape = {"num_ws": model.config.generator.num_ws, "w_dim": model.config.generator.w_dim}
    known = [directionfile.read(file, **shape) for file in files if texts]
    for name in {parse_edit(text).name for text in texts}:
        if not any(name in found.names for found in known) and Path(name).is_file():
            known.append(_alone(directionfile.read(name, **shape), name))
    return step_along(texts, known, model)


def vector_of(texts: Sequence[str], files: Sequence[str | Path], model: Model) -> Vector | None:
    """What edits add to w, as `step_of`; warns on stderr of directions of another W."""
    step = step_of(texts, files, model)
    for warning in step.warnings if step else ():
        print(f"warning: {warning}", file=sys.stderr)
    return step.vector if step else None


def step_along(texts: Sequence[str], known: Sequence[Directions], model: Model) -> Step | None:
    """As `step_of`, along directions that were read: no file is opened, whatever the texts name."""
    if not texts:
        return None
    edits = [parse_edit(text) for text in texts]
    chosen = [_among(edit, known) for edit in edits]
    steps = [found.edit(edit.name, edit.strength, edit.layers) for edit, found in zip(edits, chosen, strict=True)]
    own, warnings = mapping_sha256(model), []
    for edit, found in zip(edits, chosen, strict=True):
        if found.card.get("mapping_sha256", own) != own:
            other = shown(str(found.card.get("model")))
            warnings.append(
                f"{edit.name}: found in the w of {other}, another mapping network: it may mean nothing here"
            )
    return Step(np.stack(steps).sum(0), warnings)


def _alone(found: Directions, file: str) -> Directions:
    """The one direction of a file, named as that; InputError where there are several."""
    if len(found.names) > 1:
        what, names = f"holds {len(found.names)} directions", ", ".join(map(shown, found.names[:4]))
        raise InputError(what, f"pass --directions {file} and name one: {names}, …", file=f"--edit {file}")
    return dataclasses.replace(found, names=(file,))


def _among(edit: Edit, known: Sequence[Directions]) -> Directions:
    """The directions among which an edit's is."""
    for found in known:
        if edit.name in found.names:
            return found
    names = [name for found in known for name in found.names]
    remedy = (
        f"use {', '.join(map(shown, names[:12]))}" if names else "pass --directions FILE, or a file of one direction"
    )
    raise InputError("no such direction", remedy, file=f"--edit {shown(edit.name)}")
