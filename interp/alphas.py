"""Which share of each model goes into each tensor: schedules for the synthesis, explicit sources for the rest."""

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from interp.argument_errors import ArgumentError
from interp.schedules import Layer, Schedule, exact
from stylegan_jax.names import DEFAULT_NETWORKS, is_buffer, layer_name, resolution_of

Shares = tuple[float, ...]
"""α of each transfer model; the base has what is left of 1."""

KINDS = {
    "weight": ("*.conv?.weight", "*.conv.weight", "*.skip.weight"),
    "affine": ("*.affine.*",),
    "bias": ("*.conv?.bias", "*.conv.bias", "*.fromrgb.bias", "*.torgb.bias"),
    "noise": ("*.noise_strength",),
    "torgb": ("*.torgb.*",),
    "const": ("*.const",),
}
"""Kinds of tensors: convolution weights, affine layers, biases, noise strengths, ToRGB, const."""


@dataclasses.dataclass(frozen=True)
class Kind:
    """α of one kind of tensors, fixed or scaled.

    Attributes:
      name: a key of `KINDS`, or a pattern of names with `*`.
      value: α itself, or the factor that scales the schedule's.
    """

    name: str
    value: float
    scales: bool = False

    @property
    def text(self) -> str:
        """`torgb=0.3`, or `torgb=x0.5` where it scales."""
        return f"{self.name}={'x' if self.scales else ''}{exact(self.value)}"

    def covers(self, tensor: str) -> bool:
        """Whether a tensor is of this kind."""
        return any(fnmatchcase(f".{tensor}", pattern) for pattern in KINDS.get(self.name, (f".{self.name}",)))

    def apply(self, shares: Shares) -> Shares:
        """The α of a tensor of this kind."""
        return tuple(self.value * share if self.scales else self.value for share in shares)


def parse_kind(text: str) -> Kind:
    """Reads `torgb=0.3` (fixed), `torgb=x0.5` (scaled) or a pattern such as `*.b16.*=0`; InputError otherwise."""
    name, _, value = text.rpartition("=")
    if name not in KINDS and "*" not in name:
        what = f"{name!r} is no kind of tensor" if name else "no value"
        remedy = f"write torgb=0.3 or torgb=x0.5 with {', '.join(KINDS)} or a pattern with *"
        raise ArgumentError("kind", text, what, remedy)
    try:
        number = float(value.removeprefix("x"))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        remedy = "write torgb=0.3 (fixed) or torgb=x0.5 (scaled)"
        raise ArgumentError("kind", text, f"{value!r} is no number", remedy)
    return Kind(name, number, value.startswith("x"))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """What a blend takes besides models and schedules.

    Attributes:
      mapping, noise, w_avg: where they come from, as `resolve_sources` takes them; None: the model with the largest
        share at 4×4, and for `w_avg` the mapping's source.
      kinds: α for kinds of tensors, in the order in which they apply.
      networks: those of "G", "D", "G_ema" to blend.
    """

    mapping: str | float | None = None
    noise: str | None = None
    w_avg: str | float | None = None
    kinds: Sequence[Kind] = ()
    networks: Sequence[str] = DEFAULT_NETWORKS


@dataclasses.dataclass(frozen=True)
class Sources:
    """Where what α(r) does not reach comes from: `base`, `transfer`, `transfer2`, …, or for the mapping a number."""

    mapping: str
    noise: str
    w_avg: str

    def shares(self, count: int) -> "dict[str, Shares]":
        """Sources → α of each of `count` transfer models."""
        return {field: source_shares(getattr(self, field), count, field) for field in ("mapping", "noise", "w_avg")}


def resolve_sources(
    schedules: Sequence[Schedule], mapping: str | float | None, noise: str | None, w_avg: str | float | None
) -> Sources:
    """Decides every source once, on the host: by default the model with the largest share at 4×4, on a tie the base.

    None is the default; that of `w_avg` is the mapping's source.
    """
    at_4 = [schedule(Layer(4, "conv1")) for schedule in schedules]
    at_4 = [1 - sum(at_4), *at_4]
    largest = model_names(len(schedules))[at_4.index(max(at_4))]
    mapping = largest if mapping is None else str(mapping)
    sources = Sources(mapping, largest if noise is None else noise, mapping if w_avg is None else str(w_avg))
    sources.shares(len(schedules))
    return sources


def model_names(count: int) -> list[str]:
    """`base`, `transfer`, `transfer2`, … for `count` transfer models."""
    return ["base", "transfer", *(f"transfer{i}" for i in range(2, count + 1))]


def source_shares(source: str, count: int, field: str) -> Shares:
    """A source's text → α of each transfer model; a number is the share of the first. InputError on anything else."""
    known = model_names(count)
    if source in known:
        return tuple(float(known.index(source) == i + 1) for i in range(count))
    try:
        number = float(source) if field != "noise" else math.nan  # averaging independent noise shrinks its variance
    except ValueError:
        number = math.nan
    if not abs(number) < 1e30:  # nan is not, either
        also = "" if field == "noise" else ", or a number (the share of transfer)"
        raise ArgumentError(field, source, "not a source", f"use {', '.join(known)}{also}")
    return (number, *(0.0,) * (count - 1))


def is_whole(shares: Shares) -> bool:
    """Whether a tensor comes whole from one model."""
    return sorted(shares) in ([0.0] * len(shares), [0.0] * (len(shares) - 1) + [1.0])


def origin(shares: Shares) -> int:
    """Index of the model that a tensor comes from whole, 0 the base; the base where it is mixed."""
    return shares.index(1.0) + 1 if is_whole(shares) and 1.0 in shares else 0


def alpha_table(
    names: Iterable[str], schedules: Sequence[Schedule], sources: Sources, kinds: Sequence[Kind] = ()
) -> dict[str, Shares]:
    """Tensor name → α of each transfer model; buffers are only ever 0 or 1. `kinds` apply in order to the synthesis."""
    fixed = sources.shares(len(schedules))
    return {name: _shares(name, schedules, fixed, kinds) for name in names}


def _shares(name: str, schedules: Sequence[Schedule], fixed: Mapping[str, Shares], kinds: Sequence[Kind]) -> Shares:
    leaf = name.rsplit(".", 1)[-1]
    if is_buffer(name) or resolution_of(name) is None:  # resample_filter agrees in all models
        return fixed[{"noise_const": "noise", "resample_filter": "noise", "w_avg": "w_avg"}.get(leaf, "mapping")]
    shares = tuple(float(schedule(layer_of(name))) for schedule in schedules)
    for kind in kinds:
        shares = kind.apply(shares) if kind.covers(name) else shares
    return shares


_MIRRORED = {"conv0": "conv1", "conv1": "conv0", "fromrgb": "torgb"}


def layer_of(name: str) -> Layer:
    """The layer a tensor of the synthesis or of the discriminator belongs to.

    The discriminator is the generator in a mirror: its conv1 resamples as the generator's conv0 does, and its fromrgb
    stands where torgb stands; its epilogue counts as b4.conv1.
    """
    resolution, layer = resolution_of(name), layer_name(name)
    if resolution is None or layer is None:
        raise ValueError(f"{name} belongs to no layer")
    if not name.startswith("synthesis."):
        layer = _MIRRORED.get(layer, layer)
    return Layer(resolution, layer if layer in ("const", "conv0", "conv1", "torgb", "skip") else "conv1")
