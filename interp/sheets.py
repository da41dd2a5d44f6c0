"""Sheets of a blend: the same seeds through every model, one row for each."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from interp.argument_errors import ArgumentError
from stylegan_jax.errors import InputError
from stylegan_jax.pictures.images import sheet
from stylegan_jax.sampler.latents import Label, labels_of
from stylegan_jax.sampler.masked import Pyramid
from stylegan_jax.sampler.run import map_seeds, sample, sample_within, sample_ws
from stylegan_jax.sampler.stylespace import Shift
from stylegan_jax.storage.checkpoint import Model

MARGIN = 12  # pixels
MOST_COLUMNS = 200  # a wider sheet is no image file any more
Row = UInt8[np.ndarray, "n h w c"]


@dataclasses.dataclass(frozen=True, eq=False)
class View:
    """What a sheet shows of every model.

    Attributes:
      seeds: one column for each.
      psi: truncation towards each model's own `w_avg`.
      class_idx: for those of the models that are conditional.
      ws: fed to all models instead of the w of their own mappings.
      names: of the columns, where they are ws of files and no seeds.
      step, z_step, shift: what edits add to every w, to the z of every seed, to the styles.
    """

    seeds: Sequence[int]
    psi: float = 0.7
    class_idx: Label = None
    ws: Float[np.ndarray, "n l d"] | None = None
    names: Sequence[str] = ()
    step: Float[np.ndarray, "l d"] | None = None
    z_step: Float[np.ndarray, " z"] | None = None
    shift: Shift | None = None

    @property
    def labels(self) -> list[str]:
        """What stands above each column."""
        return list(self.names) or [f"seed {seed}" for seed in self.seeds]

    def with_ws_of(self, model: Model) -> "View":
        """The same seeds through one model's mapping, for all models: shows the effect of a blend most clearly."""
        return dataclasses.replace(self, ws=self.ws_of(model), step=None, z_step=None)

    def ws_of(self, model: Model) -> Float[np.ndarray, "n l d"]:
        """The seeds through a model's mapping, truncated, or the ws that were given; edited, if there is a step."""
        if self.ws is not None:
            ws = self.ws
        else:
            how: dict[str, Any] = {
                "truncation_psi": self.psi,
                "class_idx": self.label_for(model),
                "z_step": self.z_step,
            }
            ws = map_seeds(model, self.seeds, **how)
        return ws if self.step is None else ws + self.step

    def row(self, model: Model) -> Row:
        """The images of one model; InputError where a conditional one gets no class."""
        if self.ws is not None:
            return np.concatenate(list(sample_ws(model, self.ws_of(model), shift=self.shift)))
        edits: dict[str, Any] = {"step": self.step, "z_step": self.z_step, "shift": self.shift}
        how: dict[str, Any] = {"truncation_psi": self.psi, "class_idx": self.label_for(model)}
        return np.concatenate(list(sample(model, self.seeds, **how, **edits)))

    def masked_row(self, base: Model, model: Model, masks: Pyramid) -> Row:
        """The images of `model` within a mask, and outside it those of the base: what `row` shows of both, as one."""
        return np.concatenate(
            list(sample_within(base, model, self.ws_of(base), self.ws_of(model), masks, shift=self.shift))
        )

    def check(self, models: Sequence[Model], labels: Sequence[str]) -> None:
        """Raises InputError for what the models cannot show, before any of them is sampled."""
        if len(self.labels) > MOST_COLUMNS:
            argument, what = "w" if self.names else "seeds", f"{len(self.labels)} columns are too many"
            raise ArgumentError(argument, None, what, f"use at most {MOST_COLUMNS}")
        if self.ws is not None:
            return
        if self.class_idx is not None and all(model.config.generator.c_dim == 0 for model in models):
            raise ArgumentError("class_idx", self.class_idx, "none of the models is conditional", "leave it away")
        for model, label in zip(models, labels, strict=True):
            config = model.config.generator
            labels_of(self.label_for(model), [0], config.c_dim)
            if self.psi != 1 and config.w_avg_beta is None:
                raise InputError("has no w_avg to truncate towards", "use psi 1, which truncates nothing", file=label)

    def label_for(self, model: Model) -> Label:
        """The class, for a model that takes one."""
        return self.class_idx if model.config.generator.c_dim > 0 else None


def framed_sheet(
    rows: Sequence[Row],
    *,
    title: str,
    row_labels: Sequence[str] = (),
    column_labels: Sequence[str] = (),
    cell: int = 256,
) -> UInt8[np.ndarray, "H W 3"]:
    """`images.sheet` with a margin around it; `cell` is the largest side of an image, in pixels."""
    bare = sheet(rows, title=title, row_labels=row_labels, column_labels=column_labels, cell=cell)
    return np.pad(bare, ((MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)), constant_values=255)


def blend_sheet(
    rows: Sequence[Row], view: View, labels: Sequence[str], schedules: Sequence[str], *, masked: bool = False
) -> UInt8[np.ndarray, "H W 3"]:
    """A labelled sheet: base, blend (`masked` or not) and transfer models in rows, seeds in columns."""
    names = [Path(label).stem for label in labels]
    title = f"{names[0]} x " + " x ".join(f"{n} {s}" for n, s in zip(names[1:], schedules, strict=True))
    shared = ", one w for all rows" if view.ws is not None and not view.names else ""
    shown = f"psi {view.psi:g}{shared}"
    return framed_sheet(
        rows,
        title=f"{title}   ({shown})",
        row_labels=[
            f"base {names[0]}",
            "blend, masked" if masked else "blend",
            *(f"transfer {name}" for name in names[1:]),
        ],
        column_labels=view.labels,
    )
