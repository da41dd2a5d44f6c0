"""What a film shows, from a few settings: seeds or ws on their way, α on its, truncation and edits on theirs."""

import dataclasses
import hashlib
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float

from interp import tracks
from interp.alphas import Sources, resolve_sources
from interp.argument_errors import ArgumentError
from interp.given import check_truncation, given_ws, truncated
from interp.motion import EASINGS, At, Span, positions, through
from interp.paths import IN_Z, ROUND, Path
from interp.rendering import Renderer
from interp.schedules import Schedule
from interp.sheets import View
from stylegan_jax.editing.edits import Step
from stylegan_jax.sampler.latents import Label
from stylegan_jax.sampler.stylespace import Shift
from stylegan_jax.storage.checkpoint import Model

SEEDS = "0,1,2"
"""Whom a film shows unless it is said."""
Drives = Literal["edit", "alpha", "speed"]


class Sweep(NamedTuple):
    """An edit that moves: what strength 1 adds, to w or to styles, and the strengths on the way."""

    step: Step
    span: Span


class Mix(NamedTuple):
    """Style mixing: the layers of every picture that come from a walk of their own; None: the upper half."""

    walk: Sequence[int]
    layers: Sequence[int] | None = None


class Sound(NamedTuple):
    """How loud each frame is, 0 … 1, and what that drives: edits, the way of α, or the speed of walks."""

    levels: Float[np.ndarray, " f"]
    drives: Drives


@dataclasses.dataclass(frozen=True, eq=False)
class Scene:
    """What a film shows.

    Attributes:
      at: time of 0 … 1 → schedule.
      walks: the seeds that each picture of a frame moves through, side by side; of `ws`, their indices.
      count: frames.
      psi: truncation towards `w_avg`.
      class_idx: for those of the models that are conditional.
      loop: there and back, so that the end joins the beginning.
      ease: a key of `motion.EASINGS`.
      ws: of files, shown instead of seeds.
      step, z_step, shift: what edits add to every w, to the z of every seed, to the styles.
      path: how each walk leads from seed to seed, or around.
      diameter: of a path that goes round.
      truncation: a psi that moves, in place of `psi`.
      mix: layers that come from elsewhere.
      sweeps: edits that move.
      sound: what moves with it.
    """

    at: At
    walks: Sequence[Sequence[int]]
    count: int
    psi: float = 0.7
    class_idx: Label = None
    loop: bool = False
    ease: str = "smooth"
    ws: Float[np.ndarray, "n l d"] | None = None
    step: Float[np.ndarray, "l d"] | None = None
    z_step: Float[np.ndarray, " z"] | None = None
    shift: Shift | None = None
    path: Path = "linear"
    diameter: float = 1.0
    truncation: Span | None = None
    mix: Mix | None = None
    sweeps: Sequence[Sweep] = ()
    sound: Sound | None = None

    @property
    def steady_psi(self) -> float:
        """The truncation of all frames: none where each has its own."""
        return self.psi if self.truncation is None else 1.0

    def view(self, walks: Sequence[Sequence[int]], ws: Float[np.ndarray, "n l d"] | None = None) -> View:
        """Every seed that occurs in some walks, once; truncated, unless that moves."""
        seeds = sorted({seed for walk in walks for seed in walk})
        return View(seeds, self.steady_psi, self.class_idx, ws, z_step=self.z_step)

    def check(self, models: Sequence[Model], labels: Sequence[str]) -> None:
        """Raises InputError for what the models cannot show, before any of them is sampled."""
        psi = self.psi if self.truncation is None else 0.5
        mixed = [] if self.mix is None else [self.view([self.mix.walk])]
        for view in (self.view(self.walks, self.ws), *mixed):
            dataclasses.replace(view, psi=psi).check(models, labels)
        if self.ws is not None:
            check_truncation(models[0], psi)
        count = models[0].config.generator.num_ws
        if self.mix is not None and (wrong := [i for i in self.mix.layers or () if i >= count]):
            raise ArgumentError("mix", None, f"the model has no layer {wrong[0]}", f"use 0 to {count - 1}")

    def with_files(self, files: Sequence[str], space: str | None, base: Model, *, walk: bool) -> "Scene":
        """The same with the ws of files, side by side or (`walk`) one after the other; InputError as `given_ws`."""
        found = given_ws(files, space, base, psi=self.steady_psi, class_idx=self.class_idx).values
        indices = list(range(len(found)))
        return dataclasses.replace(self, ws=found, walks=[indices] if walk else [[i] for i in indices])

    def sources(self, transfers: int, mapping: str | None, noise: str | None) -> Sources:
        """Where mapping and noise come from, decided once, by the first frame."""
        return resolve_sources(through(transfers, 0.0, self.at), mapping, noise, None)


class Take:
    """The moments of a scene for some models: see `frames.Moments`.

    Args:
      scene: what is shown.
      renderer: of the models.
      sources: whose w seeds have; InputError where that is none of the models.
    """

    def __init__(self, scene: Scene, renderer: Renderer, sources: Sources):
        self.count, self.pictures = scene.count, len(scene.walks)
        self._scene, self._transfers = scene, len(renderer.models) - 1
        mapping = renderer.model(sources.mapping)
        placed = positions(scene.count, loop=scene.loop, ease=EASINGS[scene.ease])
        self._ways = [way for _, way in placed]
        self._times = _times([time for time, _ in placed], scene)
        self._early = scene.path == "linear" and scene.mix is None and scene.truncation is None
        self._track = self._walked(scene.walks, mapping, scene.ws)
        self._mixed = None if scene.mix is None else self._walked([scene.mix.walk], mapping)
        self._towards = renderer.models[0] if scene.ws is not None else mapping

    def _walked(self, walks: Sequence[Sequence[int]], model: Model, ws: np.ndarray | None = None) -> tracks.Track:
        """The ws of every frame on some walks; `ws`, of files, are their stops."""
        scene, ease = self._scene, EASINGS[self._scene.ease]
        view = scene.view(walks, ws)
        if scene.path in IN_Z:
            options = {"loop": scene.loop, "ease": ease}
            at = tracks.through_z(walks, model, scene.path, scene.diameter, view.label_for(model), **options)
            moved = np.float32(0) if scene.z_step is None else scene.z_step

            def latents(frame: int) -> tracks.Latents:
                z, c = at(self._times[frame])
                return z + moved, c

            return tracks.Mapped(model, latents, scene.count, scene.steady_psi)
        if self._early:
            view = dataclasses.replace(view, step=scene.step)
        known = dict(zip(view.seeds, view.ws_of(model), strict=True))
        stops = [np.stack([known[seed] for seed in each]) for each in walks]
        way = tracks.through_w(stops, scene.path, loop=scene.loop, ease=ease)
        return lambda frame: way(self._times[frame])

    def schedules(self, frame: int) -> list[Schedule]:
        """α of each transfer model."""
        loud = self._loud(frame, "alpha")
        return through(self._transfers, self._ways[frame] if loud is None else loud, self._scene.at)

    def ws(self, frame: int) -> Float[np.ndarray, "n l d"]:
        """Walked, mixed, truncated, edited."""
        scene, ws = self._scene, self._track(frame)
        if scene.mix is not None and self._mixed is not None:
            count = ws.shape[1]
            layers = list(scene.mix.layers or range(count // 2, count))
            ws = ws.copy()
            ws[:, layers] = self._mixed(frame)[:, layers]
        if scene.truncation is not None:
            ws = truncated(ws, self._towards, scene.truncation.at(self._ways[frame]))
        if scene.step is not None and not self._early:
            ws = ws + scene.step
        for step, strength in self._swept(frame):
            ws = ws if step.vector is None else ws + strength * step.vector
        return ws

    def shift(self, frame: int) -> Shift | None:
        """What edits add to the styles."""
        found = [strength * step.shift for step, strength in self._swept(frame) if step.shift is not None]
        found += [] if self._scene.shift is None else [self._scene.shift]
        return np.sum(found, 0) if found else None

    def _swept(self, frame: int) -> list[tuple[Step, np.float32]]:
        """The edits that move, and how strong each is now."""
        loud = self._loud(frame, "edit")
        strength = 1.0 if loud is None else loud
        return [(step, np.float32(span.at(self._ways[frame]) * strength)) for step, span in self._scene.sweeps]

    def _loud(self, frame: int, drives: Drives) -> float | None:
        """How loud a frame is, if that is what the sound drives."""
        sound = self._scene.sound
        return None if sound is None or sound.drives != drives else float(sound.levels[frame])

    def digest(self) -> str:
        """What tells this from another film of the same settings: the numbers of files."""
        scene = self._scene
        swept = [part for sweep in scene.sweeps for part in (sweep.step.vector, sweep.step.shift)]
        levels = scene.sound and scene.sound.levels
        arrays = [scene.ws, scene.step, scene.z_step, scene.shift, *swept, levels]
        known = hashlib.sha256()
        for array in arrays:
            known.update(b"-" if array is None else np.ascontiguousarray(array, "<f4").tobytes())
        return known.hexdigest()


def _times(times: list[float], scene: Scene) -> list[float]:
    """When walks are where, 0 … 1: a path that goes round comes back, and where sound drives them, loud is fast."""
    circular = scene.loop or scene.path in ROUND
    sound = scene.sound
    if sound is None or sound.drives != "speed":
        return [i / scene.count for i in range(scene.count)] if circular else times
    passed = np.concatenate([[0.0], np.cumsum(np.asarray(sound.levels, np.float64))])
    passed = passed[:-1] / max(passed[-1] if circular else passed[-2], 1e-9)
    return passed.tolist()
