"""α as a function of layer: small named formulas, each with a text form for the command line and for recipes."""

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from interp.argument_errors import ArgumentError
from stylegan_jax.errors import shown
from stylegan_jax.names import w_index

_FARTHEST = 1e6  # from 0: beyond, float32 keeps nothing of the base
_LARGEST = 1 << 24  # of what may be meant as a resolution: what is far beyond fits no float, and no message


class Layer(NamedTuple):
    """A layer of the generator: its block's resolution, and its name there.

    Names are const, conv0, conv1, torgb, and of a resnet skip.
    """

    resolution: int
    name: str = "conv1"

    @property
    def octave(self) -> float:
        """log2 of the resolution."""
        return math.log2(self.resolution)

    @property
    def w_index(self) -> int:
        """Index into ws of the w this layer takes; const counts with the first layer, skip with conv1."""
        return w_index(self.resolution, self.name)


@dataclasses.dataclass(frozen=True)
class Schedule:
    """Layer → share of transfer.

    Attributes:
      text: the form `parse` reads, e.g. `swap=16` or `smooth=16:width=0.5`.
      alpha: the formula.
      resolutions: those the text names, which must be resolutions of the model.
      length: how many values it lists, if it lists one for each w.
    """

    text: str
    alpha: Callable[[Layer], float] = dataclasses.field(compare=False)
    resolutions: tuple[float, ...] = ()
    length: int | None = None

    def __call__(self, layer: Layer) -> float:
        """α of a layer; outside [0, 1] it extrapolates."""
        return self.alpha(layer)

    def check(self, resolutions: Sequence[int]) -> None:
        """Raises InputError unless every resolution named is one of the model's, and values fit its layers."""
        wrong = [r for r in self.resolutions if r not in resolutions]
        if wrong:
            names = ", ".join(f"{r:g}" for r in wrong)
            remedy = f"use {_in_words(resolutions)}"
            raise ArgumentError(self.rule, names, "not a resolution of this model", remedy)
        if self.length not in (None, 2 * len(resolutions)):
            remedy = f"this model takes {2 * len(resolutions)}, one per w"
            raise ArgumentError(self.rule, None, f"{self.length} values", remedy)

    @property
    def rule(self) -> str:
        """What its text begins with: swap (Pinkney's too), smooth, band, …"""
        return self.text.partition("=")[0].replace("pinkney", "swap")


def swap(resolution: int, *, level: Literal[0, 1] = 0) -> Schedule:
    """The paper's rule: transfer up to and including `resolution`, base above.

    `level=1` hands over one layer later: conv0 of the next block still comes from transfer.
    """

    _check_sizes("swap", resolution)

    def alpha(layer: Layer) -> float:
        last = 2 * resolution if level == 1 and layer.name == "conv0" else resolution
        return float(layer.resolution <= last)

    return Schedule(f"swap={resolution}" + _option("level", level, 0), alpha, (resolution,))


def smooth(resolution: float, width: float) -> Schedule:
    """α(r) = σ((log2 R + ½ − log2 r) / width): ½ half an octave above R; width → 0 is exactly `swap`.

    R may lie between the model's resolutions where it moves, as in a film.
    """
    check_width(width)
    _check_sizes("smooth", resolution)

    def alpha(layer: Layer) -> float:
        return _sigmoid(math.log2(resolution) + 0.5 - layer.octave, width)

    return Schedule(f"smooth={exact(resolution)}:width={exact(width)}", alpha, (resolution,))


def linear(first: int, last: int) -> Schedule:
    """1 up to `first`, 0 from `last` on, linear in log2 r between."""
    return _ramp("linear", first, last, lambda t: t)


def cosine(first: int, last: int) -> Schedule:
    """As `linear`, eased by half a cosine."""
    return _ramp("cosine", first, last, lambda t: (1 - math.cos(math.pi * t)) / 2)


def smoothstep(first: int, last: int) -> Schedule:
    """As `linear`, eased by 3t² − 2t³."""
    return _ramp("smoothstep", first, last, lambda t: t * t * (3 - 2 * t))


def band(first: int, last: int) -> Schedule:
    """Transfer from `first` to `last`, both included; base elsewhere."""
    _check_order("band", first, last, equal=True)
    return Schedule(f"band={first}-{last}", lambda layer: float(first <= layer.resolution <= last), (first, last))


def only(*resolutions: int) -> Schedule:
    """Transfer at the chosen resolutions, base elsewhere."""
    _check_sizes("only", *resolutions)
    text = ",".join(map(str, resolutions))
    return Schedule(f"only={text}", lambda layer: float(layer.resolution in resolutions), resolutions)


def constant(alpha: float) -> Schedule:
    """The same α everywhere."""
    _check_finite("alpha", [alpha])
    return Schedule(f"alpha={exact(alpha)}", lambda layer: alpha)


def points(alphas: Mapping[int, float]) -> Schedule:
    """α at chosen resolutions; others are linear in log2 r between their neighbours and constant outside."""
    if not alphas:
        raise ArgumentError("alpha", None, "no values", 'write 0.5, or "4=1 16=0.6 32=0"')
    _check_finite("alpha", alphas.values())
    _check_sizes("alpha", *alphas)
    known = sorted(alphas.items())
    text = " ".join(f"{r}={exact(alpha)}" for r, alpha in known)
    return Schedule(f"alpha={text}", lambda layer: _between(known, layer.resolution), tuple(r for r, _ in known))


def layers(*alphas: float) -> Schedule:
    """One α for each w: const goes with the first, a ToRGB with its own w (that of the next block's conv0)."""
    _check_finite("alpha-layers", alphas)
    text = ",".join(exact(alpha) for alpha in alphas)
    return Schedule(f"alpha-layers={text}", lambda layer: alphas[layer.w_index], length=len(alphas))


def pinkney(resolution: int, *, level: Literal[0, 1] = 0, width: float | None = None) -> Schedule:
    """The rule of Pinkney's script, with transfer as its low-resolution model.

    Hard swaps are `swap`'s. Smooth ones are centred 1.5 layers lower than the hard ones, and b4.conv1 and the shortcuts
    of resnets, which the script's name patterns miss, stay with the low-resolution model.
    """
    _check_sizes("swap", resolution)
    text = f"pinkney={resolution}" + _option("level", level, 0) + _option("width", width or None, None)

    def alpha(layer: Layer) -> float:
        if layer.name == "skip" or layer == (4, "conv1"):
            return 1.0
        middle = 2 * (math.log2(resolution) - 2) + level
        position = 2 * (layer.octave - 2) + (layer.name in ("conv1", "torgb"))
        return _sigmoid(middle - position, width) if width else float(position - middle <= 1)

    return Schedule(text, alpha, (resolution,))


def inverted(schedule: Schedule) -> Schedule:
    """1 − α: the other direction."""
    text = schedule.text
    text = text.removesuffix(":invert") if text.endswith(":invert") else f"{text}:invert"
    return dataclasses.replace(schedule, text=text, alpha=lambda layer: 1 - schedule(layer))


def _ramp(name: str, first: int, last: int, ease: Callable[[float], float]) -> Schedule:
    _check_order(name, first, last, equal=False)

    def alpha(layer: Layer) -> float:
        t = (math.log2(last) - layer.octave) / (math.log2(last) - math.log2(first))
        return ease(min(max(t, 0.0), 1.0))

    return Schedule(f"{name}={first}-{last}", alpha, (first, last))


def _between(known: Sequence[tuple[int, float]], resolution: int) -> float:
    below = [(r, alpha) for r, alpha in known if r <= resolution]
    above = [(r, alpha) for r, alpha in known if r >= resolution]
    if not below or not above or below[-1] == above[0]:
        return (below[-1] if below else above[0])[1]
    (r0, a0), (r1, a1) = below[-1], above[0]
    t = math.log2(resolution / r0) / math.log2(r1 / r0)
    return a0 + t * (a1 - a0)


def _sigmoid(x: float, width: float) -> float:
    """σ(x / width) that never overflows; the step function at width 0."""
    if width == 0 or abs(x) / width > 700:
        return float(x > 0)
    return 1 / (1 + math.exp(-x / width))


def exact(value: float) -> str:
    """The shortest text that reads back as the same number: `16`, `0.333333`, `0.1`."""
    return repr(float(value)).removesuffix(".0")


def _option(name: str, value: float | None, default: float | None) -> str:
    return "" if value is None or value == default else f":{name}={exact(value)}"


def _in_words(resolutions: Sequence[int]) -> str:
    known = list(map(str, resolutions))
    return ", ".join(known) if len(known) < 4 else f"{known[0]}, {known[1]}, … {known[-1]}"


def check_width(width: float) -> None:
    """Raises InputError unless `width` is a finite number of octaves, 0 or more."""
    if not (math.isfinite(width) and width >= 0):
        raise ArgumentError("width", f"{width:g}", "not a width in octaves", "use 0 (hard) or more, such as 0.5")


def _check_sizes(name: str, *resolutions: float) -> None:
    for r in resolutions:
        if abs(r) > _LARGEST:
            raise ArgumentError(name, shown(r), "not a resolution", "use 4, 8, 16 … of this model")


def _check_order(name: str, first: int, last: int, *, equal: bool) -> None:
    _check_sizes(name, first, last)
    if first > last or (first == last and not equal):
        raise ArgumentError(name, f"{first}-{last}", "the ends are not in order", "write the lower resolution first")


def _check_finite(name: str, alphas: Iterable[float]) -> None:
    alphas = list(alphas)
    wrong = [alpha for alpha in alphas if not abs(alpha) <= _FARTHEST]
    if wrong or not alphas:
        what, value = ("not a number α can be", f"{wrong[0]:g}") if wrong else ("no values", None)
        raise ArgumentError(name, value, what, "use 0 (base) to 1 (transfer), or beyond to extrapolate")
