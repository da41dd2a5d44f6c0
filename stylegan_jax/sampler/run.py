"""The sharded sampler: seeds or ws → batches of uint8 images on all local devices."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float, UInt8

from stylegan_jax.config import GeneratorConfig
from stylegan_jax.errors import InputError
from stylegan_jax.networks.layers import Weights
from stylegan_jax.sampler import batching, latents, prepared, stylespace
from stylegan_jax.sampler.batching import Device, NoiseMode, Parallel, Precision
from stylegan_jax.sampler.masked import Pyramid
from stylegan_jax.sampler.programs import Placement, mapping_program, masked_program, synthesis_program
from stylegan_jax.storage.checkpoint import Model

Seeds = Iterable[int | np.integer]
_ONE_Z = "use models of one z_dim, or show all of them one w"


def sample(
    model: Model,
    seeds: Seeds,
    *,
    truncation_psi: float = 1.0,
    truncation_cutoff: int | None = None,
    class_idx: latents.Label = None,
    mapping: Model | None = None,
    step: Float[np.ndarray, "l d"] | None = None,
    z_step: Float[np.ndarray, " z"] | None = None,
    shift: stylespace.Shift | None = None,
    batch: int | None = None,
    devices: int | Sequence[Device] | None = None,
    parallel: Parallel = "shard_map",
    noise: NoiseMode = "const",
    dtype: Precision = "float32",
    plan: prepared.Choice = "auto",
) -> Iterator[UInt8[np.ndarray, "n h w c"]]:
    """Yields the images of `seeds`, in order, in batches of uint8; the last batch may be smaller.

    Args:
      seeds: drawn as they are needed.
      model: its G_ema is sampled.
      truncation_psi, truncation_cutoff: see `latents.truncate`.
      class_idx: the class of a conditional model; "random" draws one for each seed, see `latents.random_classes`;
        a vector as a tuple of numbers.
      mapping: the model that makes the ws, with its w_avg; `model` itself by default.
      step: added to the ws of all, after truncation: an edit; `z_step` to their z, `shift` to their styles.
      batch, devices, parallel, noise, dtype, plan: see `batching.choose`.
    """
    how = batching.choose(
        model.config.generator, batch=batch, devices=devices, parallel=parallel, noise=noise, dtype=dtype, plan=plan
    )
    place = Placement(how)
    weights = place.replicate(_shifted(model, shift))
    source = model if mapping is None else same_ws(mapping, model)
    mapping_weights = weights if mapping is None else place.replicate(_g_ema(mapping))
    truncation: dict[str, Any] = {"psi": truncation_psi, "cutoff": truncation_cutoff, "class_idx": class_idx}
    batches = _map(source, place, mapping_weights, seeds, **truncation, z_step=z_step)
    if step is not None:
        added = place.replicate(step)
        batches = ((numbers, ws + added) for numbers, ws in batches)
    return synthesised(model.config.generator, place, place.prepare(weights), batches)


def same_ws(mapping: Model, model: Model) -> Model:
    """`mapping`, if its ws are of the shape that `model` takes; InputError otherwise."""
    made, taken = ((m.config.generator.num_ws, m.config.generator.w_dim) for m in (mapping, model))
    if made != taken:
        what = f"ws of shape {list(made)} from {mapping.lineage.get('source')}; {model.lineage.get('source')} takes"
        raise InputError(f"{what} {list(taken)}", "use models of one resolution and w_dim")
    return mapping


def sample_ws(
    model: Model,
    ws: Float[np.ndarray, "n l d"],
    *,
    seeds: Seeds | None = None,
    shift: stylespace.Shift | None = None,
    batch: int | None = None,
    devices: int | Sequence[Device] | None = None,
    parallel: Parallel = "shard_map",
    noise: NoiseMode = "const",
    dtype: Precision = "float32",
    plan: prepared.Choice = "auto",
) -> Iterator[UInt8[np.ndarray, "n h w c"]]:
    """Yields the images of given ws (one w per layer), untruncated.

    Args:
      model: its G_ema is sampled.
      ws: where they are.
      seeds: feed random noise (default 0, 1, …).
      shift: added to the styles of all: an edit.
      batch, devices, parallel, noise, dtype, plan: see `batching.choose`.
    """
    config = model.config.generator
    if ws.shape[1:] != (config.num_ws, config.w_dim):
        raise InputError(f"ws have shape {ws.shape}, this model takes [n, {config.num_ws}, {config.w_dim}]")
    how = batching.choose(config, batch=batch, devices=devices, parallel=parallel, noise=noise, dtype=dtype, plan=plan)
    place = Placement(how)
    pieces = (ws[start : start + place.how.step] for start in range(0, len(ws), place.how.step))
    numbers = _chunks(range(len(ws)) if seeds is None else list(seeds), place.how.step)
    weights = place.replicate(_shifted(model, shift))
    return synthesised(config, place, place.prepare(weights), zip(numbers, pieces, strict=True))


def sample_shifts(
    model: Model, ws: Float[np.ndarray, "n l d"], shifts: Iterable[stylespace.Shift]
) -> Iterator[UInt8[np.ndarray, "n h w c"]]:
    """Yields the images of the same ws by every shift of the styles; nothing but biases moves between two of them."""
    config = model.config.generator
    place = Placement(batching.choose(config))
    weights = place.prepare(place.replicate(_g_ema(model)))
    numbers = _chunks(range(len(ws)), place.how.step)
    batches = [(each, ws[each[0] : each[-1] + 1]) for each in numbers]
    for shift in shifts:
        changed = place.replicate(stylespace.moved(weights, config, shift))
        yield np.concatenate([*synthesised(config, place, {**weights, **changed}, batches)])


def sample_within(
    base: Model,
    model: Model,
    base_ws: Float[np.ndarray, "n l d"],
    ws: Float[np.ndarray, "n l d"],
    masks: Pyramid,
    *,
    shift: stylespace.Shift | None = None,
    plan: prepared.Choice = "auto",
) -> Iterator[UInt8[np.ndarray, "n h w c"]]:
    """Yields the images of `model` within a mask and of `base` outside it, untruncated; see `masked`.

    Args:
      base, model: their G_ema are sampled, which must be of one architecture.
      base_ws, ws: what each takes, one w per layer.
      masks: resolution → the mask there, for every resolution.
      shift: added to the styles of both: an edit.
      plan: see `batching.choose`.
    """
    configs = base.config.generator, model.config.generator
    place = Placement(batching.choose(configs[1], plan=plan))
    weights = [place.prepare(place.replicate(_shifted(each, shift))) for each in (base, model)]
    return synthesised_within(configs, place, (weights[0], weights[1]), (base_ws, ws), masks)


def map_seeds(
    model: Model,
    seeds: Seeds,
    *,
    truncation_psi: float = 1.0,
    truncation_cutoff: int | None = None,
    class_idx: latents.Label = None,
    z_step: Float[np.ndarray, " z"] | None = None,
    batch: int | None = None,
    devices: int | Sequence[Device] | None = None,
    parallel: Parallel = "shard_map",
) -> Float[np.ndarray, "n l d"]:
    """The ws of seeds, truncated; arguments as in `sample`."""
    place = Placement(batching.choose(model.config.generator, batch=batch, devices=devices, parallel=parallel))
    weights = place.replicate(mapping_of(_g_ema(model)))
    truncation: dict[str, Any] = {"psi": truncation_psi, "cutoff": truncation_cutoff, "class_idx": class_idx}
    chunks = _map(model, place, weights, seeds, **truncation, z_step=z_step)
    return np.concatenate([np.asarray(ws).reshape(-1, *ws.shape[-2:])[: len(chunk)] for chunk, ws in chunks])


def _g_ema(model: Model) -> Weights:
    if "G_ema" not in model.networks:
        raise InputError(f"the model holds {', '.join(model.networks)} but no G_ema", "take a model with G_ema")
    return model.networks["G_ema"]


def mapping_of(weights: Weights) -> Weights:
    """The mapping network alone."""
    return {name: leaf for name, leaf in weights.items() if name.startswith("mapping.")}


def _shifted(model: Model, shift: stylespace.Shift | None) -> Weights:
    """The weights with the styles moved."""
    weights = _g_ema(model)
    return {**weights, **stylespace.moved(weights, model.config.generator, shift)}


def _map(
    model: Model,
    place: Placement,
    weights: Weights,
    seeds: Seeds,
    *,
    psi: float,
    cutoff: int | None,
    class_idx: latents.Label,
    z_step: Float[np.ndarray, " z"] | None,
) -> Iterator[tuple[list[int], Array]]:
    """Each step's seeds and their truncated ws, padded to the step, on the devices."""
    config, class_idx = model.config.generator, latents.drawn_from(model.lineage, class_idx)
    if psi != 1 and "mapping.w_avg" not in weights:
        raise InputError("this model has no w_avg to truncate towards", "use psi 1")
    if not np.isfinite(psi):
        raise InputError(f"psi {psi} is no number", "use a number such as 0.7")
    latents.labels_of(class_idx, [0], config.c_dim)  # refuse before the first batch
    if z_step is not None and len(z_step) != config.z_dim:
        raise InputError(f"an edit of z with {len(z_step)} numbers, this model takes {config.z_dim}", _ONE_Z)
    program, weights = mapping_program(config, place.how, cutoff), mapping_of(weights)

    def batches() -> Iterator[tuple[list[int], Array]]:
        for chunk in _chunks(seeds, place.how.step):
            z, c = latents.z_from_seeds(chunk, config.z_dim, z_step), latents.labels_of(class_idx, chunk, config.c_dim)
            yield chunk, program(weights, place.split(z), place.split(c), place.replicate(np.float32(psi)))

    return batches()


def synthesised(
    config: GeneratorConfig, place: Placement, weights: Weights, batches: Iterable[tuple[Sequence[int], Any]]
) -> Iterator[UInt8[np.ndarray, "n h w c"]]:
    """Images of (seeds, ws), step by step; the devices work on one while the one before is fetched.

    Args:
      weights: as the program of `place` takes them.
      batches: a step of seeds, which feed random noise, and their ws at most.
    """
    program = synthesis_program(config, place.how)

    def steps() -> Iterator[tuple[int, Array]]:
        for seeds, ws in batches:
            ws = ws if isinstance(ws, jax.Array) else place.split(ws)
            yield len(seeds), program(weights, ws, place.split(np.asarray(seeds, np.uint32)))

    return _fetched(steps())


def synthesised_within(
    configs: tuple[GeneratorConfig, GeneratorConfig],
    place: Placement,
    weights: tuple[Weights, Weights],
    ws: tuple[Float[np.ndarray, "n l d"], Float[np.ndarray, "n l d"]],
    masks: Pyramid,
) -> Iterator[UInt8[np.ndarray, "n h w c"]]:
    """Images of another model within a mask, and of a base outside it, step by step; see `masked`.

    Args:
      configs, ws: the base's, the other's.
      place: of a job without random noise, in float32.
      weights: the base's, the other's, as the program of `place` takes them.
      masks: for every resolution.
    """
    program, placed, step = masked_program(*configs, place.how), place.replicate(dict(masks)), place.how.step

    def steps() -> Iterator[tuple[int, Array]]:
        for start in range(0, len(ws[0]), step):
            pieces = [each[start : start + step] for each in ws]
            yield len(pieces[0]), program(*weights, *map(place.split, pieces), placed)

    return _fetched(steps())


def _fetched(steps: Iterable[tuple[int, Array]]) -> Iterator[UInt8[np.ndarray, "n h w c"]]:
    """The images of steps that were started, each while the devices work on the next."""
    pending: tuple[int, Array] | None = None
    for started in steps:
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
