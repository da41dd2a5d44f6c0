"""Sheets of directions: a strip of edits for each, and where in the picture it acts."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8

from interp.sheets import framed_sheet
from stylegan_jax.editing.directions import Directions
from stylegan_jax.pictures.images import on_white
from stylegan_jax.sampler import sample_ws
from stylegan_jax.storage.checkpoint import Model

STRENGTHS = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
"""In scales of the direction."""
Sheet = UInt8[np.ndarray, "H W 3"]
Strip = UInt8[np.ndarray, "k s n h w c"]


def strips(model: Model, directions: Directions, ws: Float[np.ndarray, "n l d"]) -> Strip:
    """Every w, edited by every strength along every direction, one after the other in one run of the sampler."""
    steps = np.stack([[directions.edit(name, s) for s in STRENGTHS] for name in directions.names])
    edited = ws + steps[:, :, None]
    images = np.concatenate([*sample_ws(model, edited.reshape(-1, *ws.shape[1:]))])
    return images.reshape(*edited.shape[:3], *images.shape[1:])


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
    """The names, and of a PCA what each explains."""
    explained = directions.card.get("explained") or ()
    shares = [f" {100 * share:.1f} %" for share in explained] or [""] * len(directions.names)
    return [f"{name}{share}" for name, share in zip(directions.names, shares, strict=False)]


def _rgb(images: UInt8[np.ndarray, "n h w c"]) -> UInt8[np.ndarray, "n h w 3"]:
    """Grey as RGB, RGBA on white."""
    return np.stack([np.asarray(on_white(image)) for image in images])
