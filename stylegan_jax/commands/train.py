"""The command `train`: fine-tunes a model, or trains one from nothing, on a folder of images."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from stylegan_jax.commands import cli

ALIASES = {
    "--data": "",
    "--resume": "--from",
    "--gamma": "--r1-gamma",
    "--freezed": "--freeze-d",
    "--aug": "--augment",
    "--target": "--ada-target",
    "--snap": "--snapshot-ticks",
}
"""Flags of the official training programs."""


@dataclass(frozen=True, kw_only=True)
class Fields:
    """Fields of the configuration; each replaces the value that --cfg gives it.

    Attributes:
      batch: images per iteration, over all devices.
      mbstd_chunks: parts of the batch in which the minibatch statistic is taken.
      mbstd_group_size: samples of one such statistic.
      lr: learning rate of both networks.
      g_lr: learning rate of G.
      d_lr: learning rate of D.
      r1_gamma: weight of R1.
      pl_weight: weight of the path-length regularisation; 0 leaves it out.
      pl_batch_shrink: how much smaller its batch is.
      pl_decay: decay of its running mean.
      g_reg_interval: iterations between two such steps.
      d_reg_interval: iterations between two steps of R1.
      style_mixing: share of iterations with style mixing.
      ema_kimg: half-life of the average of G.
      ema_rampup: its growth with the images seen; 0 is none.
      augment_p: probability of augmentation, at the start or (--augment fixed) throughout.
      augment_pipe: blit, geom, color, filter, noise, cutout, bg, bgc, bgcf, bgcfn, bgcfnc.
      ada_target: sign of D on real images that the controller aims at.
      ada_interval: iterations between its steps.
      ada_kimg: images in which p can move by 1.
      kimg: thousands of images until the run is done.
      seed: of everything random.
      z_dim: width of z.
      w_dim: width of w.
      mapping_layers: depth of the mapping network.
      w_avg_beta: decay of the mean of w.
      channel_base: feature maps times resolution.
      channel_max: most feature maps.
      conv_clamp: clamp of the feature maps; 0 is none.
      num_fp16_res: how many resolutions follow --dtype.
      d_architecture: of the discriminator.
    """

    batch: int | None = None
    mbstd_chunks: int | None = None
    mbstd_group_size: int | None = None
    lr: float | None = None
    g_lr: float | None = None
    d_lr: float | None = None
    r1_gamma: float | None = None
    pl_weight: float | None = None
    pl_batch_shrink: int | None = None
    pl_decay: float | None = None
    g_reg_interval: int | None = None
    d_reg_interval: int | None = None
    style_mixing: float | None = None
    ema_kimg: float | None = None
    ema_rampup: float | None = None
    augment_p: float | None = None
    augment_pipe: str | None = None
    ada_target: float | None = None
    ada_interval: int | None = None
    ada_kimg: float | None = None
    kimg: float | None = None
    seed: int | None = None
    z_dim: int | None = None
    w_dim: int | None = None
    mapping_layers: int | None = None
    w_avg_beta: float | None = None
    channel_base: int | None = None
    channel_max: int | None = None
    conv_clamp: float | None = None
    num_fp16_res: int | None = None
    d_architecture: Literal["resnet", "skip", "orig"] | None = None


@dataclass(frozen=True, kw_only=True)
class Freeze:
    """What keeps its values.

    Attributes:
      freeze: words of G's names, with commas: mapping, affine, torgb, b16, conv1, …; D.fromrgb freezes in D.
      freeze_g: resolutions of G, with commas.
      freeze_d: how many layers of D, from the highest resolution on.
    """

    freeze: Annotated[str | None, tyro.conf.arg(metavar="mapping,affine,torgb")] = None
    freeze_g: Annotated[str | None, tyro.conf.arg(metavar="4,8")] = None
    freeze_d: int = 0


@dataclass(frozen=True, kw_only=True)
class Watching:
    """How the run is watched; changes nothing of what is computed.

    Attributes:
      tick: thousands of images between two lines of progress.
      snapshot_ticks: ticks between two snapshots: a model file, a sheet of fixed seeds, a score.
      checkpoint_ticks: ticks between two checkpoints; a run that is killed goes on from the last.
      keep: how many checkpoints are kept for resuming.
      score_images: images that are scored for proxy-FID and proxy-KID; 0 for none.
      devices: how many local devices take part; all by default.
    """

    tick: float = 4.0
    snapshot_ticks: int = 50
    checkpoint_ticks: int = 10
    keep: int = 2
    score_images: int = 2000
    devices: int | None = None


def train(
    data: tyro.conf.Positional[str],
    /,
    *,
    out: str,
    cfg: Literal["auto", "stylegan2", "paper256", "paper512", "paper1024", "cifar"] = "auto",
    from_model: Annotated[str | None, tyro.conf.arg(name="from", metavar="MODEL")] = None,
    resolution: int | None = None,
    gpus: int | None = None,
    mirror: bool = False,
    labels: Annotated[Literal["none", "json", "folders"], tyro.conf.arg(metavar="[folders]")] = "none",
    augment: Literal["ada", "fixed", "none"] = "ada",
    dtype: Literal["float32", "bfloat16"] = "float32",
    fields: tyro.conf.OmitArgPrefixes[Fields] = Fields(),
    frozen: tyro.conf.OmitArgPrefixes[Freeze] = Freeze(),
    watching: tyro.conf.OmitArgPrefixes[Watching] = Watching(),
) -> int:
    """Fine-tunes a model on a folder of images, or trains one from nothing.

    python -m stylegan_jax train toons --from portraits --out runs/toons --mirror --kimg 100

    python -m stylegan_jax train photos.zip --out runs/photos --resolution 256 --cfg paper256 --mirror

    The same command run again goes on where it stopped; the folder of the run is a model for every other command.

    Args:
      data: folder or zip of images, with labels in dataset.json if it has any.
      out: folder of the run.
      cfg: the official configuration by name.
      from_model: a model of any kind to begin from; its architecture is kept, --cfg gives the rest.
      resolution: of the images, which are cropped and resized to it; by default that of --from.
      gpus: how many GPUs --cfg auto counts on; by default the local devices.
      mirror: train on mirrored images too.
      labels: train a conditional model on the labels of dataset.json, or (folders) with subfolders as classes.
      augment: adaptive augmentation, a fixed one (--augment-p), or none.
      dtype: of the convolutions.
    """
    import stylegan_jax
    from stylegan_jax.train import start

    asked = start.Request(
        data=data,
        out=Path(out),
        cfg=cfg,
        source=from_model,
        load=stylegan_jax.load,
        resolution=resolution,
        gpus=gpus,
        conditional=False if labels == "none" else labels,
        changes={"mirror": mirror, "augment": augment, "dtype": dtype, **_given(fields)},
        freeze=_freeze(frozen),
        watching=dataclasses.asdict(watching),
    )
    return start.train(asked)


def _given(fields: Fields) -> dict[str, Any]:
    """The fields that were named on the command line; 0 stands for none where none is a value."""
    given = {key: value for key, value in dataclasses.asdict(fields).items() if value is not None}
    if "lr" in given:
        lr = given.pop("lr")
        given = {"g_lr": lr, "d_lr": lr, **given}
    for key in ("ema_rampup", "conv_clamp"):
        if given.get(key) == 0:
            given[key] = None
    return given


def _freeze(frozen: Freeze) -> dict[str, Any]:
    parts = [part.strip() for part in (frozen.freeze or "").split(",") if part.strip()]
    blocks = [cli.natural(part, "--freeze-g") for part in (frozen.freeze_g or "").split(",") if part.strip()]
    return {"parts": parts, "g_resolutions": blocks, "d_layers": frozen.freeze_d}
