"""A model at another resolution: its upper blocks are cut off, or fresh ones are set on top."""

import dataclasses
from collections.abc import Mapping
from typing import TypeVar

import numpy as np

from convert import facts, fresh
from stylegan_jax import names
from stylegan_jax.config import DiscriminatorConfig, GeneratorConfig, ModelConfig, resolutions_up_to
from stylegan_jax.errors import InputError
from stylegan_jax.storage.checkpoint import Model

Config = TypeVar("Config", GeneratorConfig, DiscriminatorConfig)
Tensors = Mapping[str, np.ndarray]
_SMALLEST_D = 8
_LARGEST = 1024


def resized(model: Model, resolution: int) -> tuple[Model, list[str]]:
    """The model with blocks up to `resolution`, and a line for everything that is lost or fresh.

    Cut, a generator makes exactly the image that it summed up to there. Grown, it makes its own one enlarged: the new
    blocks' ToRGB are zero until training changes them. A discriminator `skip` is cut exactly, and grown it judges
    the image made smaller; others need a fresh `fromrgb`, the only one that they have.

    Raises InputError for a resolution that the model cannot have, and for a generator with a single ToRGB.
    """
    _check(model, resolution)
    generator = _at(model.config.generator, resolution)
    discriminator, networks, notes = model.config.discriminator, dict(model.networks), []
    if resolution < _SMALLEST_D and discriminator is not None:
        discriminator = None
        notes += ["D is left out: the smallest is of 8×8"] if networks.pop("D", None) is not None else []
    if discriminator is not None:
        discriminator = dataclasses.replace(_at(discriminator, resolution), freeze_layers=0)
    config = ModelConfig(generator=generator, discriminator=discriminator)
    for network, leaves in networks.items():
        networks[network], made = _fitted(config.of(network), leaves)
        notes += [f"{network}: fresh (seed {fresh.SEED}): {', '.join(made)}"] if made else []
    return dataclasses.replace(model, config=config, networks=networks), notes


def _check(model: Model, resolution: int) -> None:
    generator, discriminator = model.config.generator, model.config.discriminator
    named = f"--resize {resolution}"
    known = [r for r in resolutions_up_to(_LARGEST) if _reaches(generator, r) and r != generator.img_resolution]
    known = [r for r in known if discriminator is None or r < _SMALLEST_D or _reaches(discriminator, r)]
    if resolution not in known:
        raise InputError("not a size to resize this model to", f"use {', '.join(map(str, known))}", file=named)
    if generator.architecture != "skip":
        what = f"this generator ({generator.architecture}) makes its image in its last block alone"
        remedy = (
            f"fine-tune it at that size: python -m stylegan_jax train IMAGES --from MODEL --resolution {resolution}"
        )
        raise InputError(what, remedy, file=named)


def _reaches(config: Config, resolution: int) -> bool:
    try:
        _at(config, resolution)
    except ValueError:  # its halved channels come to an end before
        return False
    return True


def _at(config: Config, resolution: int) -> Config:
    """The configuration at another resolution; a channel table goes on by halves."""
    table = config.channel_table
    if table is not None:
        wanted = len(resolutions_up_to(resolution))
        table = (table + tuple(table[-1] >> i + 1 for i in range(wanted)))[:wanted]
    return facts.simplest(dataclasses.replace(config, img_resolution=resolution, channel_table=table))


def _fitted(config: GeneratorConfig | DiscriminatorConfig, leaves: Tensors) -> tuple[dict[str, np.ndarray], list[str]]:
    """The tensors of another resolution's layout: those that are there, the rest fresh; and which layers that are."""
    layout = names.layout(config)
    missing = {name: shape for name, shape in layout.items() if name not in leaves}
    new = fresh.drawn(config, missing)
    silent = ".torgb.weight" if isinstance(config, GeneratorConfig) else _last_of_new_blocks(config)
    new = {name: np.zeros_like(leaf) if name.endswith(silent) else leaf for name, leaf in new.items()}
    return {name: leaves[name] if name in leaves else new[name] for name in layout}, _layers(missing)


def _last_of_new_blocks(config: DiscriminatorConfig) -> tuple[str, ...]:
    """What keeps new blocks silent: those of `skip` add to what the next one sees by itself."""
    return (".conv1.weight",) if config.architecture == "skip" else ()


def _layers(missing: Mapping[str, tuple[int, ...]]) -> list[str]:
    """`b128.conv0`, … for all of them that have weights."""
    weights = [name.removesuffix(".weight") for name in missing if name.endswith(".weight")]
    return [name.removeprefix("synthesis.") for name in weights if not name.endswith(".affine")]
