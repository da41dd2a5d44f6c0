"""Training without the host: the data set lies on the device, and one program runs many whole iterations.

For accelerators, where a dispatch and a transfer for each phase cost as much as the phase. On CPUs XLA runs the body
of a loop on fewer threads than a program of its own: there `Phases.iterate` is faster.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int, UInt8

from stylegan_jax.train.phases import Phases
from stylegan_jax.train.state import State


class Resident(NamedTuple):
    """A data set on the device; index i from `len(pixels)` on is the mirror image of i - len(pixels).

    Attributes:
      labels: of every index.
    """

    pixels: UInt8[Array, "images r r c"]
    labels: Float[Array, "indices c_dim"]

    @classmethod
    def of(cls, data: Any, phases: Phases) -> "Resident":
        """Copies a `data.Dataset` to every device of the phases' mesh."""
        whole = np.ascontiguousarray(data.images.pixels), np.asarray(data.labels, np.float32)
        return cls(*jax.device_put(whole, phases.replicated))

    def take(self, indices: Int[Array, " n"]) -> tuple[UInt8[Array, "n r r c"], Float[Array, "n c_dim"]]:
        """Images and labels of one batch."""
        count = self.pixels.shape[0]
        pixels = self.pixels[indices % count]
        mirrored = (indices >= count)[:, None, None, None]
        return jnp.where(mirrored, pixels[:, :, ::-1], pixels), self.labels[indices]


class Cycles:
    """The compiled program of `steps` iterations: `cycles(state, indices)` → (state, means).

    The same iterations as `Phases.iterate`, but for the order of sums in a fused program.

    Args:
      like: a state or the shapes of one.
      steps: iterations in one call.
    """

    def __init__(self, phases: Phases, resident: Resident, like: State, steps: int):
        self._phases, self._resident = phases, resident
        shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), (like, resident))
        indices = jax.ShapeDtypeStruct((steps, phases.config.batch), jnp.int32)
        lowered = jax.jit(phases.precise(self._run), donate_argnums=0, out_shardings=phases.replicated).lower(
            shapes[0], indices, shapes[1]
        )
        self._program = lowered.compile()

    def __call__(self, state: State, indices: Int[np.ndarray, "steps n"]) -> tuple[State, dict[str, Array]]:
        """Runs the iterations of these batches; the means are over those iterations that had the statistic."""
        return self._program(state, np.asarray(indices, np.int32), self._resident)

    def _run(self, state: State, indices: Array, resident: Resident) -> tuple[State, dict[str, Array]]:
        def iterate(state: State, rows: Array) -> tuple[State, dict[str, Array]]:
            real, c = lax.with_sharding_constraint(resident.take(rows), self._phases.split)
            return self._phases.iteration(state, real, c, resident.labels)

        state, means = lax.scan(iterate, state, indices)
        return state, {name: jnp.nanmean(values) for name, values in means.items()}
