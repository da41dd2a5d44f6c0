"""What a user asks of a training run, flag by flag; it needs no JAX, so that help comes at once."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import tyro

from stylegan_jax.train.flags import Changes
from stylegan_jax.train.official import Name


@dataclass(frozen=True, kw_only=True)
class Freeze:
    """What keeps its values."""

    freeze: Annotated[
        str | None,
        tyro.conf.arg(
            metavar="mapping,affine,torgb", help_behavior_hint="(default: none; blends for a fine-tune on CPUs)"
        ),
    ] = None
    """Words of G's names, with commas: mapping, affine, torgb, b16, conv1, …, or parts of names with *: b64.*bias;
    D.fromrgb freezes in D; blends stands for all that keeps blends with the base crisp: mapping, affine, torgb,
    noise_strength and the biases above 16×16."""
    freeze_g: Annotated[str | None, tyro.conf.arg(metavar="4,8")] = None
    """Resolutions of G, with commas."""
    freeze_d: int = 0
    """How many layers of D, from the highest resolution on."""


_USUAL = {"tick": (4.0, 1.0), "snapshot_ticks": (50, 10), "checkpoint_ticks": (10, 5)}
"""Field of `Records` → what it is unless it is said: officially, and on CPUs."""


def _usual(field: str, metavar: str) -> Any:
    officially, on_cpus = _USUAL[field]
    return tyro.conf.arg(metavar=metavar, help_behavior_hint=f"(default: {officially:g}; {on_cpus:g} on CPUs)")


@dataclass(frozen=True, kw_only=True)
class Records:
    """What the run records and how often; changes nothing of what is computed. None: as usual on its platform."""

    tick: Annotated[float | None, _usual("tick", "FLOAT")] = None
    """Thousands of images from one line of progress to the next."""
    snapshot_ticks: Annotated[int | None, _usual("snapshot_ticks", "INT")] = None
    """Ticks from one snapshot (model file, sheet of fixed seeds, scores) to the next."""
    checkpoint_ticks: Annotated[int | None, _usual("checkpoint_ticks", "INT")] = None
    """Ticks from one checkpoint to the next: what a killed run loses."""
    keep: int = 2
    """How many checkpoints are kept for resuming."""
    score_images: int = 2000
    """Images that are scored for proxy-FID, proxy-KID and how they look; 0 for none."""

    def every(self, batch: int, platform: str) -> "Every":
        """How often in iterations, as usual on a platform ("cpu" or another) where nothing was said."""
        usual = {field: values[platform == "cpu"] for field, values in _USUAL.items()}
        said = {field: value for field in usual if (value := getattr(self, field)) is not None}
        kimg, snapshot, checkpoint = {**usual, **said}.values()
        tick = max(1, round(kimg * 1000 / batch))
        return Every(tick, tick * snapshot, tick * checkpoint)


class Every(NamedTuple):
    """Iterations from one tick, snapshot, checkpoint to the next."""

    tick: int
    snapshot: int
    checkpoint: int


@dataclass(frozen=True, kw_only=True)
class Request:
    """One run as it was asked for."""

    data: tyro.conf.Positional[str]
    """Folder or zip of images, with labels in dataset.json if it has any."""
    out: Path
    """Folder of the run."""
    cfg: Name = "auto"
    """The official configuration by name; auto follows the size of the images, and is cpu where there is nothing else:
    small batches, no path lengths, fine-tunes for blends."""
    source: Annotated[str | None, tyro.conf.arg(name="from", metavar="MODEL")] = None
    """A model of any kind to begin from; its architecture is kept, --cfg gives the rest."""
    blend_with: Annotated[
        str | None, tyro.conf.arg(metavar="MODEL", help_behavior_hint="(default: that of --from)")
    ] = None
    """The model with which the blends of a fine-tune are shown, scored and (--blend-share) trained."""
    resolution: Annotated[int | None, tyro.conf.arg(metavar="INT", help_behavior_hint="(default: that of --from)")] = (
        None
    )
    """Of the images, which are cropped and resized to it."""
    labels: Annotated[Literal["none", "json", "folders"], tyro.conf.arg(metavar="[folders]")] = "none"
    """Train a conditional model on the labels of dataset.json, or (folders) with subfolders as classes."""
    framing: Annotated[str | None, tyro.conf.arg(metavar="ffhq|detect|FILE")] = None
    """Where faces lie in the images, for photographs to be aligned alike: as in FFHQ, where dlib finds them, or where a
    .json or .csv file of their points says."""
    gpus: Annotated[int | None, tyro.conf.arg(metavar="INT", help_behavior_hint="(default: --devices)")] = None
    """How many GPUs --cfg auto counts on."""
    devices: Annotated[int | None, tyro.conf.arg(metavar="INT", help_behavior_hint="(default: all)")] = None
    """How many local devices take part."""
    resident: Literal["auto", "on", "off"] = "auto"
    """Keep the data set on the device and run many iterations in one program: faster on GPUs and TPUs, and auto does so
    there if the data set takes a quarter of the device's memory or less; slower on CPUs."""
    configuration: tyro.conf.OmitArgPrefixes[Changes] = field(default_factory=Changes)
    freeze: tyro.conf.OmitArgPrefixes[Freeze] = field(default_factory=Freeze)
    records: tyro.conf.OmitArgPrefixes[Records] = field(default_factory=Records)
