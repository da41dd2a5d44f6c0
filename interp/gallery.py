"""The figures of a pair: which blends they show, row by row."""

from collections.abc import Callable, Sequence

from interp.schedules import Schedule, constant, inverted, only, smooth, swap

Rows = list[tuple[str, Schedule]]
"""(label, schedule), from the top of the sheet."""


def usual_swap(resolutions: Sequence[int]) -> int:
    """The paper's 16, or a quarter of the image where that is less."""
    return max(4, min(16, resolutions[-1] // 4))


def paper(resolutions: Sequence[int]) -> Rows:
    """Figure 1 of Pinkney and Adler: the two models, the swap, its inverse, and a higher swap."""
    r = usual_swap(resolutions)
    return [
        ("(a) base", constant(0)),
        ("(b) transfer", constant(1)),
        (f"(c) swap {r}", swap(r)),
        (f"(d) swap {r}, inverted", inverted(swap(r))),
        (f"(e) swap {2 * r}", swap(2 * r)),
    ]


def strip(resolutions: Sequence[int]) -> Rows:
    """From base to transfer in three hand-overs: the picture at the top of the README."""
    middle = resolutions.index(usual_swap(resolutions))
    swaps = resolutions[max(middle - 1, 0) : middle + 2]
    return [("base", constant(0)), *((f"swap {r}", swap(r)) for r in swaps), ("transfer", constant(1))]


def uncurated(resolutions: Sequence[int]) -> Rows:
    """One blend for many seeds, none left out."""
    r = usual_swap(resolutions)
    return [(f"swap {r}", swap(r))]


def sweep(resolutions: Sequence[int]) -> Rows:
    """Every hand-over resolution, in both directions; the last swap is the transfer model itself."""
    up = [(f"transfer up to {r}", swap(r)) for r in resolutions]
    down = [(f"base up to {r}", inverted(swap(r))) for r in resolutions[:-1]]
    return [("base", constant(0)), *up, *down]


def hand_overs(resolutions: Sequence[int]) -> Rows:
    """Every swap between the two models."""
    swaps = [(f"swap {r}", swap(r)) for r in resolutions[:-1]]
    return [("base", constant(0)), *swaps, ("transfer", constant(1))]


def widths(resolutions: Sequence[int], r_swap: int | None = None) -> Rows:
    """One hand-over, the usual one unless it is said, from hard to ever softer."""
    r = usual_swap(resolutions) if r_swap is None else r_swap
    soft = [(f"width {width:g}", smooth(r, width)) for width in (0.25, 0.5, 1, 2, 4)]
    return [("base", constant(0)), (f"swap {r}, hard", swap(r)), *soft, ("transfer", constant(1))]


def bands(resolutions: Sequence[int]) -> Rows:
    """What each single resolution does when it alone comes from transfer."""
    single = [(f"only {r}", only(r)) for r in resolutions]
    return [("base", constant(0)), *single, ("transfer", constant(1))]


def alphas(resolutions: Sequence[int]) -> Rows:
    """One share for all layers: from beyond the base to beyond the transfer model."""
    return [(f"α {alpha:g}", constant(alpha)) for alpha in (-0.5, 0, 0.25, 0.5, 0.75, 1, 1.5)]


FIGURES: dict[str, Callable[[Sequence[int]], Rows]] = {
    "strip": strip,
    "paper": paper,
    "uncurated": uncurated,
    "sweep": sweep,
    "widths": widths,
    "bands": bands,
    "alphas": alphas,
}
