"""The options of commands whose pictures have a mask."""

import dataclasses
from typing import TYPE_CHECKING, Annotated

from stylegan_jax import values
from stylegan_jax.commands.flags import typed
from stylegan_jax.errors import InputError

if TYPE_CHECKING:
    from interp.recipes import Recipe


@dataclasses.dataclass(frozen=True, kw_only=True)
class MaskOptions:
    """Where pictures show the blend; elsewhere they show the base."""

    mask: Annotated[str | None, typed("FILE|ellipse[=X,Y,W,H]")] = None
    """white or opaque: the blend, elsewhere the base; ellipse is one over the head; :soft=S and :invert go behind"""
    mask_at: Annotated[str | None, typed("R")] = None
    """mix features at this resolution alone, from which the blend draws on (default: at all)"""

    def added_to(self, recipe: "Recipe") -> "Recipe":
        """The recipe with the mask that was asked for; InputError for what is no resolution, or one without a mask."""
        if self.mask is not None:
            recipe = dataclasses.replace(recipe, mask=self.mask, mask_sha256=None)
        if self.mask_at is not None:
            if recipe.mask is None:
                raise InputError("--mask-at goes with --mask", "pass --mask ellipse")
            recipe = dataclasses.replace(recipe, mask_at=values.natural(self.mask_at, "--mask-at", low=4))
        return recipe
