"""What people type about pivotal tuning, and the tuned models with their progress."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from stylegan_jax import values
from stylegan_jax.commands.descents import Descents, stacked
from stylegan_jax.commands.flags import typed

if TYPE_CHECKING:
    import numpy as np

    from stylegan_jax.projection.project import Projection
    from stylegan_jax.projection.tuning import Tuning
    from stylegan_jax.storage.checkpoint import Model


@dataclass(frozen=True, kw_only=True)
class Tunings:
    """Whether the model is trained on the photographs, once their ws are found."""

    tune: Literal["each", "all"] | None = None
    """train the model a little, so that it shows the photographs as they are: a model for each, or one for all"""
    tune_steps: Annotated[str, typed("N")] = "100"
    """of that training"""
    tune_lr: Annotated[str, typed("NUMBER")] = "0.003"
    """its learning rate"""

    def settings(self) -> "Tuning | None":
        """Of the tuning, if there is to be one; InputError for what is no number or out of range."""
        from stylegan_jax.projection.tuning import Tuning

        steps = values.natural(self.tune_steps, "--tune-steps", low=1, high=100_000)
        rate = values.number(self.tune_lr, "--tune-lr", low=1e-6, high=1)
        return Tuning(steps=steps, rate=rate) if self.tune else None

    def parts(self, count: int) -> list[slice]:
        """Which of so many photographs share a model."""
        return [slice(0, count)] if self.tune == "all" else [slice(i, i + 1) for i in range(count)]

    def places(self, start: Path, names: Sequence[str], *, overwrite: bool) -> list[Path]:
        """Where the models go: `start` with the photograph's name and `.safetensors`, or without a name that of all.

        Raises InputError for what exists.
        """
        from stylegan_jax.storage import atomic

        ends = [""] if self.tune == "all" else [f"-{name.replace('/', '-')}" for name in names]
        found = [start.with_name(f"{start.name}{end}.safetensors") for end in ends]
        for place in found:
            atomic.output_path(place, overwrite=overwrite)
        return found

    def models(
        self, model: "Model", pictures: "Sequence[np.ndarray]", ws: "np.ndarray", tuning: "Tuning", how: Descents
    ) -> "Iterator[tuple[slice, Model]]":
        """(which photographs, the model tuned to them), under a progress bar."""
        from tqdm import tqdm

        from stylegan_jax.projection.tuning import tune

        batch, parts = stacked(pictures, model), self.parts(len(pictures))
        pause, seed = 0.1 if sys.stderr.isatty() else 60, values.natural(how.seed, "--seed", high=2**32 - 1)
        with tqdm(total=tuning.steps * len(parts), unit="step", delay=pause, mininterval=pause) as progress:
            for i, part in enumerate(parts):

                def report(step: int, loss: float, done: int = i * tuning.steps) -> None:
                    progress.set_postfix_str(f"tuning, loss {loss:.3f}", refresh=False)
                    progress.update(done + step - progress.n)

                yield part, tune(model, batch[part], ws[part], tuning, loss=how.compared, seed=seed, report=report)


def write(
    sheet: Path,
    places: Sequence[Path],
    models: "Iterator[tuple[slice, Model]]",
    pictures: "Sequence[np.ndarray]",
    made: "Projection",
    names: Sequence[str],
    *,
    overwrite: bool,
) -> None:
    """Saves tuned models, and a sheet of the photographs, their projections, and the same ws in the tuned models."""
    import numpy as np

    from stylegan_jax.pictures import encoding
    from stylegan_jax.projection.project import seen, side_by_side
    from stylegan_jax.storage import checkpoint

    rows, note = [], {}
    for place, (part, model) in zip(places, models, strict=True):
        checkpoint.save(model, place, overwrite=overwrite)
        found = seen(model, stacked(pictures[part], model), made.ws[part], made.losses[part])
        rows += list(found.images)
        note = model.lineage["tuned"]
        for name, before, after in zip(names[part], made.psnr[part], found.psnr, strict=True):
            print(f"{name}: {before:.1f} dB, tuned {after:.1f} dB")
    picture = np.concatenate([side_by_side(pictures, list(made.images)), np.concatenate(rows, 1)], 0)
    encoding.write_picture(sheet, picture, {"tuned": note, "photographs": list(names)}, overwrite=overwrite)
    shown = str(places[0]) if len(places) == 1 else f"{len(places)} models beside it"
    print(f"wrote {sheet} and {shown}")
