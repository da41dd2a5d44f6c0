"""The blend of models: p = (1 − Σ α_k)·base + Σ α_k·p_k for every tensor, by the schedules' α."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, SupportsIndex

import numpy as np

import convert
from interp.alphas import Kind, Settings, Shares, is_whole, origin
from interp.arithmetic import mix_leaves
from interp.decisions import DEFAULTS, Decisions, decide
from interp.recipes import Ingredient, Recipe, networks_text
from interp.schedule_text import schedule_of
from interp.schedules import Schedule
from stylegan_jax.config import ModelConfig
from stylegan_jax.errors import InputError
from stylegan_jax.names import DEFAULT_NETWORKS, is_buffer, resolution_of
from stylegan_jax.storage.checkpoint import Model
from stylegan_jax.storage.shipped import shipped_models

AnyModel = Model | str | Path
"""A model, or what `stylegan_jax.load` reads: a path, an address, or the name of a shipped or public model."""
AnySchedule = Schedule | str | SupportsIndex
"""A schedule, its text (`"smooth=16:width=1"`, as on the command line), or r_swap alone: `16` is `swap(16)`."""


def blend(
    base: AnyModel,
    transfer: AnyModel,
    schedule: AnySchedule,
    *,
    mapping: str | float | None = None,
    noise: str | None = None,
    w_avg: str | float | None = None,
    kinds: Sequence[Kind] = (),
    networks: Sequence[str] = DEFAULT_NETWORKS,
    labels: Sequence[str] | None = None,
) -> Model:
    """Mixes two models layer by layer: α = 0 keeps `base`, α = 1 takes `transfer`.

    blend("ffhq.pkl", "toon.pkl", 16)

    Args:
      base, transfer: models, or paths, addresses and names of some.
      schedule: the share of transfer in each layer: a schedule, its text, or r_swap.
      mapping, noise, w_avg: where these come from: "base", "transfer", or (of the noise not) the share of transfer. By
        default all come from the model with the larger share at 4×4, but `w_avg` follows the mapping.
      kinds: α for kinds of tensors, fixed or scaled.
      networks: those of "G", "D", "G_ema" to blend.
      labels: how messages name the two; by default after the files they come from.

    Raises:
      InputError: a file holds no model, the two cannot be blended, or an argument does not fit them.
    """
    settings = Settings(mapping=mapping, noise=noise, w_avg=w_avg, kinds=kinds, networks=networks)
    return blend_all(base, [(transfer, schedule)], settings, labels=labels)


def blend_all(
    base: AnyModel,
    additions: Sequence[tuple[AnyModel, AnySchedule]],
    settings: Settings = DEFAULTS,
    *,
    labels: Sequence[str] | None = None,
) -> Model:
    """Mixes any number of models into `base`: (1 − Σ α_k)·base + Σ α_k·p_k.

    Tensors that come whole from one model are that model's own arrays, untouched. A discriminator of the base that is
    not blended is kept, so that training can go on from the blend.

    Args:
      base: the model at α = 0.
      additions: (model, schedule) for each transfer model.
      settings: sources, kinds of tensors, networks.
      labels: how messages name the models; by default after the files they come from.

    Raises:
      InputError: as `blend`.
    """
    schedules = [schedule_of(schedule) for _, schedule in additions]
    given = [base, *(model for model, _ in additions)]
    shipped = shipped_models()
    models = [each if isinstance(each, Model) else convert.read(shipped.get(str(each), each)) for each in given]
    return _blended(models, schedules, settings, labels, consume=False)


def blend_up(
    models: list[Model], schedules: Sequence[Schedule], settings: Settings = DEFAULTS, *, labels: Sequence[str]
) -> Model:
    """As `blend_all`, but takes the models out of the list, so that memory stays below that of three.

    Every array is let go as it has been used, if nobody else holds the models.
    """
    return _blended(models, schedules, settings, labels, consume=True)


def _blended(
    models: list[Model],
    schedules: Sequence[Schedule],
    settings: Settings,
    labels: Sequence[str] | None,
    *,
    consume: bool,
) -> Model:
    roles = ["base", *["transfer"] * len(schedules)]
    labels = labels or [str(model.lineage.get("source") or role) for model, role in zip(models, roles, strict=True)]
    _check_networks(models, labels, settings.networks)
    decisions = decide([model.config for model in models], labels, schedules, settings)
    lineage = _lineage(models, labels, schedules, decisions, settings)
    config, kept = _with_discriminator(decisions.config, models[0])
    trees = {network: [dict(model.networks[network]) for model in models] for network in settings.networks}
    if consume:
        models.clear()
    mixed = {n: apply_shares(trees.pop(n), decisions.shares[n], consume=consume) for n in settings.networks}
    return Model(config, {**mixed, **kept}, lineage)


def _with_discriminator(config: ModelConfig, base: Model) -> tuple[ModelConfig, dict[str, dict[str, np.ndarray]]]:
    """The configuration with the base's discriminator, and that, if it is not blended but fits the blend."""
    discriminator = base.config.discriminator
    if config.discriminator is not None or discriminator is None or "D" not in base.networks:
        return config, {}
    if discriminator.c_dim != config.generator.c_dim:
        return config, {}
    return dataclasses.replace(config, discriminator=discriminator), {"D": base.networks["D"]}


def apply_shares(
    trees: Sequence[dict[str, np.ndarray]], shares: Mapping[str, Shares], *, consume: bool = False
) -> dict[str, np.ndarray]:
    """One network's tensors by their shares; `trees` are the base's tensors, then each transfer model's.

    `consume` takes them out of the trees as they are used.

    What is whole passes through untouched. If anything is mixed, every trained tensor of the synthesis goes through
    the compiled mixer, so that another schedule meets no new shape.
    """
    soft = not all(is_whole(alphas) for alphas in shares.values())
    mixed: dict[str, Any] = {}
    for name, alphas in shares.items():
        leaves: list[Any] = [tree.pop(name, None) if consume else tree.get(name) for tree in trees]
        result = None
        trained = resolution_of(name) is not None and not is_buffer(name)
        if soft and (trained or not is_whole(alphas)):
            result = mix_leaves(leaves[0], leaves[1:], np.array(alphas, np.float32))
        mixed[name] = leaves[origin(alphas)] if is_whole(alphas) else result
        if consume and result is not None:
            result.block_until_ready()  # before the next tensors are taken out
    return {name: np.asarray(leaf) for name, leaf in mixed.items()}


def _check_networks(models: Sequence[Model], labels: Sequence[str], networks: Sequence[str]) -> None:
    for model, label in zip(models, labels, strict=True):
        if missing := [network for network in networks if network not in model.networks]:
            what = f"holds {', '.join(model.networks)} but no {', '.join(missing)}"
            raise InputError(what, "blend G_ema", file=label)


def _lineage(
    models: Sequence[Model],
    labels: Sequence[str],
    schedules: Sequence[Schedule],
    decisions: Decisions,
    settings: Settings,
) -> dict[str, Any]:
    texts = [None, *(schedule.text for schedule in schedules)]
    ingredients = tuple(
        Ingredient(path=label, sha256=model.lineage.get("sha256"), schedule=text)
        for model, label, text in zip(models, labels, texts, strict=True)
    )
    recipe = Recipe(
        models=ingredients,
        **dataclasses.asdict(decisions.sources),
        kinds=tuple(kind.text for kind in settings.kinds),
        networks=networks_text(settings.networks),
    )
    parents = [model.lineage for model in models]
    return {"source": "blend", "recipe": recipe.to_json(), "notes": decisions.notes, "parents": parents}
