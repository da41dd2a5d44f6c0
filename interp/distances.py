"""How far two models' weights lie apart, by resolution and kind, and what that says of their kinship."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from interp.alphas import KINDS, Kind
from stylegan_jax.names import is_buffer, resolution_of

Kinship = Literal["same", "fine-tuned", "diverged", "unrelated"]
FINE_TUNED, DIVERGED = 0.6, 0.1
"""The least cosine of the convolution weights of fine-tuned models, and of ones that have anything in common.

Seen: 0.99 between a base and a short fine-tune, 0.97 between a model's beginning and 70,000 images later, 0.96 between
the official pair of the goldens, and never more than 0.01 either way between models that were trained apart.
"""
_HALF = 2e-3  # a model in 16 bits keeps its noise to this share


@dataclass(frozen=True)
class Distance:
    """The distance of some tensors of one model from those of another.

    Attributes:
      resolution: of their blocks; None for the mapping network, and over all resolutions.
      kind: of tensors, as `alphas.KINDS` names them, or `mapping`.
      relative: ‖a − b‖ / √(‖a‖·‖b‖); about √2 where the two have nothing in common.
      cosine: of the angle between them; 0 where they have nothing in common.
    """

    resolution: int | None
    kind: str
    relative: float
    cosine: float


@dataclass(frozen=True)
class Verdict:
    """How two models are related, judged by their convolution weights.

    Attributes:
      kinship: same (every tensor equal), fine-tuned (one from the other, or both from a third), diverged, unrelated.
      weights: the distance of all convolution weights.
      same_noise: whether the noise buffers are equal (to 16 bits), which training never changes: a sure sign of a
        common beginning.
    """

    kinship: Kinship
    weights: Distance
    same_noise: bool

    @property
    def blends(self) -> bool:
        """Whether a blend of the two can be expected to look like either."""
        return self.kinship in ("same", "fine-tuned")

    def words(self, base: str, other: str) -> str:
        """The verdict in a sentence, with what was measured."""
        said = {
            "same": f"{other} holds the same weights as {base}",
            "fine-tuned": f"{other} and {base} are relatives: one was fine-tuned from the other, or both from a third",
            "diverged": f"{other} and {base} have drifted far apart: expect artefacts in their blend",
            "unrelated": f"{other} and {base} are no relatives: their blend will look like neither",
        }[self.kinship]
        noise = ", the same noise buffers" if self.same_noise else ""
        return f"{said} (relative distance {self.weights.relative:.2f}, cosine {self.weights.cosine:.2f}{noise})"


def strangers(weights: Sequence[Mapping[str, np.ndarray]], labels: Sequence[str]) -> list[str]:
    """A sentence on each transfer model that is no relative of the base, the first."""
    verdicts = [judge(weights[0], other) for other in weights[1:]]
    named = zip(verdicts, labels[1:], strict=True)
    return [verdict.words(labels[0], label) for verdict, label in named if not verdict.blends]


def distances(base: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> list[Distance]:
    """One distance for every resolution and kind whose shapes agree: the mapping first, then 4, 8, …"""
    groups: dict[tuple[int | None, str], list[str]] = {}
    for name in _common(base, other):
        if not is_buffer(name):
            groups.setdefault((resolution_of(name), kind_of(name)), []).append(name)
    found = [_distance(base, other, names, *group) for group, names in groups.items()]
    return sorted(found, key=lambda each: (each.resolution or 0, [*KINDS, "mapping"].index(each.kind)))


def judge(base: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> Verdict:
    """Whether two generators are relatives; only tensors that both have, in one shape, count."""
    common = _common(base, other)
    convolutions = [name for name in common if not is_buffer(name) and kind_of(name) == "weight"]
    weights = _distance(base, other, convolutions, None, "weight")
    noise = [name for name in common if name.endswith("noise_const")]
    same_noise = bool(noise) and all(np.allclose(base[name], other[name], rtol=_HALF, atol=_HALF) for name in noise)
    return Verdict(_kinship(base, other, weights.cosine), weights, same_noise)


def _kinship(base: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray], cosine: float) -> Kinship:
    if base.keys() == other.keys() and all(np.array_equal(leaf, other[name]) for name, leaf in base.items()):
        return "same"
    if cosine >= FINE_TUNED:
        return "fine-tuned"
    return "diverged" if cosine >= DIVERGED else "unrelated"


def kind_of(name: str) -> str:
    """The kind a trained tensor counts with: that of its layer for ToRGB, `mapping` for the mapping network."""
    if resolution_of(name) is None:
        return "mapping"
    first = ("torgb", "const", "affine")
    return next(kind for kind in (*first, *KINDS) if Kind(kind, 0).covers(name))


def _common(base: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> list[str]:
    return [name for name, leaf in base.items() if name in other and other[name].shape == leaf.shape]


def _distance(
    base: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray], names: Sequence[str], r: int | None, kind: str
) -> Distance:
    """Distance and cosine of all named tensors together; 0 and 1 where both are 0."""
    sums = np.zeros(4)
    for name in names:
        a, b = np.ravel(base[name]), np.ravel(other[name])
        with np.errstate(all="ignore"):  # weights that hold infinities are far from everything
            difference = a - b
            sums += [a @ a, b @ b, a @ b, difference @ difference]
    aa, bb, ab, apart = map(float, sums)
    scale = math.sqrt(aa * bb)
    if scale == 0:
        return Distance(r, kind, 0.0, 1.0) if aa == bb else Distance(r, kind, math.inf, 0.0)
    return Distance(r, kind, math.sqrt(apart / scale), ab / scale)
