"""The scores of a run's images against its data: proxy-FID and proxy-KID, and how both look."""

from collections.abc import Callable
from typing import Any

import numpy as np

from stylegan_jax.scores import appearance, features, metrics


class Score:
    """Scores images against a data set, which is measured once.

    Args:
      n: how many generated images, and at most how many real ones.
    """

    def __init__(self, data: Any, n: int, resolution: int):
        self._data, self._n = data, n if resolution >= features.SMALLEST else 0
        self._real: np.ndarray | None = None
        self._look: dict[str, float] = {}

    def __call__(self, fakes: Callable[[range], np.ndarray]) -> dict[str, Any]:
        """The scores of the images of seeds 0 … n - 1 by name; empty where there is nothing to score.

        - `proxy-FID`, `proxy-KID`: distances from the real images over scattering features, whose name is `features`.
          KID needs two images on either side.
        - `saturation/fake`, `saturation/real`: mean of max − min over the channels, 0 … 255; what falls behind the
          real images' is paler than they are.
        - `sharpness/fake`, `sharpness/real`: mean length of the gradient, in levels per pixel; blurred images fall
          behind.
        - `dead`: the share of generated images that show no face (see `appearance.dead`).
        """
        if not self._n:
            return {}
        if self._real is None:
            count = min(len(self._data), self._n)
            real = np.stack([self._data.image(i) for i in range(count)])
            self._real, self._look = features.proxy_features(real), _look("real", real)
        images = fakes(range(self._n))
        found = features.proxy_features(images)
        scores = {"proxy-FID": metrics.fid(self._real, found)}
        if min(len(self._real), len(found)) > 1:
            scores["proxy-KID"] = metrics.kid(self._real, found, random=np.random.RandomState(0))
        scores |= {**_look("fake", images), **self._look, "dead": float(appearance.dead(images, found).mean())}
        return {**scores, "features": features.NAME}


def _look(which: str, images: np.ndarray) -> dict[str, float]:
    measures = {"saturation": appearance.saturation, "sharpness": appearance.sharpness}
    return {f"{name}/{which}": round(float(measure(images).mean()), 4) for name, measure in measures.items()}
