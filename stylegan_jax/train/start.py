"""From what the user asked for to a run that trains: data, configuration, the model to begin from, the folder."""

import contextlib
import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax

from stylegan_jax import names
from stylegan_jax.config import resolutions_up_to
from stylegan_jax.errors import InputError
from stylegan_jax.storage import checkpoint, rundir
from stylegan_jax.storage.checkpoint import Model
from stylegan_jax.storage.downloads import addresses
from stylegan_jax.train import transfer
from stylegan_jax.train.config import NETWORK_FIELDS, Name, TrainConfig, official
from stylegan_jax.train.data import sources
from stylegan_jax.train.data.dataset import Dataset
from stylegan_jax.train.data.labels import Kind, counted
from stylegan_jax.train.loop import Plan, Run, mesh_of
from stylegan_jax.train.state import State, initial_state

MAY_CHANGE = ("config.kimg",)


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the command line says; see `commands.train`."""

    data: str
    out: Path
    cfg: Name
    source: str | None
    load: Callable[[str], Model]
    resolution: int | None
    gpus: int | None
    conditional: bool | Kind
    changes: Mapping[str, Any]
    freeze: Mapping[str, Any]
    watching: Mapping[str, Any]


def train(asked: Request) -> int:
    """Runs what was asked for; returns the exit code. Nothing is written before the input has proved good."""
    with contextlib.ExitStack() as stack:
        sources.require_data(asked.data)  # the first thing that was typed
        running = rundir.check_place(asked.out)
        if running:
            stack.enter_context(rundir.lock(asked.out))
        model = None if asked.source is None else asked.load(asked.source)
        data = _data(asked, model)
        config = configure(asked, data, model)
        mesh = mesh_of(config, asked.watching["devices"])
        if not running:
            stack.enter_context(rundir.lock(asked.out))
        lineage = _lineage(asked, data, model)
        rundir.open_run(asked.out, {"config": config.to_json(), "lineage": lineage}, may_change=MAY_CHANGE)
        plan = Plan(**{key: value for key, value in asked.watching.items() if key != "devices"})
        run = Run(asked.out, config, data, plan=plan, mesh=mesh, lineage=lineage | _labels(data))
        state = run.restore(lambda: begin(config, model))
        _announce(asked, config, data, model, int(state.iteration))
        code = run.go(state)
    print(asked.out)
    return code


def _data(asked: Request, model: Model | None) -> Dataset:
    resolution = asked.resolution or (model.config.generator.img_resolution if model else None)
    if resolution is None:
        raise InputError("--resolution is missing", "give the size of the images, a power of two", file="train")
    try:
        resolutions_up_to(resolution)
    except ValueError as error:
        raise InputError(str(error), "choose one", file=f"--resolution {resolution}") from error
    channels = model.config.generator.img_channels if model else 3
    return Dataset.open(
        asked.data,
        resolution=resolution,
        channels=channels,
        labels=asked.conditional,
        mirror=asked.changes.get("mirror", False),
        seed=asked.changes.get("seed", 0),
    )


def configure(asked: Request, data: Dataset, model: Model | None) -> TrainConfig:
    """The run's configuration: the official one, the architecture of the model to begin from, the user's changes."""
    changes = dict(asked.changes)
    if model is not None:
        changes = {"ada_kimg": 100.0, "ema_rampup": None, **changes}
    gpus = asked.gpus or (asked.watching["devices"] or jax.local_device_count())
    shape = {"resolution": data.resolution, "channels": data.channels, "c_dim": data.c_dim}
    config = official(asked.cfg, gpus=gpus, **shape, **changes)
    if model is not None:
        config = _like(config, model, {key for key in changes if key in NETWORK_FIELDS})
    return dataclasses.replace(config, frozen=transfer.frozen_names(config, **asked.freeze))


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


def begin(config: TrainConfig, model: Model | None, report: Any = print) -> State:
    """The state at iteration 0: fresh, or from the model, saying what of it did not fit."""
    fresh = initial_state(config)
    if model is None:
        return fresh
    state, notes = transfer.begin_from(config, fresh, model)
    for note in notes:
        report(note)
    return state


def _lineage(asked: Request, data: Dataset, model: Model | None) -> dict[str, Any]:
    lineage: dict[str, Any] = {"source": asked.out.name, "made_by": "stylegan_jax.train", "cfg": asked.cfg}
    lineage["data"] = data.description
    if model is not None:
        lineage["from"] = {
            "source": addresses.place_of(str(asked.source)).name,
            "sha256": checkpoint.fingerprint(model),
        }
    return lineage


def _labels(data: Dataset) -> dict[str, Any]:
    """How often each label occurs: what `--class random` draws from."""
    counts = counted(data.image_labels)
    return {"labels": counts} if counts else {}


def _announce(asked: Request, config: TrainConfig, data: Dataset, model: Model | None, iteration: int) -> None:
    layouts = [names.layout_of(config.model, network) for network in ("G", "D")]
    count = sum(math.prod(shape) for layout in layouts for shape in layout.values())
    source = addresses.find(asked.source) if asked.source is not None else None
    where = f", from {source.shown if source else asked.source}" if model is not None else ""
    print(data.summary)
    print(f"{data.resolution}×{data.resolution} pixels, {count:,} parameters{where}")
    if config.frozen:
        print(f"frozen: {len(config.frozen)} tensors")
    if iteration:
        print(f"going on at {iteration * config.batch / 1000:g} kimg")
