"""proxy-FID and proxy-KID of a run's images against its data."""

from collections.abc import Callable
from typing import Any

import numpy as np

from stylegan_jax.scores import features, metrics


class Score:
    """Scores images against a data set; its features are computed once.

    Args:
      n: how many generated images, and at most how many real ones.
    """

    def __init__(self, data: Any, n: int, resolution: int):
        self._data, self._n, self._real = data, n if resolution >= 16 else 0, None

    def __call__(self, fakes: Callable[[range], np.ndarray]) -> dict[str, Any]:
        """{proxy-FID, proxy-KID, features} of the images of seeds 0 … n - 1; empty where there is nothing to score.

        KID needs two images on either side.
        """
        if not self._n:
            return {}
        if self._real is None:
            count = min(len(self._data), self._n)
            self._real = features.proxy_features(np.stack([self._data.image(i) for i in range(count)]))
        found = features.proxy_features(fakes(range(self._n)))
        scores = {"proxy-FID": metrics.fid(self._real, found)}
        if min(len(self._real), len(found)) > 1:
            scores["proxy-KID"] = metrics.kid(self._real, found, random=np.random.RandomState(0))
        return {**scores, "features": features.NAME}
