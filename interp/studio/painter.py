"""Draws states: the blend, and the models it is made of, for the same seeds or ws."""

import dataclasses
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from interp.alphas import Sources, model_names, resolve_sources
from interp.decisions import Decisions
from interp.given import truncated
from interp.recipes import Recipe
from interp.rendering import Renderer
from interp.replay import Loaded, decide_loaded
from interp.schedules import Layer, Schedule, constant
from interp.sheets import View
from interp.studio.library import Library
from interp.studio.state import MOST_PICTURES, Pad, State
from stylegan_jax import values
from stylegan_jax.editing.edits import Step
from stylegan_jax.errors import InputError
from stylegan_jax.names import resolution_of
from stylegan_jax.sampler import stylespace
from stylegan_jax.sampler.masked import Pyramid
from stylegan_jax.sampler.run import map_seeds
from stylegan_jax.storage.checkpoint import Model

BLEND = "blend"
"""The role of the blend's pictures; those of a model have the name of its source: base, transfer, transfer2, …"""
_MOST_RENDERERS, _MOST_WS = 3, 256
Ws = Float[np.ndarray, "n l d"]
Pictures = UInt8[np.ndarray, "n h w c"]


@dataclasses.dataclass(frozen=True, eq=False)
class Frame:
    """What a page gets to see.

    Attributes:
      pictures: role → one picture for each seed or w.
      labels: of the seeds or ws.
      alphas: of each transfer model, its α at every resolution (that of conv1).
      resolutions: of the models.
      decisions: sources, and what was resolved.
      warnings: a line for each.
    """

    pictures: dict[str, Pictures]
    labels: list[str]
    alphas: list[list[float]]
    resolutions: tuple[int, ...]
    decisions: Decisions
    warnings: list[str]


class Painter:
    """Draws states; several threads may ask at once."""

    def __init__(self, library: Library):
        self.library = library
        self._renderers: OrderedDict[tuple[tuple[str, ...], int | None], Renderer] = OrderedDict()
        self._mapped: OrderedDict[tuple[object, ...], Ws] = OrderedDict()
        self._turn = threading.RLock()

    def frame(self, state: State, roles: Sequence[str], *, preview: int | None = None) -> Frame:
        """The pictures of some roles.

        Args:
          state: what to show.
          roles: "blend", "base", "transfer", …
          preview: stop the synthesis at this resolution.

        Raises InputError for models that cannot be blended and for what they cannot show.
        """
        recipe = state.recipe
        decisions = self._decisions(recipe)
        renderer, view = self.renderer(recipe, preview), self._view(state, decisions.sources)
        pictures = {role: self._pictures(role, recipe, decisions.sources, renderer, view) for role in roles}
        resolutions = decisions.config.generator.resolutions
        alphas = [[schedule(Layer(r)) for r in resolutions] for schedule in recipe.schedules]
        return Frame(pictures, view.labels, alphas, resolutions, decisions, [*self.step(state).warnings])

    def ws(self, state: State, source: str | None = None) -> Ws:
        """The ws of the blend's pictures, or by the mapping of another source; InputError as `frame`."""
        sources = self.sources(state.recipe)
        return self._ws(self._view(state, sources), self._mapping_model(state.recipe, source or sources.mapping))

    def masks(self, recipe: Recipe, renderer: Renderer) -> Pyramid | None:
        """The mask of the blend's pictures, if it has one, up to a renderer's resolution; InputError as `frame`."""
        mask = self.library.mask(recipe, self._loaded(recipe)[0].model.config.generator)
        if mask is None:
            return None
        pyramid = mask.pyramid()
        return {r: pyramid[r] for r in renderer.config.resolutions}

    def step(self, state: State) -> Step:
        """All edits of a state; InputError as `frame`."""
        recipe = state.recipe
        seeds = not recipe.w or state.pad is not None
        return self.library.step(recipe, self._loaded(recipe)[0].model, seeds=seeds)

    def sources(self, recipe: Recipe) -> Sources:
        """Where mapping and noise of the blend come from; InputError as `frame`."""
        return self._decisions(recipe).sources

    def renderer(self, recipe: Recipe, preview: int | None = None) -> Renderer:
        """Its models on the devices; those that were shown last stay there. InputError where they cannot be blended."""
        key = tuple(model.path for model in recipe.models), preview
        with self._turn:
            if key not in self._renderers:
                loaded = self._loaded(recipe)
                models = [each.model if preview is None else cut(each.model, preview) for each in loaded]
                made = Renderer(models, [each.label for each in loaded], blends=len(models) + 1)
                while len(self._renderers) >= _MOST_RENDERERS:
                    self._renderers.popitem(last=False)
                self._renderers[key] = made
            self._renderers.move_to_end(key)
            return self._renderers[key]

    def _loaded(self, recipe: Recipe) -> list[Loaded]:
        return [self.library.model(model.path) for model in recipe.models]

    def _decisions(self, recipe: Recipe) -> Decisions:
        return decide_loaded(recipe, self._loaded(recipe))

    def _mapping_model(self, recipe: Recipe, source: str) -> Model:
        """The model whose mapping makes the ws of `source`."""
        return self.renderer(recipe).model("base" if recipe.same_w else source)

    def _pictures(self, role: str, recipe: Recipe, sources: Sources, renderer: Renderer, view: View) -> Pictures:
        """One picture for each column of the view."""
        schedules, kinds = recipe.schedules, recipe.settings.kinds
        if role != BLEND:
            renderer.model(role)  # which refuses what is no source
            schedules, kinds = _alone(role, len(schedules)), ()
            sources = resolve_sources(schedules, None, None, None)
        ws, count = self._ws(view, self._mapping_model(recipe, sources.mapping)), renderer.config.num_ws
        shift = None if view.shift is None else view.shift[: stylespace.count(renderer.config)]  # a preview has fewer
        masks = self.masks(recipe, renderer) if role == BLEND else None
        if masks is None:
            return renderer.images(schedules, sources, ws[:, :count], kinds=kinds, shift=shift)
        base_ws = self._ws(view, self._mapping_model(recipe, "base"))[:, :count]
        more: dict[str, Any] = {"base_ws": base_ws, "kinds": kinds, "shift": shift}
        return renderer.images_within(masks, schedules, sources, ws[:, :count], **more)

    def _view(self, state: State, sources: Sources) -> View:
        """The columns; InputError for what the models cannot show."""
        recipe, loaded = state.recipe, self._loaded(state.recipe)
        models, labels = [each.model for each in loaded], [each.label for each in loaded]
        step = self.step(state)
        if recipe.w and state.pad is None:
            found = [self.library.ws(name, models[0], recipe.w_space) for name in recipe.w]
            ws = np.concatenate([each.values for each in found])[:MOST_PICTURES]
            names = [name for each in found for name in each.names][:MOST_PICTURES]
            return View((), recipe.psi, ws=truncated(ws, models[0], recipe.psi), names=names, **step.of_ws)
        seeds = values.seeds(recipe.seeds) if state.pad is None else state.pad.seeds
        if len(seeds) > MOST_PICTURES:
            raise InputError(f"{len(seeds)} seeds are too many for a page", f"use at most {MOST_PICTURES}")
        view = View(seeds, recipe.psi, recipe.class_idx, z_step=step.z)
        view.check(models, labels)
        if state.pad is None:
            return dataclasses.replace(view, **step.of_seeds)
        corners = self._ws(view, self._mapping_model(recipe, sources.mapping))
        ws = np.tensordot(np.array([state.pad.shares], np.float32), corners, 1)
        return View((), recipe.psi, ws=ws, names=[_named(state.pad)], **step.of_ws)

    def _ws(self, view: View, model: Model) -> Ws:
        """The view's ws by a model."""
        ws = self._mapped_by(model, view) if view.ws is None else view.ws
        return ws if view.step is None else ws + view.step

    def _mapped_by(self, model: Model, view: View) -> Ws:
        """The seeds through a mapping network; those that were asked for last are kept."""
        label = view.class_idx if model.config.generator.c_dim else None
        moved = None if view.z_step is None else view.z_step.tobytes()
        key = (id(model), tuple(view.seeds), view.psi, label, moved)
        with self._turn:
            if key not in self._mapped:
                how: dict[str, Any] = {"truncation_psi": view.psi, "class_idx": label, "z_step": view.z_step}
                mapped = map_seeds(model, view.seeds, **how)
                while len(self._mapped) >= _MOST_WS:
                    self._mapped.popitem(last=False)
                self._mapped[key] = mapped
            self._mapped.move_to_end(key)
            return self._mapped[key]


def _alone(role: str, transfers: int) -> list[Schedule]:
    """The schedules at which nothing but one model is left."""
    index = model_names(transfers).index(role)
    return [constant(float(index == i + 1)) for i in range(transfers)]


def _named(pad: Pad) -> str:
    return f"seeds {', '.join(map(str, pad.seeds))} at {pad.x:.2f}, {pad.y:.2f}"


def cut(model: Model, resolution: int) -> Model:
    """The generator up to a resolution: what its blocks up to there have drawn. InputError for other architectures."""
    generator = model.config.generator
    if generator.architecture != "skip":
        raise InputError(f"a generator of architecture {generator.architecture} draws nothing before its last block")
    table = generator.channel_table
    smaller = dataclasses.replace(
        generator,
        img_resolution=resolution,
        channel_table=None if table is None else table[: generator.resolutions.index(resolution) + 1],
        num_fp16_res=0,
    )
    weights = {name: leaf for name, leaf in model.networks["G_ema"].items() if (resolution_of(name) or 0) <= resolution}
    return Model(dataclasses.replace(model.config, generator=smaller), {"G_ema": weights}, model.lineage)
