"""Sheets, drawn: a blend beside the models it is made of, and the figures of the gallery."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from tqdm import tqdm

from interp.alphas import resolve_sources
from interp.gallery import FIGURES
from interp.masks import Mask
from interp.recipes import Recipe
from interp.rendering import Renderer
from interp.replay import Loaded, blend_recipe
from interp.schedules import Schedule
from interp.sheets import Row, View, blend_sheet, framed_sheet
from stylegan_jax.storage.checkpoint import Model

Sheet = UInt8[np.ndarray, "H W 3"]
UNCURATED, ACROSS = 36, 9
"""Seeds of the uncurated figure, and how many of them stand side by side."""


def blend_and_draw(recipe: Recipe, loaded: list[Loaded], view: View, mask: Mask | None = None) -> tuple[Model, Sheet]:
    """The blend of a recipe and its sheet: the models' own rows first, for the blend uses the models up.

    With a mask, which keeps the base in memory, the blend's row is the base's outside it.
    """
    view = view.with_ws_of(loaded[0].model) if recipe.same_w else view
    labels, rows = [each.label for each in loaded], []
    with tqdm(total=len(loaded) + 1, desc="rows of the sheet", disable=None, delay=2, leave=False) as bar:
        for each in loaded:
            rows.append(view.row(each.model))
            bar.update()
        del each  # the last reference but that in the list
        outside = None if mask is None else (loaded[0].model, mask.pyramid())
        mixed = blend_recipe(recipe, loaded, consume=True)
        rows.insert(1, view.row(mixed) if outside is None else view.masked_row(outside[0], mixed, outside[1]))
    schedules = [schedule.text for schedule in recipe.schedules]
    return mixed, blend_sheet(rows, view, labels, schedules, masked=mask is not None)


class Gallery:
    """Two models whose figures are drawn.

    Args:
      recipe: sources and truncation of every blend; it needs no schedules.
      loaded: its models.
      view: the columns.
      cell: the largest side of an image, in pixels.

    Raises InputError where the models cannot be blended, or cannot show what stands in the columns.
    """

    def __init__(self, recipe: Recipe, loaded: Sequence[Loaded], view: View, *, cell: int = 256):
        self.recipe, self.loaded, self.view, self.cell = recipe, loaded, view, cell
        self._labels = [each.label for each in loaded]
        self.renderer = Renderer([each.model for each in loaded], self._labels)
        view.check(self.renderer.models, self._labels)

    def draw(self, name: str) -> tuple[Sheet, dict[str, Any]]:
        """One figure, and what made it."""
        wanted = FIGURES[name](self.renderer.config.resolutions)
        title = f"{name}: {' x '.join(Path(label).stem for label in self._labels)}, psi {self.recipe.psi:g}"
        models = [{"path": each.name, "sha256": each.sha256} for each in self.loaded]
        made_of = {**dataclasses.asdict(self.recipe), "models": models}
        note = {"figure": name, "rows": [schedule.text for _, schedule in wanted], **made_of}
        if name == "uncurated" and not self.recipe.w:
            (label, schedule), *_ = wanted
            title = f"{title}, {label}, seeds 0-{UNCURATED - 1}, none left out"
            return framed_sheet(self._field(schedule), title=title, cell=self.cell), note
        shown = tqdm(wanted, name, disable=None, delay=2, leave=False)
        rows, labels = [self._row(schedule, self.view) for _, schedule in shown], [label for label, _ in wanted]
        columns = self.view.labels
        return framed_sheet(rows, title=title, row_labels=labels, column_labels=columns, cell=self.cell), note

    def _field(self, schedule: Schedule) -> list[Row]:
        """The first seeds, whatever they look like."""
        view = dataclasses.replace(self.view, seeds=range(UNCURATED))
        view.check(self.renderer.models, self._labels)
        row = self._row(schedule, view)
        return [row[start : start + ACROSS] for start in range(0, UNCURATED, ACROSS)]

    def _row(self, schedule: Schedule, view: View) -> Row:
        sources = resolve_sources([schedule], self.recipe.mapping, self.recipe.noise, None)
        ws = view.ws_of(self.renderer.model("base" if self.recipe.same_w else sources.mapping))
        return self.renderer.images([schedule], sources, ws, shift=view.shift)
