"""The ws of every frame of a walk: through stops in w, or through z and the mapping network."""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float

from interp import paths
from interp.motion import between, leg, walk
from stylegan_jax.sampler import batching
from stylegan_jax.sampler.latents import Label, drawn_from, labels_of, z_from_seeds
from stylegan_jax.sampler.programs import Placement, mapping_program
from stylegan_jax.sampler.run import mapping_of
from stylegan_jax.storage.checkpoint import Model

Ease = Callable[[float], float]
Track = Callable[[int], Float[np.ndarray, "n l d"]]
"""Frame → ws."""
Latents = tuple[Float[np.ndarray, "n z"], Float[np.ndarray, "n c"]]
_PIECE = 1024  # w that are mapped at a time


class Mapped:
    """Frame → ws on a way through z. A piece of the film is mapped at a time, cut by the number of the frame alone:
    the last bit follows from nothing else.

    Args:
      model: whose mapping network it is.
      latents: frame → z and labels, a row for each picture.
      count: frames.
      psi: truncation towards the model's w_avg.
    """

    def __init__(self, model: Model, latents: Callable[[int], Latents], count: int, psi: float):
        config = model.config.generator
        self._latents, self._count, self._psi = latents, count, np.float32(psi)
        self._place = Placement(batching.choose(config))
        self._program = mapping_program(config, self._place.how, None)
        self._weights = self._place.replicate(mapping_of(model.networks["G_ema"]))
        self._length = max(1, _PIECE // len(latents(0)[0]))
        self._held, self._ws = -1, np.zeros((0, 0, 0, 0), np.float32)

    def __call__(self, frame: int) -> Float[np.ndarray, "n l d"]:
        """The ws of a frame, a row for each picture."""
        piece, place = divmod(frame, self._length)
        if piece != self._held:
            frames = range(piece * self._length, min((piece + 1) * self._length, self._count))
            z, c = (np.concatenate(rows) for rows in zip(*map(self._latents, frames), strict=True))
            ws = self._mapped(z, c)
            self._held, self._ws = piece, ws.reshape(len(frames), -1, *ws.shape[1:])
        return self._ws[place]

    def _mapped(self, z: Float[np.ndarray, "n z"], c: Float[np.ndarray, "n c"]) -> Float[np.ndarray, "n l d"]:
        place, psi, found = self._place, self._place.replicate(self._psi), []
        for start in range(0, len(z), place.how.step):
            part = slice(start, start + place.how.step)
            ws = self._program(self._weights, place.split(z[part]), place.split(c[part]), psi)
            found.append(np.asarray(ws)[: len(z[part])])
        return np.concatenate(found)


def through_z(
    walks: Sequence[Sequence[int]],
    model: Model,
    path: paths.Path,
    diameter: float,
    class_idx: Label,
    *,
    loop: bool,
    ease: Ease,
) -> Callable[[float], Latents]:
    """Time of 0 … 1 → z and labels of each walk.

    Args:
      walks: seeds; of a path that goes round, one for each.
      model: its z, and its labels.
      path: one of `paths.IN_Z`.
      diameter: of a path that goes round.
      class_idx: of a conditional model.
      loop, ease: as `motion.leg` takes them.
    """
    config = model.config.generator
    label = drawn_from(model.lineage, class_idx)
    known = [labels_of(label, walk, config.c_dim) for walk in walks]
    if path != "slerp":
        make = paths.circle if path == "circle" else paths.noise
        ways, c = [make(walk[0], config.z_dim, diameter) for walk in walks], np.concatenate(known)
        return lambda t: (np.stack([way(t) for way in ways]), c)
    stops = [z_from_seeds(walk, config.z_dim) for walk in walks]

    def at(t: float) -> Latents:
        legs = [leg(len(each), t, loop=loop, ease=ease) for each in stops]
        z = [paths.slerp(each[i], each[j], share) for each, (i, j, share) in zip(stops, legs, strict=True)]
        c = [between(each[i], each[j], share) for each, (i, j, share) in zip(known, legs, strict=True)]
        return np.stack(z), np.stack(c)

    return at


def through_w(
    stops: Sequence[Float[np.ndarray, "_ l d"]], path: paths.Path, *, loop: bool, ease: Ease
) -> Callable[[float], Float[np.ndarray, "n l d"]]:
    """Time of 0 … 1 → ws on the way through stops, `linear` from each to the next, or along a `spline`.

    A spline does not stop on its way: only the beginning and the end are eased, and of a loop nothing is.
    """

    def smoothly(each: Float[np.ndarray, "k l d"], t: float) -> Float[np.ndarray, "l d"]:
        closed = loop and len(each) > 1
        return paths.spline(each, (len(each) - 1 + closed) * (t if closed else ease(t)), closed=closed)

    if path == "spline":
        return lambda t: np.stack([smoothly(each, t) for each in stops])
    return lambda t: np.stack([walk(each, t, loop=loop, ease=ease) for each in stops])
