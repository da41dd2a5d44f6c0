"""Photographs as a blend shows them: each projected w through the base, some hand-overs, and the transfer model."""

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from interp.alphas import resolve_sources
from interp.recipes import Recipe
from interp.rendering import Renderer
from interp.replay import Loaded, decide_loaded
from interp.schedules import Schedule, constant, swap
from interp.sheets import framed_sheet
from stylegan_jax.pictures import encoding
from stylegan_jax.projection.project import Projection

_HAND_OVERS = (8, 16, 32)  # beside the one that was chosen, where the model has them
Pictures = UInt8[np.ndarray, "n r r c"]


class Toons:
    """The blends that photographs are shown by.

    Args:
      recipe: of the blend that was chosen; of one transfer model.
      loaded: its models.

    Raises InputError where they cannot be blended so.
    """

    def __init__(self, recipe: Recipe, loaded: Sequence[Loaded]):
        decided = decide_loaded(recipe, loaded)
        self.chosen = recipe.schedules[0]
        labels = [each.label for each in loaded]
        self._renderer = Renderer([each.model for each in loaded], labels)
        names = [Path(label).stem for label in labels]
        usual = [swap(r) for r in _HAND_OVERS if r in self._renderer.config.resolutions[:-1]]
        others = usual if self.chosen.text in [each.text for each in usual] else [*usual, self.chosen]
        self.columns: list[tuple[str, Schedule]] = [
            (f"base {names[0]}", constant(0)),
            *((each.text, each) for each in others),
            (f"transfer {names[1]}", constant(1)),
        ]
        models = tuple(
            dataclasses.replace(ingredient, path=each.name, sha256=each.sha256)
            for ingredient, each in zip(recipe.models, loaded, strict=True)
        )
        sources = {"mapping": decided.sources.mapping, "noise": decided.sources.noise, "w_avg": decided.sources.w_avg}
        self.recipe = dataclasses.replace(recipe, models=models, **sources)

    def images(self, ws: np.ndarray) -> dict[str, Pictures]:
        """Text of a schedule → what that blend makes of ws `[n l d]`, which lie in the base's W."""
        return {schedule.text: self._images(schedule, ws) for _, schedule in self.columns}

    def _images(self, schedule: Schedule, ws: np.ndarray) -> Pictures:
        return self._renderer.images([schedule], resolve_sources([schedule], None, None, None), ws)

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
            note = {"recipe": self.recipe.to_json(), "projection": notes, "crop": crop.to_json()}
            note |= {"crop_sha256": hashlib.sha256(crop.pixels.tobytes()).hexdigest()}
            toon = shown[self.chosen.text][i]
            encoding.write_picture(folder / f"{name}.png", toon, note, overwrite=overwrite)
            cells = [_coloured(crop.pixels), *(_coloured(shown[schedule.text][i]) for _, schedule in self.columns)]
            labels = ["photograph", *(label for label, _ in self.columns)]
            sheet = framed_sheet([np.stack(cells)], title=f"{name}   ({self.chosen.text})", column_labels=labels)
            encoding.write_picture(folder / f"{name}-sheet.png", sheet, note, overwrite=overwrite)
            if paste:
                encoding.write_picture(
                    folder / f"{name}-pasted.png", _pasted(photo, crop, toon), note, overwrite=overwrite
                )
        return str(folder / f"{names[0]}-sheet.png") if len(names) == 1 else str(folder)


def _coloured(image: UInt8[np.ndarray, "h w c"]) -> UInt8[np.ndarray, "h w 3"]:
    """What stands beside photographs is RGB: grey is repeated, transparency lies on white."""
    from stylegan_jax.pictures.images import on_white

    return np.asarray(on_white(image).convert("RGB"))


def _pasted(photo: Any, crop: Any, toon: UInt8[np.ndarray, "r r c"]) -> UInt8[np.ndarray, "h w 3"]:
    from stylegan_jax.pictures import images
    from stylegan_jax.projection.paste import paste

    return paste(images.read(photo.open()), _coloured(toon), crop)
