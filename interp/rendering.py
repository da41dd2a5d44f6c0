"""Images of blends whose α changes: the weights are mixed on the devices, by one program for every schedule."""

import functools
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float, UInt8

from interp.alphas import Kind, Sources, alpha_table, model_names
from interp.arithmetic import mix_trees
from interp.relatives import check_blendable, merged_config
from interp.schedules import Schedule
from stylegan_jax.errors import InputError
from stylegan_jax.names import DEFAULT_NETWORKS, is_buffer
from stylegan_jax.sampler import batching, prepared, stylespace
from stylegan_jax.sampler.masked import Pyramid
from stylegan_jax.sampler.programs import Placement, synthesis_program
from stylegan_jax.sampler.run import synthesised, synthesised_within
from stylegan_jax.sampler.stylespace import Shift
from stylegan_jax.storage.checkpoint import Model

Tree = Mapping[str, Any]


class Renderer:
    """Models on the devices, and images of any blend of them. Several threads may ask at once.

    Args:
      models, labels: the base, then each transfer model, and how messages name them.
      batch, devices, plan: by default those that `sampler.sample` chooses for such a model.
      blends: how many stay on the devices, ready to be sampled again.

    Raises InputError where the models cannot be blended.
    """

    def __init__(
        self,
        models: Sequence[Model],
        labels: Sequence[str],
        *,
        batch: int | None = None,
        devices: int | None = None,
        plan: prepared.Choice = "auto",
        blends: int = 1,
    ):
        configs = [model.config for model in models]
        check_blendable(configs, labels, DEFAULT_NETWORKS)
        self.models, self.names = models, model_names(len(models) - 1)
        self.config = merged_config(configs, DEFAULT_NETWORKS, mapping=0, w_avg=0).generator
        self.how = batching.choose(self.config, batch=batch, devices=devices, plan=plan)
        self._place = Placement(self.how)
        lay_out = jax.jit(prepared.lay_out) if self.how.plan == "prepared" else prepared.synthesis_of
        layouts = [self._place.replicate(lay_out(model.networks["G_ema"])) for model in models]
        self._trained = [{n: a for n, a in tree.items() if not is_buffer(n)} for tree in layouts]
        self._buffers = [{n: a for n, a in tree.items() if is_buffer(n)} for tree in layouts]
        self._tensors = tuple(self._trained[0])
        self._blends: OrderedDict[bytes, Tree] = OrderedDict()  # the one asked for longest ago first
        self._most = blends
        self._mixing = threading.Lock()

    def model(self, source: str) -> Model:
        """The model that `base`, `transfer`, `transfer2`, … names; InputError for anything else."""
        return self.models[self._index(source)]

    def images(
        self,
        schedules: Sequence[Schedule],
        sources: Sources,
        ws: Float[np.ndarray, "n l d"],
        *,
        kinds: Sequence[Kind] = (),
        shift: Shift | None = None,
    ) -> UInt8[np.ndarray, "n h w c"]:
        """The images of one blend, one for each row of `ws`; neither α nor the source of noise compiles anew.

        `shift` is added to the styles: the same as to those of all its models, as their shares are 1 together.
        """
        pieces = [ws[start : start + self.how.step] for start in range(0, len(ws), self.how.step)]
        batches = [(range(len(piece)), piece) for piece in pieces]  # seeds of random noise, which no blend shows
        with self._mixing:  # the next blend takes this one's place
            weights = self._shifted(self._weights(schedules, sources, kinds), shift)
            return np.concatenate(list(synthesised(self.config, self._place, weights, batches)))

    def images_within(
        self,
        masks: Pyramid,
        schedules: Sequence[Schedule],
        sources: Sources,
        ws: Float[np.ndarray, "n l d"],
        *,
        base_ws: Float[np.ndarray, "n l d"] | None = None,
        kinds: Sequence[Kind] = (),
        shift: Shift | None = None,
    ) -> UInt8[np.ndarray, "n h w c"]:
        """`images` within a mask, and outside it the base's of `base_ws` (by default `ws`); no mask compiles anew."""
        rows = ws if base_ws is None else base_ws, ws
        with self._mixing:
            weights = self._shifted(self._base, shift), self._shifted(self._weights(schedules, sources, kinds), shift)
            made = synthesised_within((self.config, self.config), self._place, weights, rows, masks)
            return np.concatenate(list(made))

    def _shifted(self, weights: Tree, shift: Shift | None) -> Tree:
        if shift is None:  # most frames: nothing to copy, nothing to place
            return weights
        return {**weights, **self._place.replicate(stylespace.moved(weights, self.config, shift))}

    @functools.cached_property
    def _base(self) -> Tree:
        """The base as its plan takes it, beside the blends."""
        mix, _ = self.programs
        none = self._place.replicate(np.zeros((len(self._tensors), len(self.models) - 1), np.float32))
        arguments = self._trained, self._buffers[0], none
        return mix(self._space(mix, *arguments), *arguments)

    def _weights(self, schedules: Sequence[Schedule], sources: Sources, kinds: Sequence[Kind]) -> Tree:
        """The blend as its plan takes it, in the memory of an older one: a new one costs more than the numbers."""
        names = [f"synthesis.{name}" for name in self._tensors]
        table, noise = alpha_table(names, schedules, sources, kinds), self._index(sources.noise)
        alphas = np.array([table[name] for name in names], np.float32)
        key = alphas.tobytes() + bytes([noise])
        if key not in self._blends:
            mix, _ = self.programs
            arguments = self._trained, self._buffers[noise], self._place.replicate(alphas)
            full = len(self._blends) >= self._most
            old = self._blends.popitem(last=False)[1] if full else self._space(mix, *arguments)
            self._blends[key] = mix(old, *arguments)
        self._blends.move_to_end(key)
        return self._blends[key]

    def _space(self, mix: Callable[..., Tree], *arguments: Any) -> Tree:
        """Memory for a blend."""
        shapes = jax.eval_shape(functools.partial(mix, None), *arguments)
        return jax.tree.map(lambda leaf: self._place.replicate(np.zeros(leaf.shape, leaf.dtype)), shapes)

    @property
    def programs(self) -> tuple[Callable[..., Tree], Callable[..., Array]]:
        """The compiled mixing and synthesis; one of each serves every blend of such models."""
        return _mixing_program(self._tensors, self.how.plan, self.how.form), synthesis_program(self.config, self.how)

    def _index(self, source: str) -> int:
        if source not in self.names:
            raise InputError(f"{source}: not a source", f"use {', '.join(self.names)}")
        return self.names.index(source)


@functools.lru_cache(maxsize=8)
def _mixing_program(names: tuple[str, ...], plan: prepared.Plan, form: prepared.Form) -> Callable[..., Tree]:
    """(an earlier blend, trained tensors of each model as `lay_out` has them, buffers, α [tensor model]) → a blend.

    The earlier one is overwritten.
    """

    @functools.partial(jax.jit, donate_argnums=0, keep_unused=True)
    def run(old: Any, trained: list[Tree], buffers: Tree, alphas: Array) -> Tree:
        base, *others = trained
        mixed = mix_trees(base, others, {name: alphas[i] for i, name in enumerate(names)})
        if plan == "prepared":
            return prepared.prepare({**mixed, **buffers}, form)
        return {f"synthesis.{name}": leaf for name, leaf in {**mixed, **buffers}.items()}

    return run
