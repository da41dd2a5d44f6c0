"""The frames of a film: models on the device, seeds on their way, α on its."""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image
from tqdm import tqdm

from interp.alphas import Sources, resolve_sources
from interp.given import given_ws
from interp.motion import EASINGS, At, positions, through, walk
from interp.rendering import Renderer
from interp.sheets import View
from stylegan_jax.pictures import video
from stylegan_jax.pictures.images import on_white
from stylegan_jax.sampler.latents import Label
from stylegan_jax.sampler.stylespace import Shift
from stylegan_jax.storage import atomic
from stylegan_jax.storage.checkpoint import Model

Frame = UInt8[np.ndarray, "h w 3"]
LEAST = 512
"""Pixels from which on a picture is large enough to watch."""
SEEDS = "0,1,2"
"""Whom a film shows unless it is said."""


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
      size: the largest side of a picture, in pixels; None: as it is, or `LEAST` where that is more.
      ws: of files, shown instead of seeds.
      step, z_step, shift: what edits add to every w, to the z of every seed, to the styles.
    """

    at: At
    walks: Sequence[Sequence[int]]
    count: int
    psi: float = 0.7
    class_idx: Label = None
    loop: bool = False
    ease: str = "smooth"
    size: int | None = None
    ws: Float[np.ndarray, "n l d"] | None = None
    step: Float[np.ndarray, "l d"] | None = None
    z_step: Float[np.ndarray, " z"] | None = None
    shift: Shift | None = None

    @property
    def view(self) -> View:
        """Every seed that occurs, once."""
        seeds = sorted({seed for walk in self.walks for seed in walk})
        return View(seeds, self.psi, self.class_idx, self.ws, step=self.step, z_step=self.z_step)

    def with_files(self, files: Sequence[str], space: str | None, base: Model, *, walk: bool) -> "Scene":
        """The same with the ws of files, side by side or (`walk`) one after the other; InputError as `given_ws`."""
        found = given_ws(files, space, base, psi=self.psi, class_idx=self.class_idx).values
        indices = list(range(len(found)))
        return dataclasses.replace(self, ws=found, walks=[indices] if walk else [[i] for i in indices])

    def sources(self, transfers: int, mapping: str | None, noise: str | None) -> Sources:
        """Where mapping and noise come from, decided once, by the first frame."""
        return resolve_sources(through(transfers, 0.0, self.at), mapping, noise, None)

    def frames(self, renderer: Renderer, sources: Sources) -> Iterator[Frame]:
        """Draws one frame after the other."""
        ease, view = EASINGS[self.ease], self.view
        known = dict(zip(view.seeds, view.ws_of(renderer.model(sources.mapping)), strict=True))
        stops = [np.stack([known[seed] for seed in each]) for each in self.walks]
        for time, way in positions(self.count, loop=self.loop, ease=ease):
            ws: Float[np.ndarray, "n l d"] = np.stack([walk(each, time, loop=self.loop, ease=ease) for each in stops])
            schedules = through(len(renderer.models) - 1, way, self.at)
            images = renderer.images(schedules, sources, ws, shift=self.shift)
            yield np.concatenate([fitted(image, self.size) for image in images], 1)


def usual_size(suffix: str) -> int | None:
    """The largest side of a picture in a film of that suffix, in pixels; None: as it is, or `LEAST` if that is more."""
    return None if suffix == ".mp4" else LEAST


def fitted(image: UInt8[np.ndarray, "h w c"], size: int | None) -> UInt8[np.ndarray, "h2 w2 3"]:
    """RGB pixels, RGBA on white, whose larger side is `size`, or at least `LEAST`."""
    picture = on_white(image)
    largest = max(picture.size)
    side = max(largest, LEAST) if size is None else size
    if side != largest:
        picture = picture.resize([round(each * side / largest) for each in picture.size], Image.Resampling.LANCZOS)
    return np.asarray(picture)


def write(
    path: Path, scene: Scene, renderer: Renderer, sources: Sources, *, fps: int, note: str, overwrite: bool = False
) -> None:
    """Writes a film, whole or not at all, in the form of its suffix; `note` goes into its comment.

    Raises InputError if it exists (unless `overwrite`).
    """

    def frames() -> Iterator[Frame]:
        yield from tqdm(scene.frames(renderer, sources), "frames", scene.count, disable=None, leave=False)

    with atomic.new_file(path, overwrite=overwrite) as file:
        video.write(file, frames(), suffix=path.suffix.lower(), fps=fps, note=note)
