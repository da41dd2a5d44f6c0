"""Training data: images of one size with their labels, mirrored if asked, in the official endless order."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from stylegan_jax.errors import shown
from stylegan_jax.train.data import sources
from stylegan_jax.train.data.cache import Cropped, cropped
from stylegan_jax.train.data.labels import Kind, Labels, read, table
from stylegan_jax.train.data.order import Order

_SHOWN = 3


@dataclass(frozen=True)
class Dataset:
    """Images by index: first as they are and then, if `mirror`, once more mirrored, as the official data set.

    Attributes:
      path: of the folder or zip.
      images: what is left of it.
      image_labels: one row for each of them; of width 0 if the model is not conditional.
      mirror: double the data by mirroring.
      order: of training.
      notes: what there is to say about the labels.
    """

    path: Path
    images: Cropped
    image_labels: Float[np.ndarray, "n c_dim"]
    mirror: bool
    order: Order = field(repr=False)
    notes: tuple[str, ...] = ()

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        resolution: int,
        channels: int = 3,
        labels: bool | Kind = False,
        mirror: bool = False,
        seed: int = 0,
        cache: Path | None = None,
    ) -> "Dataset":
        """Reads a folder or zip of images; what cannot be used is left out and named in `summary`.

        Raises InputError if nothing is usable, or labels are asked for and incomplete; OSError if the disk is full.

        Args:
          channels: 1 (grey), 3 or 4.
          labels: use the labels of `dataset.json` (True, "json"), or subfolders as classes ("folders").
          seed: of the order.
          cache: folder for the resized images; the user's cache by default.
        """
        source = sources.find(path)
        try:
            found = read(source, "folders" if labels == "folders" else "json") if labels else Labels({})
            images = cropped(source, resolution, channels, folder=cache)
        finally:
            source.close()
        rows, notes = np.zeros((len(images.names), 0), np.float32), ()
        if labels:
            rows, notes = table(found, images.names, source.path)
        count = len(images.names) * (2 if mirror else 1)
        return cls(source.path, images, rows, mirror, Order(count, seed=seed), notes)

    def __len__(self) -> int:
        return len(self.images.names) * (2 if self.mirror else 1)

    @property
    def resolution(self) -> int:
        """Pixels per side."""
        return self.images.pixels.shape[1]

    @property
    def channels(self) -> int:
        """1, 3 or 4."""
        return self.images.pixels.shape[3]

    @property
    def c_dim(self) -> int:
        """Width of the labels; 0 without."""
        return self.image_labels.shape[1]

    @property
    def labels(self) -> Float[np.ndarray, "n c_dim"]:
        """Of every index."""
        return np.tile(self.image_labels, (2 if self.mirror else 1, 1))

    def image(self, index: int) -> UInt8[np.ndarray, "r r c"]:
        """The pixels of an index."""
        pixels = self.images.pixels[index % len(self.images.names)]
        return np.asarray(pixels[:, ::-1] if index >= len(self.images.names) else pixels)

    def batch(self, counter: int, n: int) -> tuple[UInt8[np.ndarray, "n r r c"], Float[np.ndarray, "n c_dim"]]:
        """Training images number `counter` to `counter` + `n` - 1 of the endless order, and their labels."""
        indices = self.order.take(counter, n)
        return np.stack([self.image(i) for i in indices.tolist()]), self.image_labels[indices % len(self.images.names)]

    @property
    def description(self) -> dict[str, Any]:
        """What a run notes of its data, to know them again."""
        facts = {"name": self.path.name, "images": len(self.images.names), "resolution": self.resolution}
        return {**facts, "mirror": self.mirror, "c_dim": self.c_dim, "sha256": self.images.sha256}

    @property
    def summary(self) -> str:
        """How many images, how many were left out and why, how many enlarged; a line for each note."""
        parts = [f"{len(self.images.names)} images{' and their mirror images' if self.mirror else ''}"]
        left_out = [f"{shown(name, 200)}: {reason}" for name, reason in self.images.left_out.items()]
        if left_out:
            more = "; …" if len(left_out) > _SHOWN else ""
            parts.append(f"{len(left_out)} left out ({'; '.join(left_out[:_SHOWN])}{more})")
        if self.images.enlarged:
            parts.append(f"{len(self.images.enlarged)} smaller than {self.resolution} pixels, enlarged")
        return "\n".join([", ".join(parts), *self.notes])
