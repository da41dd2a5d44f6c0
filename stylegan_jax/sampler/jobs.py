"""What `sample` can make: images of seeds, of given ws, or of mixed styles, each under a file name."""

import hashlib
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, UInt8, UInt32

from stylegan_jax.config import GeneratorConfig
from stylegan_jax.errors import InputError
from stylegan_jax.pictures import images
from stylegan_jax.pictures.naming import Pictures
from stylegan_jax.sampler import latents, run
from stylegan_jax.sampler.batching import Batching
from stylegan_jax.sampler.stylespace import Shift
from stylegan_jax.storage.checkpoint import Model, fingerprint

Batches = Iterator[np.ndarray]

_PIECE = 4096  # ws that are held at a time
Step = Float[np.ndarray, "l d"]
"""What edits add to the ws of every image."""
ZStep = Float[np.ndarray, " z"]
"""What edits add to the z of every seed."""


@dataclass(frozen=True)
class Truncation:
    """psi, cutoff and class as the user gave them; None where nothing was said."""

    psi: float | None = None
    cutoff: int | None = None
    class_idx: latents.Label = None

    @property
    def arguments(self) -> dict[str, Any]:
        """Those of `sampler.sample` and `sampler.map_seeds`."""
        psi = 1.0 if self.psi is None else self.psi
        return {"truncation_psi": psi, "truncation_cutoff": self.cutoff, "class_idx": self.class_idx}

    @property
    def notes(self) -> dict[str, Any]:
        """The arguments as JSON data: a vector is a list."""
        label = self.class_idx
        return self.arguments | {"class_idx": list(label) if isinstance(label, tuple) else label}


@dataclass(frozen=True)
class Job:
    """Images to make.

    Attributes:
      pictures: their names.
      render: yields the uint8 batches of the images of some numbers, drawn as they are needed.
      notes: JSON data that, with the model, tells how the images are made.
      cells: which images the sheet shows, in its order; all by default.
      columns: of the sheet; as square as possible by default.
      blanks: empty cells before the first image of the sheet.
      ws: the ws of some numbers, truncated.
    """

    pictures: Pictures
    render: Callable[[Iterable[int], Batching], Batches]
    notes: dict[str, Any] = field(default_factory=dict)
    cells: Sequence[int] = ()
    columns: int | None = None
    blanks: int = 0
    ws: Callable[[Iterable[int], Batching], Float[np.ndarray, "n l d"]] | None = None

    def images(self, wanted: Iterable[int], how: Batching) -> Iterator[tuple[int, UInt8[np.ndarray, "h w c"]]]:
        """The images of rising numbers, each with its number; these are drawn a few steps ahead.

        An image's place in its batch decides its last bit, so it follows from its number alone, whoever makes it and
        whatever was made before; what fills the places between is dropped.
        """
        drawn: deque[int | None] = deque()

        def numbers() -> Iterator[int]:
            place = 0
            for index in wanted:
                gap = (index - place) % how.batch
                place += gap + 1
                drawn.extend([*[None] * gap, index])
                yield from [index] * (gap + 1)

        for batch in self.render(numbers(), how):
            for image in batch:
                if (index := drawn.popleft()) is not None:
                    yield index, image

    def pieces_of_ws(self, share: range, how: Batching) -> Iterator[Float[np.ndarray, "n l d"]]:
        """The ws of a share, in pieces that begin where a batch does: their last bit follows from the number alone."""
        assert self.ws is not None
        step = -(-_PIECE // how.batch) * how.batch
        for start in range(share.start - share.start % how.batch, share.stop, step):
            piece = self.ws(range(start, min(start + step, share.stop)), how)
            yield piece[max(0, share.start - start) :]

    def made_by(self, model: Model, how: Batching) -> dict[str, Any]:
        """What tells, as JSON data, how the images of a model are made: another value, another image."""
        settings = {"batch": how.batch, "plan": how.plan, "noise": how.noise, "dtype": how.dtype}
        return {"model": str(model.lineage.get("source")), "model_sha256": fingerprint(model), **self.notes, **settings}

    def check_sheet(self, config: GeneratorConfig) -> None:
        """Raises InputError for a sheet that no PNG can hold, before any image is made."""
        (rows, columns), (height, width) = self._rows_and_columns, config.image_size
        images.check_size(columns * width, rows * height)

    def sheet(self, image: Callable[[int], UInt8[np.ndarray, "h w c"]]) -> UInt8[np.ndarray, "H W c"]:
        """All images as one; `image` gives that of a number."""
        cells = np.stack([image(index) for index in self.cells])
        cells = np.concatenate([np.zeros((self.blanks, *cells.shape[1:]), np.uint8), cells])
        return images.grid(cells, self._rows_and_columns[1])

    @property
    def _rows_and_columns(self) -> tuple[int, int]:
        cells = len(self.cells) + self.blanks
        columns = self.columns or math.ceil(math.sqrt(cells))
        return -(-cells // columns), columns


def of_seeds(
    model: Model,
    seeds: Sequence[int] | UInt32[np.ndarray, " n"],
    truncation: Truncation,
    *,
    mapping: Model | None = None,
    step: Step | None = None,
    z_step: ZStep | None = None,
    shift: Shift | None = None,
) -> Job:
    """One image for every seed, `seed0000`, …; a seed named twice is one image.

    The ws come from `mapping` if it is given, so that several models show the same w. Edits are added to all: `step` to
    their ws, `z_step` to their z, `shift` to their styles.
    """
    source = model if mapping is None else run.same_ws(mapping, model)
    arguments, c_dim = truncation.arguments, source.config.generator.c_dim
    class_idx = latents.drawn_from(source.lineage, truncation.class_idx)
    latents.labels_of(class_idx, [0], c_dim)  # refuse before anything is written
    unique, cells = _unique(np.asarray(seeds, np.uint32))

    def render(wanted: Iterable[int], how: Batching) -> Batches:
        numbers = (int(unique[i]) for i in wanted)
        edits: dict[str, Any] = {"step": step, "z_step": z_step, "shift": shift}
        return run.sample(model, numbers, mapping=mapping, **edits, **arguments, **how.options)

    def ws(wanted: Iterable[int], how: Batching) -> np.ndarray:
        mapped = run.map_seeds(source, (int(unique[i]) for i in wanted), z_step=z_step, **arguments, **how.placing)
        return mapped if step is None else mapped + step

    def label(index: int) -> int | list[float] | None:
        own = class_idx
        if isinstance(class_idx, latents.Drawn):
            own = latents.drawn_labels(class_idx, [int(unique[index])])[0]
        elif class_idx == "random":
            own = latents.random_classes([int(unique[index])], c_dim)[0]
        return list(own) if isinstance(own, tuple) else own  # pyright: ignore[reportReturnType]

    digest = hashlib.sha256(unique.astype("<u4").tobytes()).hexdigest()
    runs = [(f"seed{first:04d}", f"seed{last:04d}") for first, last in _runs(unique)]
    pictures = _pictures(model, len(unique), lambda index: f"seed{unique[index]:04d}", digest, label, runs=runs)
    return Job(pictures, render, truncation.notes | _note(step=step, z_step=z_step, shift=shift), cells, ws=ws)


def _note(**edits: np.ndarray | None) -> dict[str, Any]:
    """What tells one edit from another."""
    given = {name: edit for name, edit in edits.items() if edit is not None}
    return {f"{name}_sha256": hashlib.sha256(edit.astype("<f4").tobytes()).hexdigest() for name, edit in given.items()}


def _unique(seeds: np.ndarray) -> tuple[np.ndarray, Sequence[int]]:
    """The seeds in order, each once, and where each of `seeds` is among them."""
    found, first, inverse = np.unique(seeds, return_index=True, return_inverse=True)
    if len(found) == len(seeds):
        return seeds, range(len(seeds))
    order = np.argsort(first)
    return found[order], np.argsort(order)[inverse].tolist()


def _runs(seeds: np.ndarray) -> list[tuple[int, int]]:
    """The first and the last seed of every run without a gap."""
    ordered = np.sort(seeds).astype(np.int64)
    return [
        (int(run[0]), int(run[-1])) for run in np.split(ordered, np.flatnonzero(np.diff(ordered) != 1) + 1) if len(run)
    ]


def _pictures(
    model: Model, count: int, stem: Callable[[int], str], sha256: str, *label: Any, runs: Any = None
) -> Pictures:
    config: GeneratorConfig = model.config.generator
    return Pictures(count, stem, math.prod(config.image_size) * config.img_channels, sha256, *label, runs=runs)


def of_ws(
    model: Model,
    ws: Float[np.ndarray, "n l d"],
    names: Sequence[str],
    truncation: Truncation,
    *,
    source: str,
    step: Step | None = None,
    shift: Shift | None = None,
) -> Job:
    """One image for every w, of that name; untruncated unless a psi is given. `source` says where they come from.

    `step` is added to all of them afterwards, `shift` to their styles.

    Raises InputError if they do not fit the model.
    """
    config = model.config.generator
    if ws.shape[1:] != (config.num_ws, config.w_dim):
        found = f"takes ws of shape [n, {config.num_ws}, {config.w_dim}], these are {list(ws.shape)}"
        raise InputError(found, "use models of one resolution and w_dim", file=model.lineage.get("source"))
    if truncation.class_idx is not None:
        raise InputError("class: ws are beyond the mapping network", "leave the class out")
    if truncation.psi is not None:
        pulled = latents.truncate(jnp.asarray(ws), jnp.asarray(_w_avg(model)), truncation.psi, truncation.cutoff)
        ws = np.asarray(pulled)
    ws = ws if step is None else ws + step

    def render(wanted: Iterable[int], how: Batching) -> Batches:
        numbers = list(wanted)
        return run.sample_ws(model, ws[numbers], seeds=numbers, shift=shift, **how.options)

    def given(wanted: Iterable[int], how: Batching) -> np.ndarray:
        return ws[list(wanted)]

    digest = hashlib.sha256(ws.tobytes()).hexdigest()
    pictures = _pictures(model, len(ws), names.__getitem__, digest)
    notes = {"w": source, "w_sha256": digest, "truncation_psi": truncation.psi} | _note(shift=shift)
    return Job(pictures, render, notes, range(len(ws)), ws=given)


def _w_avg(model: Model) -> np.ndarray:
    if model.config.generator.w_avg_beta is None:
        raise InputError("this model has no w_avg to truncate towards", "leave psi out")
    return model.networks["G_ema"]["mapping.w_avg"]


def of_styles(
    model: Model,
    rows: Sequence[int],
    columns: Sequence[int],
    layers: Sequence[int],
    truncation: Truncation,
    *,
    how: Batching,
    step: Step | None = None,
    z_step: ZStep | None = None,
    shift: Shift | None = None,
) -> Job:
    """The official style-mixing grid: columns' own images above, rows' at the left, `row-column` between.

    Edits are added to all, as by `of_seeds`.

    Raises InputError for a layer the model does not have.
    """
    ws = run.map_seeds(model, [*rows, *columns], z_step=z_step, **how.placing, **truncation.arguments)
    ws = ws if step is None else ws + step
    mixed = latents.mix_styles(ws[: len(rows)], ws[len(rows) :], layers)
    cells = [(f"{column}-{column}", w) for column, w in zip(columns, ws[len(rows) :], strict=True)]
    for i, row in enumerate(rows):
        cells += [(f"{row}-{row}", ws[i])]
        cells += [(f"{row}-{column}", mixed[i, j]) for j, column in enumerate(columns)]
    each = dict(cells)  # seeds named twice are one image
    stems, numbers = list(each), {stem: i for i, stem in enumerate(each)}

    def mixed_ws(wanted: Iterable[int], how: Batching) -> np.ndarray:
        return np.array([each[stems[i]] for i in wanted]).reshape(-1, *ws.shape[1:])

    def render(wanted: Iterable[int], how: Batching) -> Batches:
        chosen = list(wanted)
        return run.sample_ws(model, mixed_ws(chosen, how), seeds=chosen, shift=shift, **how.options)

    notes = {"rows": list(rows), "columns": list(columns), "layers": list(layers), **truncation.notes}
    notes |= _note(step=step, z_step=z_step, shift=shift)
    digest = hashlib.sha256(repr(stems).encode()).hexdigest()
    pictures = _pictures(model, len(stems), stems.__getitem__, digest)
    order = [numbers[stem] for stem, _ in cells]
    return Job(pictures, render, notes, order, len(columns) + 1, blanks=1, ws=mixed_ws)
