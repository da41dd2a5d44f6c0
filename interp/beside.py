"""How blends of a fine-tune with its base look: it is chosen by its blends, and not alone by itself."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import UInt8

from interp import mix, schedules
from interp.quality import PSI, SEEDS, swaps_of
from stylegan_jax.networks.layers import Weights
from stylegan_jax.pictures import images
from stylegan_jax.scores import appearance
from stylegan_jax.storage.checkpoint import Model
from stylegan_jax.train import transfer

_SHOWN = 8  # of the seeds that are measured
Pixels = UInt8[np.ndarray, "n r r c"]


class Blends:
    """Blends of one base with model after model.

    Args:
      base: the model that the fine-tune began from.
      show: makes images of the leaves of a G, seeds and psi.
    """

    def __init__(self, base: Model, show: Callable[[Weights, Sequence[int], float], Pixels]):
        leaves = base.networks[transfer.generator_of(base)]
        self._base = Model(base.config, {"G_ema": {name: np.asarray(leaf) for name, leaf in leaves.items()}}, {})
        self._show = lambda leaves: show(leaves, SEEDS, PSI)
        self._swaps = swaps_of(base.config.generator.resolutions)
        self._parent: Pixels | None = None

    def __call__(self, ema: Weights) -> tuple[dict[str, float], UInt8[np.ndarray, "H W 3"]]:
        """(scores by name, a sheet) of the blends with a G_ema, one w for all that are compared.

        - `swap 16/saturation`, `swap 16/sharpness`: as shares of the lesser parent's (see `appearance.blend_quality`).
          What neither parent has, as grey ones have no saturation, is left out.
        """
        tuned = Model(self._base.config, {"G_ema": {name: np.asarray(leaf) for name, leaf in ema.items()}}, {})

        def blended(schedule: Any) -> Pixels:
            mixed = mix.blend(self._base, tuned, schedule, mapping="base", labels=("base", "this"))
            return self._show(mixed.networks["G_ema"])

        if self._parent is None:
            self._parent = self._show(self._base.networks["G_ema"])
        own = blended(schedules.constant(1))
        found = {r: blended(schedules.swap(r)) for r in self._swaps}
        scores = {}
        for r, pixels in found.items():
            quality = appearance.blend_quality(pixels, self._parent, own)._asdict()
            scores |= {f"swap {r}/{name}": round(x, 4) for name, x in quality.items() if math.isfinite(x)}
        rows = {"base": self._parent, **{f"swap {r}": pixels for r, pixels in found.items()}, "this": own}
        sheet = images.sheet([row[:_SHOWN] for row in rows.values()], row_labels=[*rows])
        return scores, sheet
