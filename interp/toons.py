"""Photographs as a blend shows them: each projected w through the base, some hand-overs, and the transfer model."""

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, UInt8

from interp import gallery
from interp.alphas import resolve_sources
from interp.gallery import Rows
from interp.given import truncated
from interp.masks import mask_of
from interp.recipes import Recipe
from interp.rendering import Renderer
from interp.replay import Loaded, decide_loaded, told
from interp.schedules import Schedule, constant, swap
from interp.sheets import framed_sheet
from stylegan_jax.editing.edits import UNMOVED, Step
from stylegan_jax.errors import InputError
from stylegan_jax.pictures import encoding
from stylegan_jax.projection.project import Projection

_HAND_OVERS = (8, 16, 32)  # beside the one that was chosen, where the model has them
PSI = 0.8
"""Truncation of photographs: the base shows them well still, and far fewer of the blend's pictures come apart."""
PAIRED = ("photos", "toons")
"""The folders of pairs that students learn from."""
Sweep = Literal["swap", "width"]
Pictures = UInt8[np.ndarray, "n r r c"]


class Toons:
    """The blends that photographs are shown by.

    Args:
      recipe: of the blend that was chosen; of one transfer model.
      loaded: its models.
      sweep: what the sheets show: some hand-overs beside the chosen blend by default, or all of them, or one from hard
        to ever softer.
      step: edits of what is projected.
      beside: the folder that the recipe's mask is looked for in first. Outside the mask every picture is the base's,
        and the photograph's own where it is pasted back.

    Raises InputError where they cannot be blended so, for a psi other than 1 of a base without w_avg, and for a mask.
    """

    def __init__(
        self,
        recipe: Recipe,
        loaded: Sequence[Loaded],
        sweep: Sweep | None = None,
        step: Step = UNMOVED,
        *,
        beside: Path | None = None,
    ):
        if recipe.psi != 1 and loaded[0].model.config.generator.w_avg_beta is None:
            raise InputError("has no w_avg to truncate towards", "use psi 1", file=loaded[0].label)
        decided = decide_loaded(recipe, loaded)
        self.chosen, self._step = recipe.schedules[0], step
        labels = [each.label for each in loaded]
        self._renderer = Renderer([each.model for each in loaded], labels)
        (_, base), *between, (_, transfer) = self._rows(sweep)
        if self.chosen.text not in [base.text, *(schedule.text for _, schedule in between), transfer.text]:
            between.append((self.chosen.text, self.chosen))
        names = [Path(label).stem for label in labels]
        self.columns = [(f"base {names[0]}", base), *between, (f"transfer {names[1]}", transfer)]
        sources = {"mapping": decided.sources.mapping, "noise": decided.sources.noise, "w_avg": decided.sources.w_avg}
        self.mask = mask_of(recipe, self._renderer.config, beside)
        recipe = recipe if self.mask is None else self.mask.kept_by(recipe)
        self.recipe = dataclasses.replace(told(recipe, loaded), **sources)

    def _rows(self, sweep: Sweep | None) -> Rows:
        """What the sheets show between the photograph and the margin."""
        resolutions = self._renderer.config.resolutions
        if sweep == "swap":
            return gallery.hand_overs(resolutions)
        if sweep == "width":
            at = int(self.chosen.resolutions[0]) if self.chosen.rule in ("swap", "smooth") else None
            return gallery.widths(resolutions, at)
        usual = [(f"swap {r}", swap(r)) for r in _HAND_OVERS if r in resolutions[:-1]]
        return [("base", constant(0)), *usual, ("transfer", constant(1))]

    def moved(self, made: Projection) -> Projection:
        """Projections pulled towards the base's w_avg by the recipe's psi, then edited, and what the base makes of them
        then.
        """
        if self.recipe.psi == 1 and self._step.vector is None and self._step.shift is None:
            return made
        ws = self._step.moved(truncated(made.ws, self._renderer.model("base"), self.recipe.psi))
        return dataclasses.replace(made, ws=ws, images=self._images(constant(0), ws))

    def images(self, ws: np.ndarray) -> dict[str, Pictures]:
        """Text of a schedule → what that blend makes of ws `[n l d]`, which lie in the base's W."""
        return {schedule.text: self._images(schedule, ws) for _, schedule in self.columns}

    def _images(self, schedule: Schedule, ws: np.ndarray) -> Pictures:
        sources = resolve_sources([schedule], None, None, None)
        if self.mask is None:
            return self._renderer.images([schedule], sources, ws, shift=self._step.shift)
        return self._renderer.images_within(self.mask.pyramid(), [schedule], sources, ws, shift=self._step.shift)

    def write(
        self,
        folder: Path,
        crops: Sequence[Any],
        names: Sequence[str],
        made: Projection,
        notes: dict[str, Any],
        *,
        paste: bool,
        overwrite: bool,
    ) -> str:
        """Writes NAME.png and NAME-sheet.png of every photograph (and NAME-pasted.png), and says where.

        Names may hold folders.

        Args:
          folder: made if it is not there.
          crops: (photograph, crop) of each.
          names: of the outputs.
          made: the projections.
          notes: how they were found.
          paste: put the pictures back into the photographs.
          overwrite: replace what is there.
        """
        folder.mkdir(parents=True, exist_ok=True)
        shown = self.images(made.ws)
        for i, ((photo, crop), name) in enumerate(zip(crops, names, strict=True)):
            note = self._note(crop, notes)
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            toon = shown[self.chosen.text][i]
            encoding.write_picture(folder / f"{name}.png", toon, note, overwrite=overwrite)
            cells = [_coloured(crop.pixels), *(_coloured(shown[schedule.text][i]) for _, schedule in self.columns)]
            labels = ["photograph", *(label for label, _ in self.columns)]
            sheet = framed_sheet([np.stack(cells)], title=f"{name}   ({self.chosen.text})", column_labels=labels)
            encoding.write_picture(folder / f"{name}-sheet.png", sheet, note, overwrite=overwrite)
            if paste:
                within = None if self.mask is None else self.mask.values
                pasted = _pasted(photo, crop, toon, within)
                encoding.write_picture(folder / f"{name}-pasted.png", pasted, note, overwrite=overwrite)
        return str(folder / f"{names[0]}-sheet.png") if len(names) == 1 else str(folder)

    def write_pairs(
        self,
        folder: Path,
        crops: Sequence[Any],
        names: Sequence[str],
        made: Projection,
        notes: dict[str, Any],
        *,
        overwrite: bool,
    ) -> str:
        """Writes photos/NAME.png and toons/NAME.png, RGB of one size, of every photograph; arguments as of `write`."""
        toons = self._images(self.chosen, made.ws)
        for (_, crop), name, toon in zip(crops, names, toons, strict=True):
            for side, pixels in zip(PAIRED, (crop.pixels, toon), strict=True):
                place = folder / side / f"{name}.png"
                place.parent.mkdir(parents=True, exist_ok=True)
                encoding.write_picture(place, _coloured(pixels), self._note(crop, notes), overwrite=overwrite)
        return f"{folder / PAIRED[0]} and {folder / PAIRED[1]}"

    def _note(self, crop: Any, notes: dict[str, Any]) -> dict[str, Any]:
        """What made a picture: it knows the photograph again, and does not show it."""
        made_of = {"recipe": self.recipe.to_json(), "projection": notes, "crop": crop.to_json()}
        return {**made_of, "crop_sha256": hashlib.sha256(crop.pixels.tobytes()).hexdigest()}


def _coloured(image: UInt8[np.ndarray, "h w c"]) -> UInt8[np.ndarray, "h w 3"]:
    """What stands beside photographs is RGB: grey is repeated, transparency lies on white."""
    from stylegan_jax.pictures.images import on_white

    return np.asarray(on_white(image).convert("RGB"))


def _pasted(
    photo: Any, crop: Any, toon: UInt8[np.ndarray, "r r c"], within: Float[np.ndarray, "r r"] | None
) -> UInt8[np.ndarray, "h w 3"]:
    from stylegan_jax.pictures import images
    from stylegan_jax.projection.paste import paste

    return paste(images.read(photo.open()), _coloured(toon), crop, within)
