"""The options of edits."""

import dataclasses
import os
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from stylegan_jax.commands.flags import Many
from stylegan_jax.errors import InputError

if TYPE_CHECKING:
    from stylegan_jax.editing.edits import Step
    from stylegan_jax.storage.checkpoint import Model


@dataclasses.dataclass(frozen=True, kw_only=True)
class Edits:
    """Where w is moved to."""

    edit: Annotated[tuple[str, ...], Many, tyro.conf.arg(metavar="NAME=A[:LAYERS]")] = ()
    """move w along a direction: sefa0=2.5, or in some layers age=-1:0-3; a file of one direction is a name too"""
    directions: Annotated[tuple[str, ...], Many, tyro.conf.arg(metavar="FILE")] = ()
    """where the names are: a file that interp.edit wrote, or one of InterFaceGAN, eps696, StyleCLIP, …"""
    style: Annotated[tuple[str, ...], Many, tyro.conf.arg(metavar="LAYER:CHANNEL=A")] = ()
    """move one style channel: b16.conv1:7=+5 standard deviations"""

    def check(self) -> None:
        """Raises InputError for what is no edit, before any model is read."""
        from stylegan_jax.editing.directions import parse_edit, parse_style

        for text in self.edit:
            parse_edit(text)
        for text in self.style:
            parse_style(text)
        if self.directions and not self.edit:
            remedy = "pass --edit NAME=2"
            raise InputError("no edit goes along these directions", remedy, file=f"--directions {self.directions[0]}")

    def step(self, model: "Model", *, seeds: bool = True) -> "Step":
        """All of them together, in the spaces of a model; prints warnings.

        Args:
          model: by whose w and styles they are measured.
          seeds: whether seeds are shown: ws have no z.

        Raises InputError for directions that are not there, or not for this.
        """
        from stylegan_jax.editing.edits import step_of, warned

        return warned(step_of(self.edit, self.directions, model, styles=self.style, seeds=seeds))

    @property
    def fields(self) -> dict[str, Any]:
        """Those that were given, as a recipe has them."""
        given: dict[str, Any] = {"styles": self.style} if self.style else {}
        if self.edit:
            given |= {"edits": self.edit, "directions": tuple(map(os.path.abspath, self.directions))}
        return given
