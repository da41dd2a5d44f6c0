"""The blend: p = (1 − Σ α_k)·base + Σ α_k·p_k for every tensor, as a pure jitted function, and the same on models."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from interp.alphas import Kind, Shares, Sources, alpha_table, resolve_sources
from interp.recipes import Ingredient, Recipe, networks_text
from interp.relatives import check_blendable, merged_config, resolved_differences
from interp.schedules import Schedule
from stylegan_jax.config import ModelConfig
from stylegan_jax.errors import InputError
from stylegan_jax.names import is_buffer, layout_of, resolution_of
from stylegan_jax.networks.layers import Weights
from stylegan_jax.storage.checkpoint import Model


@jax.jit
def mix_leaves(base: ArrayLike, others: Sequence[ArrayLike], alphas: Float[Any, " k"]) -> Array:
    """Mixes one tensor of the base with the same tensor of `k` others.

    Bit-equal to a model whose share is 1 while the others' are 0, whatever they hold (−0.0, 1e-40, inf, NaN); a share
    of 0 contributes nothing. The gradient is that of the plain formula, at 0 and 1 too.
    """
    leaves = [jnp.asarray(leaf) for leaf in (base, *others)]
    return _mix(jnp.asarray(alphas).astype(leaves[0].dtype), *leaves)


@jax.custom_jvp
def _mix(alphas: Array, base: Array, *others: Array) -> Array:
    mixed = _used(1 - alphas.sum(), base)
    for i, other in enumerate(others):
        mixed = mixed + _used(alphas[i], other)
    mixed = jnp.where(jnp.all(alphas == 0), base, mixed)
    for i, other in enumerate(others):
        mixed = jnp.where(jnp.all(alphas == np.eye(len(others))[i].astype(alphas.dtype)), other, mixed)
    return mixed


def _used(share: Array, leaf: Array) -> Array:
    """What a model contributes: nothing at share 0, whatever it holds."""
    return jnp.where(share == 0, 0, share * leaf)


@_mix.defjvp
def _mix_jvp(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    return _mix(*primals), jax.jvp(_plain, primals, tangents)[1]


def _plain(alphas: Array, base: Array, *others: Array) -> Array:
    mixed = (1 - alphas.sum()) * base
    for i, other in enumerate(others):
        mixed = mixed + alphas[i] * other
    return mixed


@jax.jit
def mix_trees(base: Weights, others: Sequence[Weights], alphas: Mapping[str, Float[Any, " k"]]) -> dict[str, Array]:
    """Mixes the tensors named by `alphas`, each with its own α per transfer model; pure, and α is data.

    Compiled once for a set of names and shapes: neither α nor a schedule nor r_swap recompiles. Raises KeyError where
    a model lacks a tensor.
    """
    return {name: mix_leaves(base[name], [other[name] for other in others], alpha) for name, alpha in alphas.items()}


@dataclass(frozen=True)
class Plan:
    """All decisions of a blend, made on the host from configurations alone.

    Attributes:
      config: of the result.
      shares: network → tensor name → α of each transfer model.
      sources: where mapping, noise buffers and w_avg come from.
      notes: one line for each difference that was resolved, and for extrapolation.
    """

    config: ModelConfig
    shares: dict[str, dict[str, Shares]]
    sources: Sources
    notes: list[str]


def plan_blend(
    configs: Sequence[ModelConfig],
    labels: Sequence[str],
    schedules: Sequence[Schedule],
    *,
    mapping: str | float | None = None,
    noise: str | None = None,
    w_avg: str | float | None = None,
    kinds: Sequence[Kind] = (),
    networks: Sequence[str] = ("G_ema",),
) -> Plan:
    """Decides α and source of every tensor; `configs` and `labels` are the base's, then those of each transfer model.

    Raises:
      InputError: models that cannot be blended, resolutions that are none of theirs, unknown sources.
    """
    resolutions = configs[0].generator.resolutions
    sources = resolve_sources(schedules, mapping, noise, w_avg)
    fixed = sources.shares(len(schedules))
    _check_w_avg(configs, labels, fixed["w_avg"])
    check_blendable(configs, labels, networks, mixes_mapping=not is_hard(fixed["mapping"]))
    for schedule in schedules:
        schedule.check(resolutions)
    origin = {field: _origin(shares) for field, shares in fixed.items()}
    config = merged_config(configs, networks, mapping=origin["mapping"], w_avg=origin["w_avg"])
    shares = {n: alpha_table(layout_of(config, n), schedules, sources, kinds) for n in networks}
    notes = resolved_differences(configs, labels, config) + _extrapolation(shares)
    return Plan(config, shares, sources, notes)


def is_hard(shares: Shares) -> bool:
    """Whether a tensor comes whole from one model."""
    return sorted(shares) in ([0.0] * len(shares), [0.0] * (len(shares) - 1) + [1.0])


def _origin(shares: Shares) -> int:
    """Index of the model a tensor comes from, 0 the base; the base where it is mixed."""
    return shares.index(1.0) + 1 if is_hard(shares) and 1.0 in shares else 0


def _check_w_avg(configs: Sequence[ModelConfig], labels: Sequence[str], shares: Shares) -> None:
    lacking = [label for config, label in zip(configs, labels, strict=True) if config.generator.w_avg_beta is None]
    if lacking and not is_hard(shares):
        raise InputError("has no w_avg to average", "pass --w-avg base or --w-avg transfer", file=", ".join(lacking))


def _extrapolation(shares: Mapping[str, Mapping[str, Shares]]) -> list[str]:
    every = [alpha for table in shares.values() for alphas in table.values() for alpha in (*alphas, 1 - sum(alphas))]
    if min(every) >= 0 and max(every) <= 1:
        return []
    return [f"shares reach from {min(every):.3g} to {max(every):.3g}: outside [0, 1] the blend extrapolates"]


def blend(base: Model, transfer: Model, schedule: Schedule, **options: Any) -> Model:
    """Mixes two models layer by layer: α = 0 keeps `base`, α = 1 takes `transfer`.

    Options are those of `blend_all`.
    """
    return blend_all(base, [(transfer, schedule)], **options)


def blend_all(
    base: Model,
    additions: Sequence[tuple[Model, Schedule]],
    *,
    labels: Sequence[str] | None = None,
    **options: Any,
) -> Model:
    """Mixes any number of models into `base`: (1 − Σ α_k)·base + Σ α_k·p_k.

    Tensors that come whole from one model are that model's own arrays, untouched. A discriminator of the base that is
    not blended is kept, so that training can go on from the blend.

    Args:
      base: the model at α = 0.
      additions: (model, schedule) for each transfer model.
      labels: how messages name the models; by default after the files they come from.
      **options: of `plan_blend`: mapping, noise, w_avg, kinds, networks.

    Raises:
      InputError: the models cannot be blended, or an option does not fit them.
    """
    models, schedules = [base, *(model for model, _ in additions)], [schedule for _, schedule in additions]
    return _blended(models, schedules, labels, options, consume=False)


def blend_up(models: list[Model], schedules: Sequence[Schedule], *, labels: Sequence[str], **options: Any) -> Model:
    """As `blend_all`, but takes the models out of the list, so that memory stays below that of three.

    Every array is let go as it has been used, if nobody else holds the models.
    """
    return _blended(models, schedules, labels, options, consume=True)


def _blended(
    models: list[Model],
    schedules: Sequence[Schedule],
    labels: Sequence[str] | None,
    options: Mapping[str, Any],
    *,
    consume: bool,
) -> Model:
    labels = labels or [_label(model, i) for i, model in enumerate(models)]
    networks = options.get("networks", ("G_ema",))
    _check_networks(models, labels, networks)
    plan = plan_blend([model.config for model in models], labels, schedules, **options)
    lineage = _lineage(models, labels, schedules, plan, options)
    config, kept = _with_discriminator(plan.config, models[0])
    trees = {network: [dict(model.networks[network]) for model in models] for network in networks}
    if consume:
        models.clear()
    mixed = {n: apply_shares(trees.pop(n), plan.shares[n], consume=consume) for n in networks}
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
    soft = not all(is_hard(alphas) for alphas in shares.values())
    mixed: dict[str, Any] = {}
    for name, alphas in shares.items():
        leaves: list[Any] = [tree.pop(name, None) if consume else tree.get(name) for tree in trees]
        result = None
        if soft and (_trained(name) or not is_hard(alphas)):
            result = mix_leaves(leaves[0], leaves[1:], np.array(alphas, np.float32))
        mixed[name] = leaves[_origin(alphas)] if is_hard(alphas) else result
        if consume and result is not None:
            result.block_until_ready()  # before the next tensors are taken out
    return {name: np.asarray(leaf) for name, leaf in mixed.items()}


def _trained(name: str) -> bool:
    return resolution_of(name) is not None and not is_buffer(name)


def _label(model: Model, index: int) -> str:
    """How messages name a model: its file, else its role."""
    return str(model.lineage.get("source") or ("base" if index == 0 else "transfer"))


def _check_networks(models: Sequence[Model], labels: Sequence[str], networks: Sequence[str]) -> None:
    for model, label in zip(models, labels, strict=True):
        if missing := [network for network in networks if network not in model.networks]:
            raise InputError(
                f"holds {', '.join(model.networks)} but no {', '.join(missing)}", "blend G_ema", file=label
            )


def _lineage(
    models: Sequence[Model],
    labels: Sequence[str],
    schedules: Sequence[Schedule],
    plan: Plan,
    options: Mapping[str, Any],
) -> dict[str, Any]:
    texts = [None, *(schedule.text for schedule in schedules)]
    ingredients = tuple(
        Ingredient(path=label, sha256=model.lineage.get("sha256"), schedule=text)
        for model, label, text in zip(models, labels, texts, strict=True)
    )
    recipe = Recipe(
        models=ingredients,
        mapping=plan.sources.mapping,
        noise=plan.sources.noise,
        w_avg=plan.sources.w_avg,
        kinds=tuple(kind.text for kind in options.get("kinds", ())),
        networks=networks_text(options.get("networks", ("G_ema",))),
    )
    parents = [model.lineage for model in models]
    return {"source": "blend", "recipe": recipe.to_json(), "notes": plan.notes, "parents": parents}
