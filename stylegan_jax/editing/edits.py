"""Edits as people type them, made into one step: of w, of z, of the styles."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from stylegan_jax.editing import channels, directionfile
from stylegan_jax.editing.directions import SPACES, Directions, Edit, Space, Vector, parse_edit, parse_style
from stylegan_jax.editing.finding import mapping_sha256
from stylegan_jax.errors import InputError, say, shown
from stylegan_jax.sampler.stylespace import Shift
from stylegan_jax.storage.checkpoint import Model

_CALLED: dict[Space, str] = {"w": "w", "z": "z", "style": "styles"}


class Step(NamedTuple):
    """All edits together; None where they move nothing.

    Attributes:
      vector: what they add to w in each layer, after truncation.
      z: what they add to the z of every seed.
      shift: what they add to the style channels.
      warnings: a line for each that was found in another W.
    """

    vector: Vector | None = None
    z: Float[np.ndarray, " z"] | None = None
    shift: Shift | None = None
    warnings: tuple[str, ...] = ()

    @property
    def of_ws(self) -> dict[str, Any]:
        """The arguments of what is made of ws."""
        return {"step": self.vector, "shift": self.shift}

    @property
    def of_seeds(self) -> dict[str, Any]:
        """The arguments of what is made of seeds, such as `sampler.sample`."""
        return {**self.of_ws, "z_step": self.z}

    def moved(self, ws: Float[np.ndarray, "n l d"]) -> Float[np.ndarray, "n l d"]:
        """Ws with the edits of w; those of the styles are for the sampler."""
        return ws if self.vector is None else ws + self.vector


UNMOVED = Step()


def step_of(
    texts: Sequence[str],
    files: Sequence[str | Path],
    model: Model,
    *,
    styles: Sequence[str] = (),
    seeds: bool = True,
) -> Step:
    """The step of edits such as `sefa0=2.5:0-3`.

    Args:
      texts: as `parse_edit` reads them; a name is that of a direction in one of the files, or a file of one direction.
      files: of directions.
      model: in whose spaces they are made.
      styles: edits of style channels, as `parse_style` reads them.
      seeds: whether seeds are shown: ws have no z.

    Raises InputError for what is no edit, and for directions that are not there, of another shape, or of z where there
    is none.
    """
    config = model.config.generator
    known = [directionfile.read(file, config) for file in files if texts]
    for name in {parse_edit(text).name for text in texts}:
        if not any(name in found.names for found in known) and Path(name).is_file():
            known.append(_alone(directionfile.read(name, config), name))
    return step_along(texts, known, model, styles=styles, seeds=seeds)


def warned(step: Step) -> Step:
    """The step itself; its warnings are printed on stderr."""
    for warning in step.warnings:
        say(f"warning: {warning}")
    return step


def step_along(
    texts: Sequence[str],
    known: Sequence[Directions],
    model: Model,
    *,
    styles: Sequence[str] = (),
    seeds: bool = True,
) -> Step:
    """As `step_of`, along directions that were read: no file is opened, whatever the texts name."""
    parts: dict[Space, list[Vector]] = {space: [] for space in SPACES}
    warnings = []
    for edit in map(parse_edit, texts):
        found = _among(edit, known)
        if found.space == "z" and not seeds:
            raise InputError("goes along z, which ws no longer have", "show seeds", file=f"--edit {shown(edit.name)}")
        parts[found.space].append(found.edit(edit.name, edit.strength, edit.layers))
        own = mapping_sha256(model)
        if found.card.get("mapping_sha256", own) != own:
            where = f"the {_CALLED[found.space]} of {shown(str(found.card.get('model')))}"
            warnings.append(f"{edit.name}: found in {where}, another mapping network: it may mean nothing here")
    if styles:
        parts["style"].append(channels.shift_of([parse_style(text) for text in styles], model)[None])
    w, z, style = (np.stack(parts[space]).sum(0) if parts[space] else None for space in SPACES)
    return Step(w, None if z is None else z[0], None if style is None else style[0], tuple(warnings))


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
