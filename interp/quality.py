"""How good the blends of two models look, in numbers: beside their parents, and whether seeds are dead."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import UInt8

from interp.alphas import resolve_sources
from interp.gallery import usual_swap
from interp.rendering import Renderer
from interp.schedules import Schedule, constant, swap
from interp.sheets import View
from stylegan_jax.config import check_square
from stylegan_jax.errors import InputError
from stylegan_jax.sampler.run import map_seeds
from stylegan_jax.scores import appearance, metrics
from stylegan_jax.scores.features import SMALLEST, proxy_features
from stylegan_jax.storage.checkpoint import Model

SEEDS, PSI = range(64), 0.7
OWN = 1024  # samples that say what a blend makes
_SWAPS = (8, 16, 32)
Pictures = UInt8[np.ndarray, "n r r c"]


@dataclass(frozen=True)
class Quality:
    """What is measured of a pair.

    Attributes:
      labels: of base and transfer.
      swaps: r_swap → saturation and sharpness of the blend as shares of its lesser parent's, one w for all three.
      dead: for each model, psi → its dead seeds.
    """

    labels: tuple[str, str]
    swaps: dict[int, appearance.BlendQuality]
    dead: tuple[dict[float, list[int]], dict[float, list[int]]]

    def lines(self) -> list[str]:
        """All of it as text."""
        shown = f"seeds {SEEDS[0]}-{SEEDS[-1]}"
        lines = [f"shares of the lesser parent's, one w, {shown}, psi {PSI:g}; where faces are"]
        lines += [f"{'':<12}{'saturation':>12}{'sharpness':>12}"]
        lines += [
            f"{f'swap {r}':<12}{found.saturation:12.2f}{found.sharpness:12.2f}" for r, found in self.swaps.items()
        ]
        for label, dead in zip(self.labels, self.dead, strict=True):
            for psi, seeds in dead.items():
                named = f" ({', '.join(map(str, seeds))})" if seeds else ""
                lines.append(f"dead seeds of {label} at psi {psi:g}: {len(seeds)}{named}")
        return lines

    def to_json(self) -> dict[str, Any]:
        """The same as plain data."""
        dead = [{f"{psi:g}": seeds for psi, seeds in each.items()} for each in self.dead]
        return {
            "swaps": {str(r): {name: round(x, 4) for name, x in q._asdict().items()} for r, q in self.swaps.items()},
            "dead": dict(zip(self.labels, dead, strict=True)),
            "seeds": [SEEDS[0], SEEDS[-1]],
            "psi": PSI,
        }


def quality(models: Sequence[Model], labels: tuple[str, str]) -> Quality:
    """Measures base and transfer, and their swaps at 8, 16 and 32; InputError where they cannot be blended."""
    renderer = Renderer(models, labels)
    check_square(renderer.config, "this measure", labels[0])
    if renderer.config.img_resolution < SMALLEST:
        raise InputError(f"blends are judged from {SMALLEST} pixels on", "use larger models")
    conditional = any(model.config.generator.c_dim for model in models)
    view = View(SEEDS, PSI, "random" if conditional else None)
    view.check(models, labels)
    ws = view.ws_of(models[0])
    base, transfer = (images_of(renderer, constant(share), ws) for share in (0, 1))
    swaps = swaps_of(renderer.config.resolutions)
    found = {r: appearance.blend_quality(images_of(renderer, swap(r), ws), base, transfer) for r in swaps}
    dead: list[dict[float, list[int]]] = [{}, {}]
    for share, psi in itertools.product((0, 1), (PSI, 1.0)):
        own = own_images(renderer, constant(share), SEEDS, psi)
        dead[share][psi] = np.flatnonzero(appearance.dead(own)).tolist()
    return Quality(labels, found, (dead[0], dead[1]))


def swaps_of(resolutions: Sequence[int]) -> list[int]:
    """The hand-over resolutions at which blends of models with these resolutions are judged."""
    return [r for r in _SWAPS if r in resolutions[:-1]] or [usual_swap(resolutions)]


def own_images(renderer: Renderer, schedule: Schedule, seeds: Sequence[int], psi: float) -> Pictures:
    """What a blend makes of seeds by itself: w from the mapping that is its own by default."""
    source = renderer.model(resolve_sources([schedule], None, None, None).mapping)
    label = "random" if source.config.generator.c_dim else None
    return images_of(renderer, schedule, map_seeds(source, seeds, truncation_psi=psi, class_idx=label))


def images_of(renderer: Renderer, schedule: Schedule, ws: np.ndarray) -> Pictures:
    """What a blend makes of ws, wherever they are from."""
    return renderer.images([schedule], resolve_sources([schedule], None, None, None), ws)


class Strangeness:
    """Toon distances from what one blend makes by itself: its own samples are described once.

    Args:
      renderer: of the models.
      schedule: of the blend.
      count: own samples, at psi 0.7.
    """

    def __init__(self, renderer: Renderer, schedule: Schedule, count: int = OWN):
        self._renderer, self._schedule, self._count = renderer, schedule, count
        self._own = self._features(0, PSI)

    def __call__(self, images: Pictures) -> np.ndarray:
        """The toon distance of each image, `[n]`."""
        return metrics.toon_distance(proxy_features(images), self._own)

    def of_samples(self, psi: float) -> np.ndarray:
        """Those of as many further samples of the blend, which were not among the first."""
        return metrics.toon_distance(self._features(self._count, psi), self._own)

    def _features(self, first: int, psi: float) -> np.ndarray:
        seeds = range(first, first + self._count)
        return proxy_features(own_images(self._renderer, self._schedule, seeds, psi))
