"""How a projection comes nearer, as a film: the pictures above, what the model makes of the ws so far below."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from stylegan_jax.pictures import video
from stylegan_jax.pictures.images import on_white
from stylegan_jax.sampler import sample_ws
from stylegan_jax.storage import atomic
from stylegan_jax.storage.checkpoint import Model

_FRAMES, _RATE = 100, 20  # at most so many, so many a second
_LEAST, _MOST = 256, 4096  # pixels of a picture, and across


class Film:
    """Collects ws on the way, and shows them in the end.

    Args:
      model: its G_ema.
      pictures: what is projected.
      steps: of the descent.
    """

    def __init__(self, model: Model, pictures: UInt8[np.ndarray, "n r r c"], steps: int):
        self._model, self._pictures = model, pictures
        self._every, self._steps = -(-steps // _FRAMES), steps
        self._ws: list[np.ndarray] = []

    def watch(self, step: int, w: Float[np.ndarray, "n l d"]) -> None:
        """Keeps the ws of this step, if it is one that is shown."""
        if step % self._every == 0 or step == self._steps:
            self._ws.append(w)

    def frames(self) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
        """One for each of the ws that were kept."""
        config = self._model.config.generator
        for w in self._ws:
            ws = np.broadcast_to(w, (len(w), config.num_ws, config.w_dim))
            images = np.concatenate(list(sample_ws(self._model, ws)))
            rows = [np.concatenate([np.asarray(on_white(each)) for each in row], 1) for row in (self._pictures, images)]
            yield _large(np.concatenate(rows, 0), len(w))

    def write(self, path: Path, note: Mapping[str, Any], *, overwrite: bool) -> None:
        """Writes the film, whole or not at all, in the form of its suffix; InputError as `atomic.new_file`."""
        with atomic.new_file(path, overwrite=overwrite) as file:
            video.write(file, self.frames(), suffix=path.suffix.lower(), fps=_RATE, note=json.dumps(note))


def _large(frame: UInt8[np.ndarray, "h w 3"], count: int) -> UInt8[np.ndarray, "h2 w2 3"]:
    """Pixels repeated until pictures are large enough to watch, or all of them as wide as a film may be."""
    side = frame.shape[1] // count
    times = max(1, min(-(-_LEAST // side), _MOST // frame.shape[1]))
    size = (frame.shape[1] * times, frame.shape[0] * times)
    return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.NEAREST))
