"""The moments of a film that keyframes describe: between two of them everything is mixed."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from interp import paths
from interp.alphas import Sources, resolve_sources
from interp.given import given_ws, truncated
from interp.keyframes import Keyframe, Keyframes, of_frame
from interp.motion import EASINGS, Leg, between, mixed
from interp.schedules import Schedule
from interp.sheets import View
from interp.tracks import Latents, Mapped
from stylegan_jax import values
from stylegan_jax.editing import directionfile
from stylegan_jax.editing.edits import Step, step_of, warned
from stylegan_jax.errors import InputError
from stylegan_jax.sampler.latents import Label, drawn_from, labels_of, z_from_seeds
from stylegan_jax.sampler.stylespace import Shift
from stylegan_jax.storage.checkpoint import Model

_NOTHING = np.zeros(0, np.float32)


class Keyed:
    """Keyframes for some models; `moments` makes them move.

    Args:
      keyframes: what is shown.
      models, labels: the base, then each transfer model, and how messages name them.
      file: where the keyframes come from; paths in it lie beside it, or where they say.
      class_idx: for those of the models that are conditional.

    Raises InputError for what the models cannot show, naming the keyframe.
    """

    def __init__(
        self, keyframes: Keyframes, models: Sequence[Model], labels: Sequence[str], *, file: str, class_idx: Label
    ):
        self.keyframes, self.models, self.file = keyframes.whole(), models, file
        self.class_idx: Label = class_idx
        self.directions = [self._beside(each) for each in keyframes.directions]
        for path in self.directions:  # though no keyframe may have an edit
            directionfile.read(path, models[0].config.generator)
        for number, frame in enumerate(self.keyframes.frames, 1):
            with of_frame(number, file):
                self._check(frame, labels)

    def _beside(self, path: str) -> str:
        """A path in the file as it is seen from here."""
        near = Path(self.file).parent / path
        return str(near) if near.exists() else path

    def _check(self, frame: Keyframe, labels: Sequence[str]) -> None:
        transfers, resolutions = len(self.models) - 1, self.models[0].config.generator.resolutions
        if len(frame.schedules) != transfers:
            what = f"{len(frame.schedules)} schedules for {transfers} transfer models"
            raise InputError(what, "write one for each, as a list")
        for schedule in frame.schedules:
            schedule.check(resolutions)
        if frame.w_space is not None and frame.w is None:
            raise InputError("w_space: there is no w that it is about", "leave it out, or write w: FILE.npy")
        if frame.seeds is not None:
            view = View(values.seeds(frame.seeds, "seeds"), float(frame.psi or 0), self.class_idx)
            view.check(self.models, labels)
        elif self.keyframes.path == "slerp":
            raise InputError("the path slerp leads through z, and files hold w", "write path: linear or spline")

    def sources(self, mapping: str | None, noise: str | None) -> Sources:
        """Where mapping and noise come from, decided once, by the first keyframe."""
        return resolve_sources(self.keyframes.frames[0].schedules, mapping, noise, None)

    def moments(self, mapping: Model, fps: int) -> "Moving":
        """The film at so many frames a second, with the w that one of the models makes of seeds."""
        known: dict[Any, Step] = {}
        ws, steps = [], []
        for number, frame in enumerate(self.keyframes.frames, 1):
            with of_frame(number, self.file):
                edits = tuple(frame.edits or ()), tuple(frame.styles or ()), frame.seeds is not None
                if edits not in known:
                    texts, styles, seeds = edits
                    step = step_of(texts, self.directions, self.models[0], styles=styles, seeds=seeds)
                    known[edits] = warned(step)
                steps.append(known[edits])
                ws.append(self._ws(frame, mapping, steps[-1]))
                if len(ws[-1]) != len(ws[0]):
                    raise InputError(f"{len(ws[-1])} pictures, not {len(ws[0])}", "show as many in every keyframe")
        return Moving(self.keyframes, np.stack(ws), steps, mapping, self.class_idx, fps)

    def _ws(self, frame: Keyframe, mapping: Model, step: Step) -> Float[np.ndarray, "n l d"]:
        psi = float(1 if frame.psi is None else frame.psi)
        if frame.w is not None:
            files = [self._beside(each) for each in frame.w]
            return given_ws(files, frame.w_space, self.models[0], psi=psi, class_idx=self.class_idx).values
        seeds = values.seeds(str(frame.seeds), "seeds")
        view = View(sorted(set(seeds)), psi, self.class_idx, z_step=step.z)
        every = dict(zip(view.seeds, view.ws_of(mapping), strict=True))
        return np.stack([every[seed] for seed in seeds])


class Moving:
    """The moments of keyframes: see `frames.Moments`.

    Args:
      keyframes: whole.
      ws: truncated, of each keyframe and picture.
      steps: the edits of each keyframe.
      mapping: makes the w of z.
      class_idx: of seeds, on the path `slerp`.
      fps: frames a second.
    """

    def __init__(
        self,
        keyframes: Keyframes,
        ws: Float[np.ndarray, "k n l d"],
        steps: Sequence[Step],
        mapping: Model,
        class_idx: Label,
        fps: int,
    ):
        self._keyframes, self._knots, self._fps = keyframes, np.array(keyframes.knots), fps
        self._steps = _stacked([step.vector for step in steps], np.zeros_like(ws[0, 0]))
        self._shifts = _stacked([step.shift for step in steps], _NOTHING)
        self._z = _stacked([step.z for step in steps], _NOTHING)
        self._stops = ws + self._steps[:, None]
        self._schedules = [frame.schedules for frame in keyframes.frames]
        self._mapping = mapping
        self._class: Label = class_idx
        self.count = max(1, round(self._knots[-1] * fps) + (keyframes.loop is None))
        self.pictures = ws.shape[1]
        self._mapped = self._through_z() if keyframes.path == "slerp" else None

    def _leg(self, frame: int) -> Leg:
        """Between which keyframes a frame is; the share is eased."""
        t, knots, count = frame / self._fps, self._knots, len(self._keyframes.frames)
        start = int(np.clip(np.searchsorted(knots, t, side="right") - 1, 0, len(knots) - 2))
        share = min((t - knots[start]) / (knots[start + 1] - knots[start]), 1.0)
        ease = EASINGS[str(self._keyframes.frames[start].ease)]
        return Leg(start, (start + 1) % count, ease(share))

    def _through_z(self) -> Mapped:
        config, seeds = self._mapping.config.generator, [values.seeds(str(f.seeds)) for f in self._keyframes.frames]
        label = drawn_from(self._mapping.lineage, self._class if config.c_dim else None)
        moved = self._z if self._z.size else np.zeros((len(seeds), 1), np.float32)
        z = [z_from_seeds(each, config.z_dim) + step for each, step in zip(seeds, moved, strict=True)]
        c = [labels_of(label, each, config.c_dim) for each in seeds]

        def latents(frame: int) -> Latents:
            start, end, share = self._leg(frame)
            pairs = zip(z[start], z[end], strict=True)
            return np.stack([paths.slerp(one, two, share) for one, two in pairs]), between(c[start], c[end], share)

        return Mapped(self._mapping, latents, self.count, 1.0)

    def schedules(self, frame: int) -> list[Schedule]:
        """α of each transfer model."""
        start, end, share = self._leg(frame)
        if share in (0, 1):
            return self._schedules[end if share else start]
        return [mixed(*both, share) for both in zip(self._schedules[start], self._schedules[end], strict=True)]

    def ws(self, frame: int) -> Float[np.ndarray, "n l d"]:
        """Of each picture."""
        start, end, share = self._leg(frame)
        if self._mapped is not None:
            psi = np.interp(share, (0, 1), [float(self._keyframes.frames[i].psi or 0) for i in (start, end)])
            ws = truncated(self._mapped(frame), self._mapping, float(psi))
            return ws + between(self._steps[start], self._steps[end], share)
        if share in (0, 1):
            return self._stops[end if share else start]
        if self._keyframes.path == "spline":
            t = self._knots[start] + share * (self._knots[start + 1] - self._knots[start])
            closed = self._keyframes.loop is not None
            pictures = self._stops.swapaxes(0, 1)
            return np.stack([paths.spline(each, t, knots=self._knots.tolist(), closed=closed) for each in pictures])
        return between(self._stops[start], self._stops[end], share)

    def shift(self, frame: int) -> Shift | None:
        """What edits add to the styles."""
        start, end, share = self._leg(frame)
        return between(self._shifts[start], self._shifts[end], share) if self._shifts.size else None

    def digest(self) -> str:
        """What tells this from another film of the same settings: the numbers of files."""
        arrays = (self._stops, self._steps, self._shifts, self._z)
        return hashlib.sha256(b"".join(array.astype("<f4").tobytes() for array in arrays)).hexdigest()


def _stacked(parts: Sequence[np.ndarray | None], usual: np.ndarray) -> Float[np.ndarray, "k ..."]:
    """What the edits of each keyframe add: 0 where they add nothing, and `usual` times 0 where none does."""
    like = next((part for part in parts if part is not None), usual)
    return np.stack([np.zeros_like(like) if part is None else part for part in parts])
