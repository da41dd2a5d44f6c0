"""Sheets of directions: a strip of edits for each, and where in the picture it acts."""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import UInt8

from interp.sheets import View, framed_sheet
from stylegan_jax.editing.directions import Directions
from stylegan_jax.pictures.images import on_white
from stylegan_jax.sampler import sample_ws
from stylegan_jax.sampler.run import sample_shifts
from stylegan_jax.storage.checkpoint import Model

STRENGTHS = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
"""In scales of the direction."""
Sheet = UInt8[np.ndarray, "H W 3"]
Strip = UInt8[np.ndarray, "k s n h w c"]


def strips(model: Model, directions: Directions, view: View) -> Strip:
    """Every face of a view, edited by every strength along every direction; nothing compiles anew for any of them."""
    steps = np.stack([directions.edit(name, s) for name in directions.names for s in STRENGTHS])
    images = np.concatenate([*_edited(model, directions, view, steps)])
    return images.reshape(len(directions.names), len(STRENGTHS), -1, *images.shape[1:])


def _edited(model: Model, directions: Directions, view: View, steps: np.ndarray) -> Iterator[np.ndarray]:
    """The images of all steps, one after the other."""
    if directions.space == "style":
        return sample_shifts(model, view.ws_of(model), steps[:, 0])
    if directions.space == "z":
        edited = np.stack([dataclasses.replace(view, z_step=step).ws_of(model) for step in steps[:, 0]])
    else:
        edited = view.ws_of(model) + steps[:, None]
    return sample_ws(model, edited.reshape(-1, *edited.shape[2:]))


def overview(found: Strip, directions: Directions, *, title: str, cell: int) -> Sheet:
    """One row for each direction: the first w's strip, and the heat map of all of them."""
    rows = [np.concatenate([_rgb(strip[:, 0]), heat(strip)[None]]) for strip in found]
    return framed_sheet(rows, title=title, row_labels=_labels(directions), column_labels=_columns(), cell=cell)


def one_strip(strip: UInt8[np.ndarray, "s n h w c"], labels: Sequence[str], *, title: str, cell: int) -> Sheet:
    """One direction: a row for each w, and its heat map."""
    rows = [np.concatenate([_rgb(strip[:, i]), heat(strip[:, i : i + 1])[None]]) for i in range(strip.shape[1])]
    return framed_sheet(rows, title=title, row_labels=labels, column_labels=_columns(), cell=cell)


def heat(strip: UInt8[np.ndarray, "s n h w c"]) -> UInt8[np.ndarray, "h w 3"]:
    """Where a direction acts: the mean |difference| of the two ends from the middle, the largest of it white."""
    middle = strip[len(STRENGTHS) // 2].astype(np.float32)
    change = np.stack([np.abs(strip[end].astype(np.float32) - middle) for end in (0, -1)]).mean((0, 1, -1))
    return np.repeat((255 * change / max(float(change.max()), 1.0)).astype(np.uint8)[..., None], 3, -1)


def _columns() -> list[str]:
    return [*(f"{strength:+g}" if strength else "0" for strength in STRENGTHS), "where"]


def _labels(directions: Directions) -> list[str]:
    """The names, with what each explains of a PCA, what of a channel's change is inside its region, or its θ."""
    card, count = directions.card, len(directions.names)
    explained, theta = card.get("explained") or (), card.get("theta") or ()
    changes = zip(card.get("inside") or (), card.get("outside") or (), strict=False)
    facts = [f"{100 * share:.1f} %" for share in explained]
    facts += [f"theta {each:.2f}" for each in theta]
    facts += [f"{100 * inside / ((inside + outside) or 1):.0f} % inside" for inside, outside in changes]
    return [f"{name} {fact}".strip() for name, fact in zip(directions.names, facts or [""] * count, strict=False)]


def _rgb(images: UInt8[np.ndarray, "n h w c"]) -> UInt8[np.ndarray, "n h w 3"]:
    """Grey as RGB, RGBA on white."""
    return np.stack([np.asarray(on_white(image)) for image in images])
