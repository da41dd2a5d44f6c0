"""Frames, drawn in order: as many images in a step as the devices take, wherever successive frames are of one blend."""

from collections.abc import Container, Iterator, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from interp.alphas import Sources
from interp.rendering import Renderer
from interp.schedules import Schedule
from stylegan_jax.pictures import pool
from stylegan_jax.pictures.images import on_white
from stylegan_jax.sampler.stylespace import Shift

Frame = UInt8[np.ndarray, "h w 3"]
LEAST = 512
"""Pixels from which on a picture is large enough to watch."""


@runtime_checkable
class Moments(Protocol):
    """What a film shows at any of its `count` frames: `pictures` side by side."""

    count: int
    pictures: int

    def schedules(self, frame: int) -> list[Schedule]:
        """α of each transfer model."""
        ...

    def ws(self, frame: int) -> Float[np.ndarray, "n l d"]:
        """Of each picture."""
        ...

    def shift(self, frame: int) -> Shift | None:
        """What edits add to the styles of all of them."""
        ...

    def digest(self) -> str:
        """What tells this from another film of the same settings: the numbers of files."""
        ...


class _Look(NamedTuple):
    """The weights of a frame: α of each transfer model, and what edits add to the styles."""

    schedules: list[Schedule]
    shift: Shift | None

    def is_like(self, other: "_Look") -> bool:
        """Whether two frames may share a step."""
        return self.schedules == other.schedules and np.array_equal(_or_none(self.shift), _or_none(other.shift))


def _or_none(shift: Shift | None) -> Shift:
    return np.zeros(0, np.float32) if shift is None else shift


def _look(moments: Moments, frame: int) -> _Look:
    return _Look(moments.schedules(frame), moments.shift(frame))


class _Cell(NamedTuple):
    """A picture of a frame."""

    frame: int
    picture: int


def drawn(
    moments: Moments, renderer: Renderer, sources: Sources, *, size: int | None, wanted: Container[int] | None = None
) -> Iterator[tuple[int, Frame]]:
    """Yields the wanted frames (all by default), each with its number, in order.

    An image's place in its step follows from the film alone, so that a frame is the same to the bit whatever else is
    wanted. The devices work on a step while the one before is scaled to `size`.
    """

    def steps() -> Iterator[tuple[list[_Cell], _Look, np.ndarray]]:
        for step in _steps(moments, renderer.how.step):
            if wanted is None or any(cell.frame in wanted for cell in step):
                yield step, _look(moments, step[0].frame), _ws_of(moments, step)

    def images(step: tuple[list[_Cell], _Look, np.ndarray]) -> tuple[list[_Cell], np.ndarray]:
        cells, look, ws = step
        return cells, renderer.images(look.schedules, sources, ws, shift=look.shift)

    def rows() -> Iterator[tuple[int, list[np.ndarray]]]:
        row: list[np.ndarray] = []
        for cells, batch in pool.in_order(images, steps(), waiting=1, workers=1):
            for (frame, picture), image in zip(cells, batch, strict=True):
                row = [*(row if picture else []), image]
                if picture == moments.pictures - 1 and (wanted is None or frame in wanted):
                    yield frame, row

    def scaled(row: tuple[int, list[np.ndarray]]) -> tuple[int, Frame]:
        frame, images = row
        return frame, np.concatenate([fitted(image, size) for image in images], 1)

    yield from pool.in_order(scaled, rows(), waiting=pool.threads())


def _steps(moments: Moments, size: int) -> Iterator[list[_Cell]]:
    """The pictures of all frames, cut into steps: at most `size` of them, of one blend."""
    step: list[_Cell] = []
    last: _Look | None = None
    for frame in range(moments.count):
        now = _look(moments, frame)
        if step and last is not None and not now.is_like(last):
            yield step
            step = []
        last = now
        for picture in range(moments.pictures):
            step.append(_Cell(frame, picture))
            if len(step) == size:
                yield step
                step = []
    if step:
        yield step


def _ws_of(moments: Moments, step: Sequence[_Cell]) -> Float[np.ndarray, "n l d"]:
    known = {frame: moments.ws(frame) for frame in dict.fromkeys(cell.frame for cell in step)}
    return np.stack([known[frame][picture] for frame, picture in step])


def usual_size(suffix: str) -> int | None:
    """The largest side of a picture in a film of that suffix, in pixels; None: as it is, or `LEAST` if that is more."""
    return LEAST if suffix in (".webp", ".gif") else None


def fitted(image: UInt8[np.ndarray, "h w c"], size: int | None) -> UInt8[np.ndarray, "h2 w2 3"]:
    """RGB pixels, RGBA on white, whose larger side is `size`, or at least `LEAST`."""
    picture = on_white(image)
    largest = max(picture.size)
    side = max(largest, LEAST) if size is None else size
    if side != largest:
        picture = picture.resize([round(each * side / largest) for each in picture.size], Image.Resampling.LANCZOS)
    return np.asarray(picture)
