"""The options that say where directions come from."""

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import tyro

from stylegan_jax import values
from stylegan_jax.commands.flags import typed
from stylegan_jax.errors import InputError

if TYPE_CHECKING:
    from stylegan_jax.editing.directions import Directions
    from stylegan_jax.sampler.latents import Label
    from stylegan_jax.storage.checkpoint import Model

_MOST_CHANNELS = 512


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
    """Where the directions come from: choose one."""

    find: Literal["sefa", "pca", "styles"] | None = None
    """sefa: of the weights of the affine layers (Shen and Zhou 2021), in a moment; pca: of w (GANSpace); styles: single
    style channels (Wu et al. 2021) that act in a --mask, or tell the sets of --from-latents apart"""
    from_latents: Annotated[tuple[str, ...], tyro.conf.arg(metavar="A B", help_behavior_hint="")] = ()
    """two files of ws: the direction leads from the first set to the second"""
    directions: Annotated[str | None, typed("FILE")] = None
    """a file of directions: ours, or one of InterFaceGAN, eps696, StyleCLIP, …"""
    directions_space: Literal["w", "z"] = "w"
    """of --directions by other programs, which do not say it: where the vectors are"""
    mask: Annotated[str | None, typed("PICTURE")] = None
    """of --find styles: the region in question, white on black, as the faces of --seeds have it"""
    method: Literal["difference", "classifier"] = "difference"
    """of --from-latents: the difference of the means, or what tells the sets apart best"""
    layers: Annotated[str | None, typed("0-3")] = None
    """of --find sefa and pca: whose affine layers are looked at, and which an edit moves (default: all)"""
    count: Annotated[str, tyro.conf.arg(metavar="N")] = "16"
    """of --find: how many"""
    samples: Annotated[str, tyro.conf.arg(metavar="N")] = "100000"
    """of --find pca: how many seeds are mapped"""

    @property
    def is_one(self) -> bool:
        """Whether one direction is found, between two sets."""
        return bool(self.from_latents) and self.find is None

    @property
    def files(self) -> list[str]:
        """What is read, by path; ws without the array's name behind a colon."""
        from convert.ws import split

        sets = [str(split(each)[0]) for each in self.from_latents]
        return [*sets, *(each for each in (self.mask, self.directions) if each is not None)]

    def check(self) -> None:
        """Raises InputError unless exactly one is given, with what belongs to it."""
        sets = self.from_latents if self.find != "styles" else ()
        given = {"--find": self.find, "--from-latents": sets or None, "--directions": self.directions}
        flags = [flag for flag, value in given.items() if value is not None]
        if len(flags) != 1:
            what = f"{' and '.join(flags)}: one too many" if flags else "no directions"
            raise InputError(
                what, "pass one of --find sefa, --find pca, --find styles, --from-latents A B, --directions FILE"
            )
        if self.from_latents and len(self.from_latents) != 2:
            raise InputError(f"{len(self.from_latents)} files", "name two files of ws", file="--from-latents")
        if (self.find == "styles") != (self.mask is not None) and not (self.find and self.from_latents):
            what = "--find styles: which of them?" if self.find == "styles" else "--mask goes with --find styles"
            raise InputError(what, "pass --find styles --mask PICTURE, or --find styles --from-latents A B")
        if self.mask is not None and self.from_latents:
            raise InputError("--mask and --from-latents: one too many", "pass one of them")
        if self.layers is not None and self.find not in ("sefa", "pca"):
            raise InputError("--layers goes with --find sefa and pca", "leave --layers out")
        if self.directions_space == "z" and self.directions is None:
            raise InputError("--directions-space goes with --directions", "pass --directions FILE")

    def read(
        self, model: "Model", name: str, class_idx: "Label", ws: "np.ndarray[Any, np.dtype[np.float32]]"
    ) -> "Directions":
        """The directions for a model.

        Args:
          model: in whose spaces they are.
          name: of the one between two sets.
          class_idx: of a conditional model.
          ws: of the faces in whose pictures the region of a mask lies.
        """
        from stylegan_jax.editing import finding

        config = model.config.generator
        if self.directions is not None:
            return self._stored(model)
        if self.find == "styles":
            return self._styles(model, ws)
        if self.from_latents:
            return finding.between(model, *self._sets(model), name, self.method)
        count = values.natural(self.count, "--count", low=1, high=config.w_dim)
        layers = None if self.layers is None else values.seeds(self.layers, "--layers")
        if self.find == "sefa":
            return finding.sefa(model, count, layers, class_idx=class_idx)
        samples = values.natural(self.samples, "--samples", low=2, high=10_000_000)
        return finding.pca(model, count, layers, samples=samples, class_idx=class_idx)

    def _stored(self, model: "Model") -> "Directions":
        """Those of a file."""
        from stylegan_jax.editing import directionfile

        found = directionfile.read(str(self.directions), model.config.generator, self.directions_space)
        if self.directions_space == "z" and found.space != "z":
            what = "--directions-space z: the file itself says that they are elsewhere"
            raise InputError(what, "leave --directions-space out", file=self.directions)
        return found

    def _styles(self, model: "Model", ws: Any) -> "Directions":
        from stylegan_jax.editing import channels, regions

        count = values.natural(self.count, "--count", low=1, high=_MOST_CHANNELS)
        if self.mask is None:
            return channels.between(model, *self._sets(model), count)
        return regions.find(model, ws, regions.read(self.mask, model.config.generator.image_size), count)

    def _sets(self, model: "Model") -> tuple[Any, Any]:
        """The ws of both files; prints how they were read."""
        from convert import ws

        config = model.config.generator
        found = [ws.read([file], num_ws=config.num_ws, w_dim=config.w_dim) for file in self.from_latents]
        print("\n".join(line for each in found for line in each.said))
        return found[0].values, found[1].values
