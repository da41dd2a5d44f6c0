"""Projection of pictures into a model: what `python -m stylegan_jax project` does, as a function."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, UInt8

from stylegan_jax.config import check_square
from stylegan_jax.errors import InputError
from stylegan_jax.pictures.images import to_float
from stylegan_jax.projection.descent import Settings, descend
from stylegan_jax.projection.latentspace import LatentSpace, latent_space
from stylegan_jax.projection.losses import LOSSES, Loss, in_grey, ms_ssim, psnr
from stylegan_jax.projection.unfinished import Unfinished, described
from stylegan_jax.sampler import sample_ws
from stylegan_jax.sampler.latents import Label
from stylegan_jax.storage.checkpoint import Model

STEPS, LIKENESS = 250, 0.25
_LOOSEST, _FALL = 0.1, 0.3  # the prior at likeness 0, and its share at ½: .03, of the measured compromise
_COLOURLESS = 2  # levels between the channels, on average
Space = Literal["w", "w+"]


@dataclass(frozen=True, eq=False)
class Projection:
    """Pictures in a model.

    Attributes:
      ws: `[n num_ws w_dim]`, untruncated.
      images: what the model makes of them, uint8 `[n r r c]`.
      losses: the last ones.
      psnr, ms_ssim: likeness of the images to the pictures.
    """

    ws: Float[np.ndarray, "n l d"]
    images: UInt8[np.ndarray, "n r r c"]
    losses: Float[np.ndarray, " n"]
    psnr: Float[np.ndarray, " n"]
    ms_ssim: Float[np.ndarray, " n"]


def settings_of(
    *, likeness: float = LIKENESS, steps: int = STEPS, space: Space | None = None, rate: float = 0.1
) -> Settings:
    """Of a descent without noise images, as measured on portraits.

    Args:
      likeness: 0 to 1. Near 0 the face is one the model makes easily, and its toons are clean; near 1 it is the
        person's, and toons are smeared: free ws leave the region where a blend is at home.
      steps: of Adam.
      space: one w for all layers, or one for each; by default w at likeness 0, else w+.
      rate: learning rate.

    Raises InputError for values out of range.
    """
    if not 0 <= likeness <= 1:
        raise InputError(f"likeness {likeness:g} is out of range", "use 0 to 1")
    if steps < 1 or not (np.isfinite(rate) and rate > 0):
        raise InputError("steps and rate must be positive", "use for example 250 steps of 0.1")
    prior = 0.0 if likeness == 1 else _LOOSEST * _FALL ** (2 * likeness)
    chosen = space or ("w" if likeness == 0 else "w+")
    return Settings(steps=steps, rate=rate, space=chosen, noise_weight=None, prior=prior)


def project(
    model: Model,
    pictures: UInt8[np.ndarray, "n r r c"],
    settings: Settings | None = None,
    *,
    loss: str | Loss = "scattering",
    space: LatentSpace | None = None,
    class_idx: Label = None,
    start: Float[np.ndarray, "n l d"] | None = None,
    seed: int = 0,
    report: Callable[[int, Float[np.ndarray, " n"]], Any] | None = None,
    watch: Callable[[int, Float[np.ndarray, "n l d"]], Any] | None = None,
    unfinished: Unfinished | None = None,
) -> Projection:
    """The ws whose images are nearest to pictures of the model's size, all in one batch.

    Of black-and-white pictures the luma is compared, and the colours are left to the model.

    Args:
      model: its G_ema.
      pictures: aligned as the images that the model was trained on.
      settings: of the descent; `settings_of()` by default.
      loss: "scattering" or "pixels", see `losses`, or one that is given.
      space: of the model's w, measured here by default.
      class_idx: whose w a conditional model's are measured on.
      start: ws to begin from; the mean of w by default.
      seed: of the noise on w.
      report: called with the step and the losses, every ten steps and at the end.
      watch: called with the step and the ws there, one for each layer or one for all, after every step.
      unfinished: keeps where the descent stands, and says where it goes on; `done` is left to the caller.

    Raises InputError for pictures of another size, and for a loss there is not.
    """
    config = model.config.generator
    check_square(config, "a projection")
    shape = (config.img_resolution, config.img_resolution, config.img_channels)
    if not len(pictures) or pictures.shape[1:] != shape:
        raise InputError(f"pictures of shape {pictures.shape[1:]}", f"this model takes {shape}, and one at least")
    if not isinstance(loss, Loss) and loss not in LOSSES:
        raise InputError(f"no loss {loss}", f"use {' or '.join(LOSSES)}")
    if config.img_resolution < 16:  # both losses have windows, of 11 pixels and of 16
        raise InputError("a projection needs images of 16 pixels or more", "use a larger model")
    settings = settings or settings_of()
    measured = space or latent_space(model, class_idx)
    step, grey, falling = None, _grey(pictures), loss if isinstance(loss, Loss) else LOSSES[loss]()
    begun = None
    if unfinished is not None:
        begun = unfinished.begin(described(model, pictures, settings, falling.name, start, seed))
    shades = grey if grey.any() else None
    steps = descend(model, pictures, falling, measured, settings, grey=shades, start=start, begun=begun, seed=seed)
    for number, step in enumerate(steps, 1 if begun is None else begun.step + 1):
        if unfinished is not None and number < settings.steps:
            unfinished.keep(step)
        if watch is not None:
            watch(number, step.w)
        if report is not None and (number % 10 == 0 or number == settings.steps):
            report(number, step.loss)
    assert step is not None
    ws = np.array(np.broadcast_to(step.w, (len(pictures), config.num_ws, config.w_dim)), np.float32)
    return seen(model, pictures, ws, step.loss)


def seen(
    model: Model,
    pictures: UInt8[np.ndarray, "n r r c"],
    ws: Float[np.ndarray, "n l d"],
    losses: Float[np.ndarray, " n"],
) -> Projection:
    """What a model makes of ws that were found for pictures, and how like them it is."""
    images = np.concatenate(list(sample_ws(model, ws)))
    return Projection(ws, images, losses, *map(np.asarray, _likeness(images, pictures, _grey(pictures))))


@jax.jit
def _likeness(
    images: UInt8[Array, "n r r c"], pictures: UInt8[Array, "n r r c"], grey: Bool[Array, " n"]
) -> tuple[Array, Array]:
    """PSNR and MS-SSIM, of luma where the picture is grey."""
    made, wanted = to_float(images), to_float(pictures)
    made = jnp.where(grey[:, None, None, None], in_grey(made), made)
    return psnr(made, wanted), ms_ssim(made, wanted)


def _grey(pictures: UInt8[np.ndarray, "n r r c"]) -> Bool[np.ndarray, " n"]:
    """Which pictures have no colours but what JPEG leaves."""
    colours = pictures[..., :3].astype(np.int16)
    return (np.ptp(colours, axis=-1).mean((1, 2)) < _COLOURLESS) & (colours.shape[-1] > 1)


def side_by_side(pictures: Sequence[np.ndarray], images: Sequence[np.ndarray]) -> UInt8[np.ndarray, "H W c"]:
    """Pictures above, what the model makes of them below."""
    return np.concatenate([np.concatenate(list(row), 1) for row in (pictures, images)], 0)
