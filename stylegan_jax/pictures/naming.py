"""The images of a job as files: what they are called, what they are labelled with, how they are encoded."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import UInt8

from stylegan_jax.errors import brief, shown
from stylegan_jax.pictures import encoding, pool
from stylegan_jax.pictures.listing import Listing

ARRAY = "array"  # of a manifest: how the tasks of the job array that began the set were numbered
_WAITING = 1 << 26  # bytes of pixels that may wait to be encoded


@dataclass(frozen=True)
class Pictures:
    """Images number 0 to `count` - 1; nothing here is as long as their list.

    Attributes:
      stem: number → file name without a suffix.
      pixel_bytes: of one decoded image.
      sha256: of the list; equal for equal images in equal order.
      label: number → class, label vector, or None.
      form: how they are encoded, also their suffix.
      note: JSON data that every file carries, with what the place that holds it says of all.
      runs: the stems as runs of numbers, the first and the last of each; all of them one by one by default.
    """

    count: int
    stem: Callable[[int], str]
    pixel_bytes: int
    sha256: str
    label: Callable[[int], int | list[float] | None] = lambda index: None
    form: encoding.Form = "png"
    note: Mapping[str, Any] = field(default_factory=dict)
    runs: Sequence[tuple[str, str]] | None = None

    @property
    def listing(self) -> Listing:
        """Of their file names."""
        runs = self.runs if self.runs is not None else [(self.stem(i), self.stem(i)) for i in range(self.count)]
        return Listing((f"{first}.{self.form}", f"{last}.{self.form}") for first, last in runs)

    @property
    def waiting(self) -> int:
        """How many of them may wait for the threads that encode."""
        return max(2 * pool.threads(), min(64, _WAITING // self.pixel_bytes))

    def name(self, index: int) -> str:
        """The file name of an image."""
        return f"{self.stem(index)}.{self.form}"

    def encode(self, index: int, image: UInt8[np.ndarray, "h w c"], manifest: Mapping[str, Any]) -> bytes:
        """The bytes of its file; its own class in place of a manifest's "random"."""
        label = self.label(index)
        own = {"image": self.name(index)} | ({} if label is None else {"class_idx": label})
        return encoding.encode(image, self.form, {**manifest, **own, **self.note})


def difference(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """The first difference between what made images and what is to make them, in words; empty if there is none."""
    for key in sorted({*found, *wanted} - {ARRAY}):
        if found.get(key) != wanted.get(key):
            return f"made with {shown(key)} {brief(found.get(key))}, not {brief(wanted.get(key))}"
    return ""
