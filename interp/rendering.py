"""Images of blends whose α changes: the weights are mixed on the device, by one program for every schedule."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float, UInt8

from interp.alphas import Sources, alpha_table, model_names
from interp.mix import mix_trees
from interp.relatives import check_blendable, merged_config
from interp.schedules import Schedule
from stylegan_jax.checkpoint import Model
from stylegan_jax.config import GeneratorConfig
from stylegan_jax.errors import InputError
from stylegan_jax.generator import Synthesis
from stylegan_jax.images import to_uint8
from stylegan_jax.layers import assemble
from stylegan_jax.names import is_buffer
from stylegan_jax.sampler import batching

_PREFIX = "synthesis."
Tree = Mapping[str, Any]


class Renderer:
    """Models on the device, and images of any blend of them.

    Raises InputError where the models cannot be blended.
    """

    def __init__(self, models: Sequence[Model], labels: Sequence[str]):
        configs = [model.config for model in models]
        check_blendable(configs, labels, ("G_ema",))
        self.models, self.names = models, model_names(len(models) - 1)
        self.config = merged_config(configs, ("G_ema",), mapping=0, w_avg=0).generator
        synthesis = [_of_synthesis(model) for model in models]
        self._trained = [jax.device_put({n: a for n, a in tree.items() if not is_buffer(n)}) for tree in synthesis]
        self._buffers = [jax.device_put({n: a for n, a in tree.items() if is_buffer(n)}) for tree in synthesis]
        self._tensors = list(self._trained[0])

    def model(self, source: str) -> Model:
        """The model that `base`, `transfer`, `transfer2`, … names; InputError for anything else."""
        return self.models[self._index(source)]

    def images(
        self, schedules: Sequence[Schedule], sources: Sources, ws: Float[np.ndarray, "n l d"]
    ) -> UInt8[np.ndarray, "n h w c"]:
        """The images of one blend, one for each row of `ws`; neither α nor the source of noise compiles anew."""
        names = [_PREFIX + name for name in self._tensors]
        table = alpha_table(names, schedules, sources)
        alphas = np.array([table[name] for name in names], np.float32)
        batch = batching(self.config, len(ws)).batch
        run = _program(self.config, tuple(self._tensors))
        buffers = self._buffers[self._index(sources.noise)]
        images = []
        for start in range(0, len(ws), batch):
            rows = ws[start : start + batch]
            padded = np.concatenate([rows, np.repeat(rows[-1:], batch - len(rows), 0)])
            images.append(np.asarray(run(self._trained, buffers, alphas, padded))[: len(rows)])
        return np.concatenate(images)

    def _index(self, source: str) -> int:
        if source not in self.names:
            raise InputError(f"{source}: not a source", f"use {', '.join(self.names)}")
        return self.names.index(source)


def _of_synthesis(model: Model) -> dict[str, np.ndarray]:
    leaves = model.networks["G_ema"]
    return {name.removeprefix(_PREFIX): leaf for name, leaf in leaves.items() if name.startswith(_PREFIX)}


@functools.lru_cache(maxsize=8)
def _program(config: GeneratorConfig, names: tuple[str, ...]) -> Callable[..., Array]:
    """(trained tensors of each model, buffers, α [tensor model], ws) → pixels."""

    @jax.jit
    def run(trained: list[Tree], buffers: Tree, alphas: Array, ws: Array) -> Array:
        base, *others = trained
        mixed = mix_trees(base, others, {name: alphas[i] for i, name in enumerate(names)})
        return to_uint8(assemble(Synthesis, config, {**mixed, **buffers})(ws))

    return run
