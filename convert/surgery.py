"""What `python -m convert` can do to a model on the way: another resolution, other colours, another shape."""

import dataclasses
from dataclasses import dataclass

from convert.recolouring import recoloured
from convert.reshaping import USUAL, reshaped
from convert.resizing import resized
from stylegan_jax.storage.checkpoint import Model

_KEY = "surgery"


@dataclass(frozen=True)
class Surgery:
    """What is changed of a model; "" and None leave it as it is.

    Attributes:
      resize: another resolution, see `resizing.resized`.
      channels: "grey", "rgb" or "rgba", see `recolouring.recoloured`.
      size: width and height of the images, "640x512", see `reshaping.reshaped`.
      size_by: how: "reflect", "tile", "pad" or "resize".
    """

    resize: int | None = None
    channels: str = ""
    size: str = ""
    size_by: str = ""

    @property
    def words(self) -> list[str]:
        """What is asked for, as the lineage of the outcome tells it."""
        return [f"{name.replace('_', '-')} {value}" for name, value in vars(self).items() if value]

    def __call__(self, model: Model) -> Model:
        """The changed model, whose lineage says what was done and what of it is fresh. InputError if it cannot be."""
        notes: list[str] = []
        if self.resize is not None:
            model, more = resized(model, self.resize)
            notes += more
        if self.channels:
            model, more = recoloured(model, self.channels)
            notes += more
        if self.size or self.size_by:
            model, more = reshaped(model, self.size, self.size_by or USUAL)
            notes += more
        if not self.words:
            return model
        told = {_KEY: [*model.lineage.get(_KEY, ()), *self.words], "notes": [*model.lineage.get("notes", ()), *notes]}
        return dataclasses.replace(model, lineage={**model.lineage, **told})

    def made(self, lineage: dict) -> bool:
        """Whether a model with this lineage was made by the very same changes."""
        return list(lineage.get(_KEY, ())) == self.words
