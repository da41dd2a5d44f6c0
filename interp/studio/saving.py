"""What a page saves, into the one folder of the studio: models, sheets, recipes, pictures, films."""

import dataclasses
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from interp.drawing import blend_and_draw
from interp.frames import fitted, usual_size
from interp.given import view_of
from interp.keyframes import Keyframe, Keyframes, to_yaml
from interp.outputs import Outputs, slug
from interp.recipes import Recipe
from interp.replay import blend_recipe, told
from interp.studio import between
from interp.studio.painter import BLEND, Painter
from interp.studio.state import State
from stylegan_jax import values
from stylegan_jax.errors import InputError
from stylegan_jax.pictures import images, video
from stylegan_jax.storage import atomic

FORMS = {
    "picture": ("-picture.png",),
    "sheet": (".png",),
    "recipe": (".yaml",),
    "model": (".safetensors", ".pkl", ".pt", ""),
}
"""What can be saved, and how the names of the files end."""
MOST_SECONDS, FPS = 60.0, 24
Progress = Callable[[int, int], None]


class Saver:
    """Writes what states show. Names are those of `interp.blend`, and nothing is ever replaced.

    Args:
      painter: draws pictures and films.
      folder: where everything goes; made when something is first saved.
    """

    def __init__(self, painter: Painter, folder: Path):
        self.painter, self.library, self.folder = painter, painter.library, folder

    def save(self, state: State, what: str, end: str | None = None) -> list[Path]:
        """Writes a key of `FORMS`; `end` is one of its endings. InputError for others, and for bad states."""
        ends = FORMS.get(what, ())
        if not ends or end not in (None, *ends):
            raise InputError(f"{what} {end or ''}: nothing that can be saved", f"use {', '.join(FORMS)}")
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self._free(slug(self.library.as_typed(state.recipe)), ends[0] if end is None else end)
        if what == "picture":
            self._write_picture(path, state)
            return [path]
        recipe, files = self._on_disk(state)
        self._write_blend(path, state.recipe, recipe, draws=what == "sheet")
        return [path, *files]

    def _on_disk(self, state: State) -> tuple[Recipe, list[Path]]:
        """The recipe as commands find its parts; the w of the pad is written to a file for it."""
        recipe = self.library.as_typed(state.recipe)
        if state.pad is None:
            paths = {name: tuple(map(os.path.abspath, getattr(recipe, name))) for name in ("w", "directions")}
            return dataclasses.replace(recipe, **paths), []
        path = self._free(f"{slug(recipe)}-w", ".npz")
        with atomic.new_file(path) as file:
            np.savez(file, w=self.painter.ws(state))
        kept = self.library.of_styles(state.recipe)  # the others are in the w
        directions = tuple(map(os.path.abspath, recipe.directions)) if kept else ()
        whole: dict[str, Any] = {"psi": 1.0, "class_idx": None, "edits": kept, "directions": directions}
        return dataclasses.replace(recipe, w=(str(path.absolute()),), w_space="w+", **whole), [path]

    def _write_picture(self, path: Path, state: State) -> None:
        """The blend's pictures as the page shows them, with the state inside."""
        frame = self.painter.frame(state, [BLEND])
        loaded = [self.library.model(model.path) for model in state.recipe.models]
        whole = dataclasses.replace(state, recipe=told(state.recipe, loaded))
        data = whole.to_json()
        note = {"source": "studio", "pad": data.pop("pad", None), "recipe": data}
        images.write_png(path, images.grid(frame.pictures[BLEND]), note)

    def _write_blend(self, path: Path, named: Recipe, recipe: Recipe, *, draws: bool) -> None:
        outputs = Outputs(recipe, str(path), sheet=False, overwrite=False)
        loaded = [self.library.model(model.path) for model in named.models]
        if not draws:
            outputs.write(blend_recipe(recipe, loaded), None)
            return
        view = view_of(recipe, values.seeds(recipe.seeds), loaded[0].model)
        view.check([each.model for each in loaded], [each.label for each in loaded])
        mask = self.library.mask(recipe, loaded[0].model.config.generator)
        outputs.write(*blend_and_draw(recipe, loaded, view, mask))

    def film(self, first: State, last: State, seconds: float, said: Progress) -> Path:
        """Films the way from one state to another, there and not back; tells `said` how many frames of all are done.

        Raises InputError for states of different models or with different numbers of pictures.
        """
        suffix = video.default_suffix()
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self._free(f"{slug(self.library.as_typed(first.recipe))}-film", suffix)
        count, size = max(2, round(FPS * seconds)), usual_size(suffix)

        def frames() -> Iterator[np.ndarray]:
            for i, pictures in enumerate(between.frames(self.painter, first, last, count)):
                yield np.concatenate([fitted(picture, size) for picture in pictures], 1)
                said(i + 1, count)

        with atomic.new_file(path) as file:
            video.write(file, frames(), suffix=suffix, fps=FPS, note="")
        return path

    def keyframes(self, states: Sequence[State], seconds: float) -> list[Path]:
        """Writes a film through all the states as `interp.film --keyframes` takes it, `seconds` from each to the next.

        Raises InputError for states of different models, and for what keyframes do not hold.
        """
        for state in states:
            _check_keyframe(state, states[0])
        self.folder.mkdir(parents=True, exist_ok=True)
        frames, files, directions = [], [], {}
        for i, state in enumerate(states):
            recipe, made = self._on_disk(state)
            shown: Any = {"w": recipe.w, "w_space": recipe.w_space} if recipe.w else {"seeds": recipe.seeds}
            schedule = tuple(str(model.schedule) for model in recipe.models[1:])
            said = {"psi": recipe.psi, "edits": recipe.edits, "styles": recipe.styles, "schedule": schedule}
            frames.append(Keyframe(time=i * seconds, **shown, **said))
            files += made
            directions |= dict.fromkeys(recipe.directions)
        whole = self.library.as_typed(states[0].recipe)
        models = tuple(model.path for model in whole.models)
        path = self._free(f"{slug(whole)}-keyframes", ".yaml")
        with atomic.new_file(path) as file:
            file.write(to_yaml(Keyframes(frames=tuple(frames), models=models, directions=tuple(directions))).encode())
        return [path, *files]

    def _free(self, stem: str, end: str) -> Path:
        """A path of the folder that nothing has yet."""
        count, path = 1, self.folder / f"{stem}{end}"
        while os.path.lexists(path):
            count += 1
            path = self.folder / f"{stem}-{count}{end}"
        return path


_UNHELD = ("kinds", "mask", "mask_at", "mapping", "noise", "w_avg", "class_idx")
"""What a recipe may say and keyframes do not."""


def _check_keyframe(state: State, first: State) -> None:
    """Raises InputError for a state that is no keyframe of a film that begins with the first."""
    models = [[model.path for model in each.recipe.models] for each in (state, first)]
    if models[0] != models[1]:
        raise InputError("these are blends of different models", "keep those of the same models")
    if held := [name for name in _UNHELD if getattr(state.recipe, name) != getattr(Recipe, name)]:
        raise InputError(f"keyframes hold no {', '.join(held)}", "keep pictures without, or film from A to B")
