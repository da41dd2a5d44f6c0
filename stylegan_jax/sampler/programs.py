"""The compiled programs of the sampler, and how their arguments come onto the devices."""

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from jaxtyping import Array

from stylegan_jax.config import GeneratorConfig
from stylegan_jax.networks.generators import mapping as mapping_network
from stylegan_jax.networks.layers import Weights
from stylegan_jax.pictures import images
from stylegan_jax.sampler import latents, masked, prepared
from stylegan_jax.sampler.batching import Batching


@functools.lru_cache(maxsize=32)
def mapping_program(config: GeneratorConfig, how: Batching, cutoff: int | None) -> Callable[..., Array]:
    """G_ema's weights, z, c and psi → ws `[n l d]`, truncated in the first `cutoff` layers; compiled once."""

    how = replace(how, plan="plain")  # the mapping network has no other form

    def run(weights: Weights, z: Array, c: Array, psi: Array) -> Array:
        network = mapping_network(config, weights)
        ws = latents.broadcast(network(z, c), config.num_ws)
        return ws if config.w_avg_beta is None else latents.truncate(ws, network.w_avg[...], psi, cutoff)

    return _parallel(run, how, split=(False, True, True, False))


@functools.lru_cache(maxsize=32)
def synthesis_program(config: GeneratorConfig, how: Batching) -> Callable[..., Array]:
    """Weights as `Placement.prepare` gives them, ws and seeds → uint8 images; compiled once."""

    def run(weights: Weights, ws: Array, seeds: Array) -> Array:
        noise = jax.vmap(jax.random.key)(seeds) if how.noise == "random" else how.noise
        options: Any = {"form": how.form, "noise": noise, "dtype": how.array_dtype}
        with jax.default_matmul_precision("tensorfloat32" if how.dtype == "tf32" else "highest"):
            return images.to_uint8(prepared.synthesise(how.plan, config, weights, ws, **options))

    return _parallel(run, how, split=(False, True, True), compiler=prepared.compiler_options(how.plan, how.form))


@functools.lru_cache(maxsize=8)
def masked_program(base: GeneratorConfig, config: GeneratorConfig, how: Batching) -> Callable[..., Array]:
    """(weights of base and of another model as `Placement.prepare` gives them, the ws of each, a pyramid of masks) →
    uint8 images; compiled once for all masks. Arguments as those of `masked.synthesise`.
    """

    def run(base_weights: Weights, weights: Weights, base_ws: Array, ws: Array, masks: masked.Pyramid) -> Array:
        outside, inside = masked.Side(base, base_weights, base_ws), masked.Side(config, weights, ws)
        with jax.default_matmul_precision("highest"):
            made = masked.synthesise(how.plan, outside, inside, masks, form=how.form, dtype=how.array_dtype)
            return images.to_uint8(made)

    split = (False, False, True, True, False)
    return _parallel(run, how, split=split, compiler=prepared.compiler_options(how.plan, how.form))


def _parallel(
    run: Callable[..., Array], how: Batching, *, split: tuple[bool, ...], compiler: dict[str, str] | None = None
) -> Callable[..., Array]:
    """`run` on all devices; `split` says which arguments are divided along their first axis.

    `compiler` holds settings for XLA, which pmap does not take.
    """
    if how.parallel == "pmap":
        return jax.pmap(run, in_axes=tuple(0 if s else None for s in split), devices=list(how.devices))
    mesh = Mesh(np.array(how.devices), ("batch",), axis_types=(AxisType.Auto,))
    specs = tuple(P("batch") if s else P() for s in split)
    sharded = jax.shard_map(run, mesh=mesh, in_specs=specs, out_specs=P("batch"))
    return jax.jit(sharded, compiler_options=compiler or None)


class Placement:
    """Puts a program's arguments where it wants them: weights on every device, batches padded and divided."""

    def __init__(self, how: Batching):
        self.how = how
        self.mesh = Mesh(np.array(how.devices), ("batch",), axis_types=(AxisType.Auto,))

    def replicate(self, tree: Any) -> Any:
        """One copy for every device; once for a whole run."""
        return tree if self.how.parallel == "pmap" else jax.device_put(tree, NamedSharding(self.mesh, P()))

    def prepare(self, weights: Weights) -> Weights:
        """The weights as the synthesis program takes them."""
        return weights if self.how.plan == "plain" else prepared.prepared(weights, self.how.form)

    def split(self, rows: np.ndarray) -> Any:
        """Repeats the last row up to a full step and divides the rows over the devices."""
        rows = np.concatenate([rows, np.repeat(rows[-1:], self.how.step - len(rows), 0)])
        if self.how.parallel == "pmap":
            return rows.reshape(len(self.how.devices), self.how.batch, *rows.shape[1:])
        return jax.device_put(rows, NamedSharding(self.mesh, P("batch")))
