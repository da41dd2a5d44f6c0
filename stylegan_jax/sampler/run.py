"""The sharded sampler: seeds or ws → batches of uint8 images on all local devices."""

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float, UInt8

from stylegan_jax.config import GeneratorConfig
from stylegan_jax.errors import InputError
from stylegan_jax.networks.generators import mapping as mapping_network
from stylegan_jax.networks.layers import Weights
from stylegan_jax.pictures import images
from stylegan_jax.sampler import batching, latents, prepared
from stylegan_jax.sampler.batching import Batching
from stylegan_jax.storage.checkpoint import Model

Seeds = Iterable[int | np.integer]


def sample(
    model: Model,
    seeds: Seeds,
    *,
    truncation_psi: float = 1.0,
    truncation_cutoff: int | None = None,
    class_idx: latents.Label = None,
    mapping: Model | None = None,
    **options: Any,
) -> Iterator[UInt8[np.ndarray, "n h w c"]]:
    """Yields the images of `seeds`, in order, in batches of uint8; the last batch may be smaller.

    Args:
      seeds: drawn as they are needed.
      model: its G_ema is sampled.
      truncation_psi, truncation_cutoff: see `latents.truncate`.
      class_idx: the class of a conditional model; "random" draws one for each seed, see `latents.random_classes`;
        a vector as a tuple of numbers.
      mapping: the model that makes the ws, with its w_avg; `model` itself by default.
      **options: batch, devices, parallel, noise, dtype, plan; see `batching.choose`.
    """
    place = _Placement(batching.choose(model.config.generator, **options))
    weights = place.replicate(_g_ema(model))
    source = model if mapping is None else same_ws(mapping, model)
    mapping_weights = weights if mapping is None else place.replicate(_g_ema(mapping))
    batches = _map(
        source, place, mapping_weights, seeds, psi=truncation_psi, cutoff=truncation_cutoff, class_idx=class_idx
    )
    return _images(model.config.generator, place, place.prepare(weights), batches)


def same_ws(mapping: Model, model: Model) -> Model:
    """`mapping`, if its ws are of the shape that `model` takes; InputError otherwise."""
    made, taken = ((m.config.generator.num_ws, m.config.generator.w_dim) for m in (mapping, model))
    if made != taken:
        what = f"ws of shape {list(made)} from {mapping.lineage.get('source')}; {model.lineage.get('source')} takes"
        raise InputError(f"{what} {list(taken)}", "use models of one resolution and w_dim")
    return mapping


def sample_ws(
    model: Model, ws: Float[np.ndarray, "n l d"], *, seeds: Seeds | None = None, **options: Any
) -> Iterator[UInt8[np.ndarray, "n h w c"]]:
    """Yields the images of given ws (one w per layer), untruncated; `seeds` (default 0, 1, …) feed random noise."""
    config = model.config.generator
    if ws.shape[1:] != (config.num_ws, config.w_dim):
        raise InputError(f"ws have shape {ws.shape}, this model takes [n, {config.num_ws}, {config.w_dim}]")
    place = _Placement(batching.choose(config, **options))
    pieces = (ws[start : start + place.how.step] for start in range(0, len(ws), place.how.step))
    numbers = _chunks(range(len(ws)) if seeds is None else list(seeds), place.how.step)
    return _images(config, place, place.prepare(place.replicate(_g_ema(model))), zip(numbers, pieces, strict=True))


def map_seeds(
    model: Model,
    seeds: Seeds,
    *,
    truncation_psi: float = 1.0,
    truncation_cutoff: int | None = None,
    class_idx: latents.Label = None,
    **options: Any,
) -> Float[np.ndarray, "n l d"]:
    """The ws of seeds, truncated; arguments as in `sample`."""
    place = _Placement(batching.choose(model.config.generator, **options))
    weights = place.replicate(_g_ema(model))
    chunks = _map(model, place, weights, seeds, psi=truncation_psi, cutoff=truncation_cutoff, class_idx=class_idx)
    return np.concatenate([np.asarray(ws).reshape(-1, *ws.shape[-2:])[: len(chunk)] for chunk, ws in chunks])


def _g_ema(model: Model) -> Weights:
    if "G_ema" not in model.networks:
        raise InputError(
            f"the model holds {', '.join(model.networks)} but no G_ema", "convert it with --networks G_ema"
        )
    return model.networks["G_ema"]


def _map(
    model: Model,
    place: "_Placement",
    weights: Weights,
    seeds: Seeds,
    *,
    psi: float,
    cutoff: int | None,
    class_idx: latents.Label,
) -> Iterator[tuple[list[int], Array]]:
    """Each step's seeds and their truncated ws, padded to the step, on the devices."""
    config, class_idx = model.config.generator, latents.drawn_from(model.lineage, class_idx)
    if psi != 1 and "mapping.w_avg" not in weights:
        raise InputError("this model has no w_avg to truncate towards", "use psi 1")
    if not np.isfinite(psi):
        raise InputError(f"psi {psi} is no number", "use a number such as 0.7")
    latents.labels_of(class_idx, [0], config.c_dim)  # refuse before the first batch
    program = _mapping_program(config, replace(place.how, plan="plain"), cutoff)

    def batches() -> Iterator[tuple[list[int], Array]]:
        for chunk in _chunks(seeds, place.how.step):
            z, c = latents.z_from_seeds(chunk, config.z_dim), latents.labels_of(class_idx, chunk, config.c_dim)
            yield chunk, program(weights, place.split(z), place.split(c), place.replicate(np.float32(psi)))

    return batches()


def _images(
    config: GeneratorConfig, place: "_Placement", weights: Weights, batches: Iterable[tuple[Sequence[int], Any]]
) -> Iterator[UInt8[np.ndarray, "n h w c"]]:
    """Synthesises batch after batch; the devices work on one while the one before is fetched."""
    program = _synthesis_program(config, place.how)
    pending: tuple[int, Array] | None = None
    for seeds, ws in batches:
        ws = ws if isinstance(ws, jax.Array) else place.split(ws)
        started = len(seeds), program(weights, ws, place.split(np.asarray(seeds, np.uint32)))
        if pending is not None:
            yield _fetch(*pending)
        pending = started
    if pending is not None:
        yield _fetch(*pending)


def _fetch(n: int, images: Array) -> UInt8[np.ndarray, "n h w c"]:
    return np.asarray(images).reshape(-1, *images.shape[-3:])[:n]


def _chunks(items: Seeds, size: int) -> Iterator[list[int]]:
    rest = map(int, items)
    while chunk := list(islice(rest, size)):
        yield chunk


@functools.lru_cache(maxsize=32)
def _mapping_program(config: GeneratorConfig, how: Batching, cutoff: int | None) -> Callable[..., Array]:
    def run(weights: Weights, z: Array, c: Array, psi: Array) -> Array:
        network = mapping_network(config, weights)
        ws = latents.broadcast(network(z, c), config.num_ws)
        return ws if config.w_avg_beta is None else latents.truncate(ws, network.w_avg[...], psi, cutoff)

    return _parallel(run, how, split=(False, True, True, False))


@functools.lru_cache(maxsize=32)
def _synthesis_program(config: GeneratorConfig, how: Batching) -> Callable[..., Array]:
    def run(weights: Weights, ws: Array, seeds: Array) -> Array:
        noise = jax.vmap(jax.random.key)(seeds) if how.noise == "random" else how.noise
        options: Any = {"form": how.form, "noise": noise, "dtype": how.array_dtype}
        with jax.default_matmul_precision("tensorfloat32" if how.dtype == "tf32" else "highest"):
            return images.to_uint8(prepared.synthesise(how.plan, config, weights, ws, **options))

    return _parallel(run, how, split=(False, True, True), compiler=prepared.compiler_options(how.plan, how.form))


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


class _Placement:
    """Puts arguments where they are wanted: weights on every device, batches padded and divided."""

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
