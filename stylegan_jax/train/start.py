"""From what the user asked for to a run that trains: data, configuration, the model to begin from, the folder."""

import contextlib
import dataclasses
import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

import jax

from stylegan_jax import names
from stylegan_jax.config import check_square, resolutions_up_to
from stylegan_jax.errors import InputError
from stylegan_jax.storage import checkpoint, rundir
from stylegan_jax.storage.checkpoint import Model
from stylegan_jax.storage.downloads import addresses
from stylegan_jax.train import transfer
from stylegan_jax.train.config import TrainConfig
from stylegan_jax.train.data import sources
from stylegan_jax.train.data.dataset import Dataset
from stylegan_jax.train.data.labels import counted
from stylegan_jax.train.loop import Compared, Run, mesh_of
from stylegan_jax.train.official import BLEND_SHARE, BLEND_SWAPS, NETWORK_FIELDS, official
from stylegan_jax.train.request import Freeze, Request
from stylegan_jax.train.state import State, initial_state
from stylegan_jax.train.transfer import BLENDS

MAY_CHANGE = ("config.kimg", "lineage.source", "lineage.data.name", "lineage.from.source")
"""What a continuation may say anew: how long it trains, and names of what may have been renamed or moved."""


def train(
    asked: Request,
    load: Callable[[str], Model],
    *,
    framing: Any = None,
    compare: Callable[[Model, Callable[..., Any]], Compared] | None = None,
) -> int:
    """Runs what was asked for; returns the exit code. Nothing is written before the input has proved good.

    Args:
      load: reads any model by path, name or address.
      framing: of the faces in the images, as the lineage of a model states it.
      compare: for a fine-tune of one architecture, shows and scores its blends with the model that it began from.
    """
    with contextlib.ExitStack() as stack:
        sources.require_data(asked.data)  # the first thing that was typed
        running = rundir.is_begun(asked.out)
        if running:
            stack.enter_context(rundir.lock(asked.out))
        model = None if asked.source is None else load(asked.source)
        if model is not None:
            check_square(model.config.generator, "training", asked.source)
        changes = asked.configuration.given()
        data = _data(asked, changes, model)
        config = configure(asked, changes, data, model)
        mesh = mesh_of(config, asked.devices)
        if not running:
            stack.enter_context(rundir.lock(asked.out))
        lineage = _lineage(asked, data, model) | ({} if framing is None else {"framing": framing})
        rundir.open_run(asked.out, {"config": config.to_json(), "lineage": lineage}, may_change=MAY_CHANGE)
        lineage |= {"labels": counts} if (counts := counted(data.image_labels)) else {}  # `--class random` draws them
        options: dict[str, Any] = {"records": asked.records, "resident": asked.resident}
        other = _partner(asked, config, model, load)
        if other is not None and compare is not None:
            options["compare"] = functools.partial(compare, other)
        run = Run(asked.out, config, data, mesh=mesh, lineage=lineage, **options)
        state = run.restore(lambda: begin(config, model, other))
        _announce(asked, config, data, model, int(state.iteration))
        code = run.go(state)
    print(asked.out)
    return code


def _partner(asked: Request, config: TrainConfig, model: Model | None, load: Callable[[str], Model]) -> Model | None:
    """The model that blends are made with: none for a run that begins from nothing or from another architecture.

    Raises InputError where one is asked for that does not fit.
    """
    other = model if asked.blend_with is None else load(asked.blend_with)
    if model is None and (config.blend_share or other is not None):
        raise InputError("blends are of a fine-tune", "pass --from MODEL", file="--blend-share")
    if other is None or other.config.generator == config.generator:
        return other
    if asked.blend_with is not None or config.blend_share:
        what = "cannot be blended with what is trained: its generator is of another architecture"
        raise InputError(what, "name one of the same size and channels", file=asked.blend_with or asked.source)
    return None


def _data(asked: Request, changes: Mapping[str, Any], model: Model | None) -> Dataset:
    resolution = asked.resolution or (model.config.generator.img_resolution if model else None)
    if resolution is None:
        raise InputError("--resolution is missing", "give the size of the images, a power of two", file="train")
    try:
        resolutions_up_to(resolution)
    except ValueError as error:
        raise InputError(str(error), "choose one", file=f"--resolution {resolution}") from error
    return Dataset.open(
        asked.data,
        resolution=resolution,
        channels=model.config.generator.img_channels if model else 3,
        labels=False if asked.labels == "none" else asked.labels,
        mirror=changes.get("mirror", False),
        seed=changes.get("seed", 0),
    )


def configure(asked: Request, changes: Mapping[str, Any], data: Dataset, model: Model | None) -> TrainConfig:
    """The run's configuration: the official one, the architecture of the model to begin from, the user's changes."""
    if model is not None:
        changes = {"ada_kimg": 100.0, "ema_rampup": None, **changes}
    gpus = asked.gpus or asked.devices or jax.local_device_count()
    only_cpus = asked.gpus is None and jax.default_backend() == "cpu"
    name = "cpu" if asked.cfg == "auto" and only_cpus else asked.cfg
    shape = {"resolution": data.resolution, "channels": data.channels, "c_dim": data.c_dim}
    config = official(name, changes, gpus=gpus, **shape)
    if model is not None:
        config = _like(config, model, {key for key in changes if key in NETWORK_FIELDS})
    swaps = tuple(r for r in config.generator.resolutions[:-1] if r in BLEND_SWAPS)
    if not (name == "cpu" and model is not None and model.config.generator == config.generator and swaps):
        return dataclasses.replace(config, frozen=_frozen(config, asked.freeze))
    return _trained_for_blends(config, asked.freeze, changes, swaps)


def _trained_for_blends(
    config: TrainConfig, freeze: Freeze, changes: Mapping[str, Any], swaps: tuple[int, ...]
) -> TrainConfig:
    """A fine-tune by `--cfg cpu` that keeps its architecture, but for what the user changed.

    Ten minutes on 100 drawings from `portraits`, on two cores, with swap 8 trained too: proxy-FID 7.8, swap 16 with .90
    of the lesser parent's saturation and 1.00 of its sharpness; by the official fine-tune 10.7, .49 and .69. Swap 8 is
    left out: what draws its eyes are the base's layers, and what judges it knows no such eyes, so it loses them.
    """
    usual = {"blend_share": BLEND_SHARE, "blend_swap": swaps}
    config = dataclasses.replace(config, **{key: value for key, value in usual.items() if key not in changes})
    frozen = _frozen(config, dataclasses.replace(freeze, freeze=BLENDS) if freeze.freeze is None else freeze)
    return dataclasses.replace(config, frozen=frozen)


def _frozen(config: TrainConfig, asked: Freeze) -> tuple[str, ...]:
    """Names of the tensors that the rules freeze; InputError for a rule that matches nothing."""
    said = None if asked.freeze == "none" else asked.freeze
    words, blocks = (
        [word.strip() for word in (text or "").split(",") if word.strip()] for text in (said, asked.freeze_g)
    )
    return transfer.frozen_names(config, words=words, g_resolutions=blocks, d_layers=asked.freeze_d)


def _like(config: TrainConfig, model: Model, changed: set[str]) -> TrainConfig:
    """The configuration with the model's architecture, but for the size of the data and what the user changed."""
    keep = {"img_resolution", "img_channels", "c_dim", *changed}
    generator = _merge(model.config.generator, config.generator, keep)
    other = model.config.discriminator
    if other is None:
        alike = ("channel_base", "channel_max", "channel_table", "conv_clamp", "activation")
        fields = {name: getattr(generator, name) for name in alike}
        discriminator = dataclasses.replace(config.discriminator, **fields)
    else:
        discriminator = _merge(other, config.discriminator, keep)
    return dataclasses.replace(config, generator=generator, discriminator=discriminator)


def _merge(theirs: Any, ours: Any, keep: set[str]) -> Any:
    """`theirs` with the fields `keep` of `ours`; a channel table only fits the size it was written for."""
    known = {f.name for f in dataclasses.fields(ours)}
    changes = {name: getattr(ours, name) for name in keep if name in known}
    if ours.img_resolution != theirs.img_resolution and theirs.channel_table is not None:
        changes["channel_table"] = None
    return dataclasses.replace(theirs, **changes)


def begin(config: TrainConfig, model: Model | None, partner: Model | None = None, report: Any = print) -> State:
    """The state at iteration 0: fresh, or from the model, saying what of it did not fit."""
    fresh = initial_state(config)
    if model is None:
        return fresh
    state, notes = transfer.begin_from(config, fresh, model, partner)
    for note in notes:
        report(note)
    return state


def _lineage(asked: Request, data: Dataset, model: Model | None) -> dict[str, Any]:
    lineage: dict[str, Any] = {"source": asked.out.name, "made_by": "stylegan_jax.train", "cfg": asked.cfg}
    lineage["data"] = data.description
    if model is not None:
        lineage["from"] = {
            "source": addresses.as_path(str(asked.source)).name,
            "sha256": checkpoint.fingerprint(model, transfer.generator_of(model)),
        }
    if asked.blend_with is not None:
        lineage["blend_with"] = addresses.as_path(asked.blend_with).name
    return lineage


def _announce(asked: Request, config: TrainConfig, data: Dataset, model: Model | None, iteration: int) -> None:
    layouts = [names.layout_of(config.model, network) for network in ("G", "D")]
    count = sum(math.prod(shape) for layout in layouts for shape in layout.values())
    source = addresses.find(asked.source) if asked.source is not None else None
    where = f", from {source.shown if source else asked.source}" if model is not None else ""
    print(data.summary)
    print(f"{data.resolution}×{data.resolution} pixels, {count:,} parameters{where}")
    if config.frozen:
        print(f"frozen: {len(config.frozen)} tensors")
    if config.blend_share:
        swaps = ", ".join(map(str, config.blend_swap))
        print(f"blends: trained in {config.blend_share:.0%} of the iterations, at swap {swaps}")
    if config.blend_share and "blend_share" not in asked.configuration.given():
        print("as usual for a fine-tune on CPUs; --freeze none --blend-share 0 trains the whole model, and it alone")
    if iteration:
        print(f"going on at {iteration * config.batch / 1000:g} kimg")
