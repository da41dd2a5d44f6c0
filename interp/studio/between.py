"""The way from one state to another: schedules, shares of kinds, and ws, mixed."""

from collections.abc import Iterator, Sequence

import numpy as np

from interp.alphas import Kind
from interp.motion import EASINGS, mixed
from interp.studio.painter import Painter, Pictures
from interp.studio.state import State
from stylegan_jax.errors import InputError
from stylegan_jax.sampler.stylespace import Shift


def frames(painter: Painter, first: State, last: State, count: int) -> Iterator[Pictures]:
    """The pictures of `count` frames; mapping, noise and mask stay those of the first state.

    Raises InputError for states that nothing lies between.
    """
    names = [tuple(model.path for model in state.recipe.models) for state in (first, last)]
    if names[0] != names[1]:
        raise InputError("the two are blends of different models", "keep two of the same models")
    ws = [painter.ws(state) for state in (first, last)]
    if len(ws[0]) != len(ws[1]):
        raise InputError(f"{len(ws[0])} pictures against {len(ws[1])}", "keep two with as many pictures")
    one, two = first.recipe.settings.kinds, last.recipe.settings.kinds
    _check_kinds(one, two)
    renderer, sources = painter.renderer(first.recipe), painter.sources(first.recipe)
    masks = painter.masks(first.recipe, renderer)
    base_ws = ws if masks is None else [painter.ws(state, "base") for state in (first, last)]
    begin, end = (painter.step(state).shift for state in (first, last))
    for i in range(count):
        t = EASINGS["smooth"](i / (count - 1))
        ways = zip(first.recipe.schedules, last.recipe.schedules, strict=True)
        schedules, kinds = [mixed(*ends, t) for ends in ways], mixed_kinds(one, two, t)
        way, shift = (1 - t) * ws[0] + t * ws[1], _mixed_shift(begin, end, np.float32(t))
        if masks is None:
            yield renderer.images(schedules, sources, way, kinds=kinds, shift=shift)
        else:
            outside = (1 - t) * base_ws[0] + t * base_ws[1]
            yield renderer.images_within(masks, schedules, sources, way, base_ws=outside, kinds=kinds, shift=shift)


def _mixed_shift(one: Shift | None, two: Shift | None, t: np.float32) -> Shift | None:
    """Edits of styles on the way; where there are none, they are 0."""
    ends = [(np.float32(1) - t, one), (t, two)]
    found = [share * shift for share, shift in ends if shift is not None]
    return np.sum(found, 0) if found else None


def _check_kinds(one: Sequence[Kind], two: Sequence[Kind]) -> None:
    fixed = [{kind for kind in kinds if not kind.scales} for kinds in (one, two)]
    if fixed[0] != fixed[1]:
        texts = ", ".join(sorted(kind.text for kind in fixed[0] ^ fixed[1]))
        raise InputError(f"{texts}: only one of the two fixes this share", "scale it, or fix it in both")


def mixed_kinds(one: Sequence[Kind], two: Sequence[Kind], t: float) -> list[Kind]:
    """The factors on the way; a kind that one of the two does not name has the factor 1 there."""
    factors = [{kind.name: kind.value for kind in kinds if kind.scales} for kinds in (one, two)]
    moving = [
        Kind(name, (1 - t) * factors[0].get(name, 1.0) + t * factors[1].get(name, 1.0), scales=True)
        for name in dict.fromkeys([*factors[0], *factors[1]])
    ]
    return [*(kind for kind in one if not kind.scales), *moving]
