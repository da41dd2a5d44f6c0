"""What moves in a film: spans such as 4..64, easing, loops, the way through seeds and through models."""

import dataclasses
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from interp.argument_errors import ArgumentError
from interp.schedule_text import parse
from interp.schedules import Layer, Schedule, constant, exact, inverted, smooth

MOST_PICTURES = 10_000
"""Side by side, and layers: what is beyond is refused before it is unfolded."""
FARTHEST = 1000.0
"""Shares, truncation and strengths of edits go no farther from 0: beyond, float32 overflows somewhere."""
At = Callable[[float], Schedule]
"""Time of 0 … 1 → schedule."""

EASINGS: dict[str, Callable[[float], float]] = {
    "linear": lambda t: t,
    "smooth": lambda t: t * t * (3 - 2 * t),
    "cosine": lambda t: (1 - math.cos(math.pi * t)) / 2,
}


@dataclasses.dataclass(frozen=True)
class Span:
    """A value that moves from `start` to `end`."""

    start: float
    end: float

    def at(self, t: float) -> float:
        """The value at time t of 0 … 1."""
        return self.start + t * (self.end - self.start)

    def in_octaves(self, t: float) -> float:
        """A resolution at time t: as many octaves pass in every part of the time."""
        return self.start * (self.end / self.start) ** t


def parse_span(name: str, text: str, *, low: float = -math.inf, high: float = math.inf) -> Span:
    """`4..64` → a span, `16` → one that stands still; InputError unless its ends are finite, from `low` to `high`."""
    start, dots, end = text.partition("..")
    try:
        span = Span(float(start), float(end if dots else start))
    except ValueError:
        span = Span(math.nan, math.nan)
    if not all(math.isfinite(value) and low <= value <= high for value in (span.start, span.end)):
        limits = (
            f" from {low:g} to {high:g}" if math.isfinite(high) else f" of {low:g} or more" if low > -math.inf else ""
        )
        raise ArgumentError(name, text, f"not a span{limits}", "write START..END, or one number")
    return span


def handover(resolution: float) -> Schedule:
    """A swap that may lie between resolutions: the next one above fades in as `resolution` nears it.

    At 4, 8, … it is `schedules.swap`; at 2 nothing comes from transfer.
    """
    top = math.log2(resolution)
    return Schedule(f"handover={exact(resolution)}", lambda layer: min(max(top - layer.octave + 1, 0.0), 1.0))


def moving(rule: str, text: str, width: str | None = None) -> At:
    """What moves in a film, by its name and text.

    Args:
      rule: `swap` or `smooth` (text: a span of resolutions; at 2 nothing comes from transfer), `alpha` (a span of
        shares), or `schedule` (the text of one that stands still).
      width: a span of octaves, of `smooth` alone; None is 0.5.

    Raises InputError for a text that is no span or no schedule.
    """
    if rule == "schedule":
        still = parse(text)
        return lambda t: still
    if rule == "alpha":
        share = parse_span("alpha", text, low=-FARTHEST, high=FARTHEST)
        return lambda t: constant(share.at(t))
    resolution = parse_span(rule, text, low=1, high=2048)
    if rule == "swap":
        return lambda t: handover(resolution.in_octaves(t))
    return moving_smooth(resolution, parse_span("width", width or "0.5", low=0))


def moving_smooth(resolution: Span, width: Span) -> At:
    """A soft hand-over whose resolution and width move."""
    return lambda t: smooth(resolution.in_octaves(t), width.at(t))


def mixed(one: Schedule, two: Schedule, t: float) -> Schedule:
    """(1 − t)·one + t·two; of two that are the same, that one."""
    if one == two:
        return one

    def alpha(layer: Layer) -> float:
        return (1 - t) * one(layer) + t * two(layer)

    return Schedule(f"between={one.text}/{two.text}:at={exact(t)}", alpha)


def positions(count: int, *, loop: bool, ease: Callable[[float], float]) -> list[tuple[float, float]]:
    """(time around a circle, way from start to end) of each frame.

    Without a loop the way goes from 0 to 1; with one it goes there and back, and the frame after the last is the first.
    """
    if not loop:
        return [(i / max(count - 1, 1), ease(i / max(count - 1, 1))) for i in range(count)]
    return [(i / count, ease(1 - abs(1 - 2 * i / count))) for i in range(count)]


class Leg(NamedTuple):
    """From one stop to another, by their numbers, and which share of that way lies behind."""

    start: int
    end: int
    share: float


def leg(count: int, t: float, *, loop: bool, ease: Callable[[float], float]) -> Leg:
    """Where the way through `count` stops is at time t of 0 … 1, eased from each to the next; a loop returns."""
    stops = [*range(count), 0] if loop and count > 1 else list(range(count))
    if len(stops) == 1:
        return Leg(0, 0, 0.0)
    number = min(int(t * (len(stops) - 1)), len(stops) - 2)
    return Leg(stops[number], stops[number + 1], ease(t * (len(stops) - 1) - number))


def walk(ws: Float[np.ndarray, "k l d"], t: float, *, loop: bool, ease: Callable[[float], float]) -> np.ndarray:
    """The ws `[l d]` at time t on the way through `k` of them, eased from each to the next; a loop returns."""
    start, end, share = leg(len(ws), t, loop=loop, ease=ease)
    return between(ws[start], ws[end], share) if start != end else ws[start]


def between(one: np.ndarray, two: np.ndarray, share: float) -> np.ndarray:
    """(1 − share)·one + share·two, in float32."""
    part = np.float32(share)
    return (1 - part) * one + part * two


def through(count: int, way: float, at: At) -> list[Schedule]:
    """The schedules of `count` transfer models on the way from the base through each to the last.

    Each leg of the way is a blend of two neighbours, whose α is `at` (leg's time of 0 … 1).
    """
    number = min(int(way * count), count - 1)
    now = at(way * count - number)
    schedules = [constant(0.0)] * count
    schedules[number] = now
    if number > 0:
        schedules[number - 1] = inverted(now)
    return schedules


def parse_walks(text: str, read: Callable[[str], list[int]]) -> list[list[int]]:
    """`1,5,9` → three pictures side by side; `1..5..9` → one that moves from seed to seed; both may be joined."""
    columns: list[list[int]] = []
    for part in text.split(","):
        if len(columns) > MOST_PICTURES:
            raise ArgumentError("seeds", None, f"more than {MOST_PICTURES:,} seeds", "write a few, such as 0-7")
        stops = [read(stop) for stop in part.split("..")]
        if ".." in part and any(len(stop) != 1 for stop in stops):
            raise ArgumentError("seeds", text, f"{part} is no walk", "write single seeds, such as 1..5..9")
        columns += [[stop[0] for stop in stops]] if ".." in part else [[seed] for seed in stops[0]]
    return columns
