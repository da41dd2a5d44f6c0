"""The order of training images: the official endless shuffle, whose whole state is a counter."""

import numpy as np
from jaxtyping import Int


class Order:
    """Indices of `n` images, shuffled once and then over and over inside a window that moves along.

    Args:
      n: at least 1.
      window: the window's share of the images; below two images nothing moves.
      shuffle: False goes round and round.
    """

    def __init__(self, n: int, *, seed: int = 0, window: float = 0.5, shuffle: bool = True):
        self._n, self._seed, self._shuffle = n, seed, shuffle
        self._window = int(np.rint(n * window)) if shuffle else 0
        self._restart()

    def _restart(self) -> None:
        order, self._random, self._at = np.arange(self._n), np.random.RandomState(self._seed), 0
        if self._shuffle:
            self._random.shuffle(order)
        self._order = order.tolist()

    def take(self, counter: int, count: int) -> Int[np.ndarray, " count"]:
        """Indices number `counter` to `counter` + `count` - 1; going back replays from the start (5 s for 25 million).

        With replicas, rank k of n takes every n-th of them from the k-th on.
        """
        if counter < self._at:
            self._restart()
        while self._at < counter:
            self._advance(min(counter - self._at, 1 << 16))
        return np.array(self._advance(count), np.int64)

    def _advance(self, count: int) -> list[int]:
        order, n, begin = self._order, self._n, self._at
        self._at += count
        if self._window < 2:
            return [order[i % n] for i in range(begin, begin + count)]
        taken = []
        # As many draws at once as one by one: the generator gives the same numbers.
        for at, back in enumerate(self._random.randint(self._window, size=count).tolist(), begin):
            i, j = at % n, (at - back) % n
            taken.append(order[i])
            order[i], order[j] = order[j], order[i]
        return taken
