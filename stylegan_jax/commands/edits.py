"""The options of edits."""

import dataclasses
from typing import TYPE_CHECKING, Annotated

import tyro

from stylegan_jax.commands.flags import Many
from stylegan_jax.errors import InputError

if TYPE_CHECKING:
    from stylegan_jax.editing.directions import Vector
    from stylegan_jax.storage.checkpoint import Model


@dataclasses.dataclass(frozen=True, kw_only=True)
class Edits:
    """Where w is moved to."""

    edit: Annotated[tuple[str, ...], Many, tyro.conf.arg(metavar="NAME=A[:LAYERS]")] = ()
    """move w along a direction: sefa0=2.5, or in some layers age=-1:0-3; a file of one direction is a name too"""
    directions: Annotated[tuple[str, ...], Many, tyro.conf.arg(metavar="FILE")] = ()
    """where the names are: a file that interp.edit wrote, or one of InterFaceGAN, eps696, StyleCLIP, …"""

    def check(self) -> None:
        """Raises InputError for what is no edit, before any model is read."""
        from stylegan_jax.editing.directions import parse_edit

        for text in self.edit:
            parse_edit(text)
        if self.directions and not self.edit:
            remedy = "pass --edit NAME=2"
            raise InputError("no edit goes along these directions", remedy, file=f"--directions {self.directions[0]}")

    def vector(self, model: "Model") -> "Vector | None":
        """What all of them add to a model's w; InputError for directions that are not there."""
        from stylegan_jax.editing.edits import vector_of

        return vector_of(self.edit, self.directions, model)
