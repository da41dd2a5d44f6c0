"""Two generators in one picture: the base outside a mask, another model inside, mixed on their features."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from jax.typing import DTypeLike
from jaxtyping import Array, Float

from stylegan_jax.config import GeneratorConfig
from stylegan_jax.networks import generators
from stylegan_jax.networks.layers import Weights
from stylegan_jax.sampler import prepared

JOIN = 16
"""Resolution up to which the base takes no features but its own: what is far from the mask is the base's picture.

Above it both networks take the mixed ones, so that they draw one head; apart up to the last, each draws its own, and
two heads show through one another at the border.
"""
Pyramid = Mapping[int, Float[Any, "_ _"]]
"""Resolution → the mask there: 0 is the base, 1 the other model."""


class Side(NamedTuple):
    """One of the two generators, and the ws it takes.

    Attributes:
      config: of the generator.
      weights: a generator's by official names, or what `prepared.prepare` made of them, as the plan says.
      ws: one w per layer.
    """

    config: GeneratorConfig
    weights: Weights
    ws: Float[Array, "n l d"]


def synthesise(
    plan: prepared.Plan, base: Side, other: Side, masks: Pyramid, *, form: prepared.Form, dtype: DTypeLike
) -> Float[Array, "n r r rgb"]:
    """Images of both generators side by side, with their stored noise: x = m·x_other + (1 − m)·x_base after each block.

    The skip images are mixed likewise. A mask of zeros gives the base's images, one of ones the other's.

    Args:
      plan, form, dtype: as those of `prepared.synthesise`.
      base, other: of one architecture.
      masks: for every resolution; ones mix nothing there.
    """
    outside, inside = (_stepper(plan, side, form, dtype) for side in (base, other))
    x_base = img_base = x = img = None
    for r in base.config.resolutions:
        x_base, img_base = outside(r, x_base, img_base)
        x, img = inside(r, x, img)
        x, img = (_mixed(masks[r], *pair) for pair in ((x_base, x), (img_base, img)))
        if r >= JOIN:
            x_base, img_base = x, img
    assert img is not None
    return img


def _mixed(mask: Array, base: Array | None, other: Array | None) -> Array | None:
    """Exact where the mask is 0 or 1."""
    if base is None or other is None:  # no image yet, or no features any more
        return None
    m = mask.astype(base.dtype)[..., None]
    return m * other + (1 - m) * base


def _stepper(plan: prepared.Plan, side: Side, form: prepared.Form, dtype: DTypeLike) -> Callable[..., Any]:
    """(resolution, features and image of the block below) → those of the block."""
    if plan == "prepared":
        network = prepared.Network(side.config, side.weights, form, dtype)
        return lambda r, x, img: network.blocks((r,), x, img, side.ws, "const")
    synthesis = generators.synthesis(side.config, side.weights)
    return lambda r, x, img: getattr(synthesis, f"b{r}")(x, img, side.ws, dtype=dtype)
