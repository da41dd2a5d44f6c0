"""Encoders of the pSp family (pSp, e4e): what one is, and the names and shapes of its tensors."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from stylegan_jax.names import Layout

SIZE = 256
"""Pixels per side of the pictures that such an encoder takes."""
_SQUEEZE = 16


@dataclass(frozen=True)
class PspConfig:
    """The network of an encoder: an IR-SE body, a feature pyramid, and one head for each w.

    Attributes:
      num_ws: its heads.
      channels, units: of the four stages of the body; each begins by halving the picture. The last channels are those
        of the pyramid, and of w.
      offsets: the first head gives a w, the others what is added to it (e4e); or else each gives its own (pSp).
    """

    num_ws: int
    channels: tuple[int, ...] = (64, 128, 256, 512)
    units: tuple[int, ...] = (3, 4, 14, 3)
    offsets: bool = True

    @property
    def w_dim(self) -> int:
        """Numbers of a w."""
        return self.channels[-1]

    @property
    def blocks(self) -> Iterator[tuple[int, int, int]]:
        """(channels in, channels out, stride) of each unit of the body."""
        for before, after, count in zip((self.channels[0], *self.channels), self.channels, self.units, strict=False):
            yield from [(before, after, 2), *[(after, after, 1)] * (count - 1)]

    def level(self, head: int) -> int:
        """Which map of the pyramid a head looks at, 0 the coarsest (1/16 of the picture), 2 the finest (1/4)."""
        return 0 if head < 3 else 1 if head < 7 else 2

    def layout(self) -> Layout:
        """Name → shape of every tensor, without `encoder.`; of each normalisation what evaluation needs."""
        return dict(self._entries())

    def _entries(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        first, width = self.channels[0], self.w_dim
        yield "input_layer.0.weight", (first, 3, 3, 3)
        yield from _norm("input_layer.1", first)
        yield "input_layer.2.weight", (first,)
        for i, (before, after, _) in enumerate(self.blocks):
            yield from _unit(f"body.{i}", before, after)
        for name, channels in (("latlayer1", self.channels[2]), ("latlayer2", self.channels[1])):
            yield f"{name}.weight", (width, channels, 1, 1)
            yield f"{name}.bias", (width,)
        for i in range(self.num_ws):
            for j in range(4 + self.level(i)):
                yield f"styles.{i}.convs.{2 * j}.weight", (width, width, 3, 3)
                yield f"styles.{i}.convs.{2 * j}.bias", (width,)
            yield f"styles.{i}.linear.weight", (width, width)
            yield f"styles.{i}.linear.bias", (width,)


def _unit(name: str, before: int, after: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    squeezed = after // _SQUEEZE
    yield from _norm(f"{name}.res_layer.0", before)
    yield f"{name}.res_layer.1.weight", (after, before, 3, 3)
    yield f"{name}.res_layer.2.weight", (after,)
    yield f"{name}.res_layer.3.weight", (after, after, 3, 3)
    yield from _norm(f"{name}.res_layer.4", after)
    yield f"{name}.res_layer.5.fc1.weight", (squeezed, after, 1, 1)
    yield f"{name}.res_layer.5.fc2.weight", (after, squeezed, 1, 1)
    if before != after:
        yield f"{name}.shortcut_layer.0.weight", (after, before, 1, 1)
        yield from _norm(f"{name}.shortcut_layer.1", after)


def _norm(name: str, channels: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    for leaf in ("weight", "bias", "running_mean", "running_var"):
        yield f"{name}.{leaf}", (channels,)


@dataclass(frozen=True, eq=False)
class PspEncoder:
    """An encoder as a file holds it.

    Attributes:
      config: its network.
      weights: float32 tensors by the names of `config.layout()`.
      average: added to what the network gives, the same or its own for each w: `[1 d]` or `[l d]`; 0 where the network
        learnt whole ws.
    """

    config: PspConfig
    weights: Mapping[str, np.ndarray]
    average: Float[np.ndarray, "l d"]
