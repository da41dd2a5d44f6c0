"""Training without the host: the data set lies on the device, and one program runs many whole iterations.

For accelerators, where a dispatch and a transfer for each phase cost as much as the phase. On CPUs XLA runs the body
of a loop on fewer threads than a program of its own: there `Phases.iterate` is faster.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int, UInt8

from stylegan_jax.train.data.dataset import Dataset
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
    def of(cls, data: Dataset, phases: Phases) -> "Resident":
        """Copies a data set to every device of the phases' mesh."""
        whole = np.ascontiguousarray(data.images.pixels), np.asarray(data.labels, np.float32)
        return cls(*jax.device_put(whole, phases.replicated))

    def take(self, indices: Int[Array, " n"]) -> tuple[UInt8[Array, "n r r c"], Float[Array, "n c_dim"]]:
        """Images and labels of one batch."""
        count = self.pixels.shape[0]
        pixels = self.pixels[indices % count]
        mirrored = (indices >= count)[:, None, None, None]
        return jnp.where(mirrored, pixels[:, :, ::-1], pixels), self.labels[indices]


class Cycles:
    """The compiled program of up to `most` iterations: `cycles(state, indices)` → (state, stats).

    The same iterations as `Phases.iterate`, but for the order of sums in a fused program. How many of them one call
    runs changes nothing: the program is one for any number.

    Args:
      like: a state or the shapes of one.
      most: iterations in one call.
    """

    def __init__(self, phases: Phases, resident: Resident, like: State, most: int):
        self._phases, self._resident, self.most = phases, resident, most
        shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), (like, resident))
        indices = jax.ShapeDtypeStruct((most, phases.config.batch), jnp.int32)
        program = jax.jit(phases.precise(self._run), donate_argnums=0, out_shardings=phases.replicated)
        self._program = program.lower(shapes[0], indices, jax.ShapeDtypeStruct((), jnp.int32), shapes[1]).compile()

    def __call__(
        self, state: State, indices: Int[np.ndarray, "steps n"]
    ) -> tuple[State, dict[str, Float[Array, " most"]]]:
        """Runs the iterations of these batches; a statistic is NaN where an iteration had it not, or was not run."""
        rows = np.zeros((self.most, indices.shape[1]), np.int32)
        rows[: len(indices)] = indices
        return self._program(state, rows, np.int32(len(indices)), self._resident)

    def _run(self, state: State, rows: Array, count: Array, resident: Resident) -> tuple[State, dict[str, Array]]:
        def iterate(i: Array, carry: tuple[State, dict[str, Array]]) -> tuple[State, dict[str, Array]]:
            state, stats = carry
            state, found = iteration(state, rows[i])
            return state, {name: stats[name].at[i].set(value) for name, value in found.items()}

        def iteration(state: State, row: Array) -> tuple[State, dict[str, Array]]:
            real, c = lax.with_sharding_constraint(resident.take(row), self._phases.split)
            return self._phases.iteration(state, real, c, resident.labels)

        shapes = jax.eval_shape(iteration, state, rows[0])[1]
        nothing = {name: jnp.full((self.most, *shape.shape), jnp.nan, shape.dtype) for name, shape in shapes.items()}
        return lax.fori_loop(0, count, iterate, (state, nothing))
