"""What `sample` can make: images of seeds, of given ws, or of mixed styles, each under a file name."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from stylegan_jax import latents, sampler
from stylegan_jax.checkpoint import Model
from stylegan_jax.errors import InputError

Options = dict[str, Any]  # batch, devices, parallel, noise, dtype: see `sampler.batching`


@dataclass(frozen=True)
class Truncation:
    """psi, cutoff and class as the user gave them; None where nothing was said."""

    psi: float | None = None
    cutoff: int | None = None
    class_idx: int | None = None

    @property
    def arguments(self) -> dict[str, Any]:
        """Those of `sampler.sample` and `sampler.map_seeds`."""
        psi = 1.0 if self.psi is None else self.psi
        return {"truncation_psi": psi, "truncation_cutoff": self.cutoff, "class_idx": self.class_idx}


@dataclass(frozen=True)
class Job:
    """Images to make.

    Attributes:
      names: file names, in the order of the sheet.
      render: yields the uint8 batches of the images at some indices.
      notes: JSON data that, with the model, tells how the images are made.
      columns: of the sheet; as square as possible by default.
      blanks: empty cells before the first image of the sheet.
    """

    names: list[str]
    render: Callable[[Sequence[int], Options], Iterator[np.ndarray]]
    notes: dict[str, Any] = field(default_factory=dict)
    columns: int | None = None
    blanks: int = 0


def of_seeds(model: Model, seeds: Sequence[int], truncation: Truncation) -> Job:
    """One image for every seed, `seed0000.png`, …"""
    latents.labels(truncation.class_idx, 1, model.config.generator.c_dim)  # refuse before anything is written

    def render(wanted: Sequence[int], options: Options) -> Iterator[np.ndarray]:
        return sampler.sample(model, [seeds[i] for i in wanted], **truncation.arguments, **options)

    return Job([f"seed{seed:04d}.png" for seed in seeds], render, truncation.arguments)


def of_ws(model: Model, path: str | Path, truncation: Truncation) -> Job:
    """One image for every w of a file, `proj00.png`, …; untruncated unless a psi is given.

    Raises InputError if the file holds no ws or they do not fit the model.
    """
    config, ws = model.config.generator, read_ws(path)
    if ws.ndim == 2:
        ws = np.repeat(ws[:, None], config.num_ws, 1)
    if ws.shape[1:] != (config.num_ws, config.w_dim):
        found = f"holds ws of shape {list(ws.shape)}, this model takes [n, {config.num_ws}, {config.w_dim}]"
        raise InputError(found, "use the model they were projected with, or a blend of it", file=path)
    if truncation.class_idx is not None:
        raise InputError("class: ws are beyond the mapping network", "leave the class out")
    if truncation.psi is not None:
        pulled = latents.truncate(jnp.asarray(ws), jnp.asarray(_w_avg(model)), truncation.psi, truncation.cutoff)
        ws = np.asarray(pulled)

    def render(wanted: Sequence[int], options: Options) -> Iterator[np.ndarray]:
        return sampler.sample_ws(model, ws[list(wanted)], seeds=wanted, **options)

    return Job(
        [f"proj{i:02d}.png" for i in range(len(ws))],
        render,
        {"w": Path(path).name, "w_sha256": hashlib.sha256(ws.tobytes()).hexdigest(), "truncation_psi": truncation.psi},
    )


def _w_avg(model: Model) -> np.ndarray:
    if model.config.generator.w_avg_beta is None:
        raise InputError("this model has no w_avg to truncate towards", "leave psi out")
    return model.networks["G_ema"]["mapping.w_avg"]


def read_ws(path: str | Path) -> Float[np.ndarray, "n d"] | Float[np.ndarray, "n l d"]:
    """The ws of a file such as the official projector writes: `.npz` (key `w`) or `.npy`.

    Raises InputError for anything else.
    """
    form = "pass finite floats of shape [n, w_dim] or [n, num_ws, w_dim], in .npy or as w in .npz"
    try:
        loaded = np.load(path, allow_pickle=False)
        ws = loaded["w"] if isinstance(loaded, np.lib.npyio.NpzFile) else loaded
    except FileNotFoundError as error:
        raise InputError("no such file", "check the path", file=path) from error
    except KeyError as error:
        raise InputError("has no array called w", form, file=path) from error
    except Exception as error:  # numpy raises half a dozen kinds
        raise InputError("is no file of ws", form, file=path) from error
    if ws.ndim not in (2, 3) or ws.dtype.kind != "f" or len(ws) == 0:
        raise InputError(f"holds {ws.dtype} of shape {list(ws.shape)}", form, file=path)
    if not np.isfinite(ws).all():
        raise InputError("holds NaN or Inf", form, file=path)
    return ws.astype(np.float32)


def of_styles(
    model: Model,
    rows: Sequence[int],
    columns: Sequence[int],
    layers: Sequence[int],
    truncation: Truncation,
    *,
    devices: int | None = None,
) -> Job:
    """The official style-mixing grid: columns' own images above, rows' at the left, `row-column.png` between.

    Raises InputError for a layer the model does not have.
    """
    ws = sampler.map_seeds(model, [*rows, *columns], devices=devices, **truncation.arguments)
    mixed = latents.mix_styles(ws[: len(rows)], ws[len(rows) :], layers)
    cells = [(f"{column}-{column}.png", w) for column, w in zip(columns, ws[len(rows) :], strict=True)]
    for i, row in enumerate(rows):
        cells += [(f"{row}-{row}.png", ws[i])]
        cells += [(f"{row}-{column}.png", mixed[i, j]) for j, column in enumerate(columns)]

    def render(wanted: Sequence[int], options: Options) -> Iterator[np.ndarray]:
        return sampler.sample_ws(model, np.stack([cells[i][1] for i in wanted]), seeds=wanted, **options)

    notes = {"rows": list(rows), "columns": list(columns), "layers": list(layers), **truncation.arguments}
    return Job([name for name, _ in cells], render, notes, columns=len(columns) + 1, blanks=1)
