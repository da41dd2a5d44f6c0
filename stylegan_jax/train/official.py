"""The official training configurations by name, and ours for CPUs."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from stylegan_jax.config import DiscriminatorConfig, GeneratorConfig
from stylegan_jax.errors import InputError
from stylegan_jax.train.config import TrainConfig

Name = Literal["auto", "cpu", "stylegan2", "paper256", "paper512", "paper1024", "cifar"]


@dataclass(frozen=True)
class _Row:
    """One line of the official table."""

    gpus: int
    batch: int
    mbstd: int
    base: int
    lr: float
    gamma: float
    ema: float
    ramp: float | None
    depth: int
    kimg: int = 25000
    pl_weight: float = TrainConfig.pl_weight
    style_mixing: float = TrainConfig.style_mixing


_ROWS = {
    "stylegan2": _Row(8, 32, 4, 32768, 0.002, 10, 10, None, 8),
    "paper256": _Row(8, 64, 8, 16384, 0.0025, 1, 20, None, 8),
    "paper512": _Row(8, 64, 8, 32768, 0.0025, 0.5, 20, None, 8),
    "paper1024": _Row(8, 32, 4, 32768, 0.002, 2, 10, None, 8),
    "cifar": _Row(2, 64, 32, 32768, 0.0025, 0.01, 500, 0.05, 2, 100000, 0.0, 0.0),
}


def _auto(resolution: int, gpus: int) -> _Row:
    batch = max(min(gpus * min(4096 // resolution, 32), 64), gpus)
    return _Row(
        gpus=gpus,
        batch=batch,
        mbstd=min(batch // gpus, 4),
        base=32768 if resolution >= 512 else 16384,
        lr=0.002 if resolution >= 1024 else 0.0025,
        gamma=0.0002 * resolution**2 / batch,
        ema=batch * 10 / 32,
        ramp=0.05,
        depth=2,
    )


def _cpu(resolution: int, gpus: int) -> _Row:
    """What a few minutes of a CPU are best spent on: four times as many steps, none of them on path lengths.

    The batch is two chunks, so that two devices may share it.
    """
    row = _auto(resolution, 1)
    batch = min(row.batch, 8)
    return dataclasses.replace(_scaled(row, resolution, batch), gpus=min(batch, 2), mbstd=min(batch, 4), pl_weight=0.0)


def _scaled(row: _Row, resolution: int, batch: int) -> _Row:
    """The same for another batch, with what follows from that."""
    return dataclasses.replace(row, batch=batch, gamma=0.0002 * resolution**2 / batch, ema=batch * 10 / 32)


BLEND_SHARE, BLEND_SWAPS = 0.3, (16, 32)
"""Of a fine-tune by `cpu`, where the model has such layers."""
_FROM_THE_SIZE = {"auto": _auto, "cpu": _cpu}


def official(
    name: Name,
    changes: Mapping[str, Any] = MappingProxyType({}),
    *,
    resolution: int,
    channels: int = 3,
    c_dim: int = 0,
    gpus: int = 1,
) -> TrainConfig:
    """The configuration `name` for a data set.

    What the official table derives from the batch (gamma, ema_kimg of `auto`) follows the batch. `cpu` is ours: `auto`
    in small steps.

    Args:
      changes: other values by name, of fields of `TrainConfig` and of the networks (`NETWORK_FIELDS`).
      gpus: the number of GPUs that `auto` counts on.

    Raises InputError for values that do not fit each other.
    """
    sized = name in _FROM_THE_SIZE
    row = _FROM_THE_SIZE[name](resolution, gpus) if sized else _ROWS[name]
    batch = changes.get("batch", row.batch)
    if sized and batch != row.batch:
        row = _scaled(row, resolution, batch)
    networks = {key: value for key, value in changes.items() if key in NETWORK_FIELDS}
    fields = _decided(row, batch) | {key: value for key, value in changes.items() if key not in NETWORK_FIELDS}
    try:
        generator, discriminator = _networks(name, row, resolution, channels, c_dim, networks)
    except ValueError as error:
        raise InputError(str(error), "choose another value") from error
    return TrainConfig(generator=generator, discriminator=discriminator, **fields)


def _decided(row: _Row, batch: int) -> dict[str, Any]:
    """What the table decides about the run itself."""
    return {
        "batch": batch,
        "mbstd_chunks": row.gpus if batch % row.gpus == 0 else 1,
        "g_lr": row.lr,
        "d_lr": row.lr,
        "r1_gamma": row.gamma,
        "ema_kimg": row.ema,
        "ema_rampup": row.ramp,
        "kimg": row.kimg,
        "pl_weight": row.pl_weight,
        "style_mixing": row.style_mixing,
    }


DECIDED = frozenset(_decided(_ROWS["cifar"], 64))
"""Fields whose value depends on the configuration's name; the others begin with the default of `TrainConfig`."""


NETWORK_FIELDS = {
    "z_dim": "G",
    "w_dim": "G",
    "mapping_layers": "G",
    "w_avg_beta": "G",
    "channel_base": "GD",
    "channel_max": "GD",
    "conv_clamp": "GD",
    "num_fp16_res": "GD",
    "mbstd_group_size": "D",
    "d_architecture": "D",
}
"""Which network takes which field; `d_architecture` is D's `architecture`."""


def _networks(
    name: str, row: _Row, resolution: int, channels: int, c_dim: int, changes: Mapping[str, Any]
) -> tuple[GeneratorConfig, DiscriminatorConfig]:
    shared = {
        "img_resolution": resolution,
        "img_channels": channels,
        "c_dim": c_dim,
        "channel_base": row.base,
        "num_fp16_res": 4,
        "conv_clamp": 256.0,
    }
    of = lambda network: {k: v for k, v in changes.items() if network in NETWORK_FIELDS[k]}  # noqa: E731
    generator = {**shared, "mapping_layers": row.depth, **of("G")}
    discriminator = {**shared, "mbstd_group_size": row.mbstd, "architecture": "orig" if name == "cifar" else "resnet"}
    discriminator |= of("D")
    if "d_architecture" in discriminator:
        discriminator["architecture"] = discriminator.pop("d_architecture")
    return GeneratorConfig(**generator), DiscriminatorConfig(**discriminator)
