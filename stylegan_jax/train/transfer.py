"""Beginning from another model: tensors copied by name, and rules that name what stays frozen."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from stylegan_jax import names
from stylegan_jax.config import DiscriminatorConfig
from stylegan_jax.errors import InputError
from stylegan_jax.storage.checkpoint import Model
from stylegan_jax.train.config import TrainConfig
from stylegan_jax.train.state import State, start

BLENDS = "blends"
"""The word of a rule that freezes what keeps blends crisp."""
_KEPT_FOR_BLENDS = frozenset({"mapping", "affine", "torgb", "noise_strength"})
_USUAL_SWAP = 16  # pixels: up to where most blends take the fine-tune's layers


def begin_from(
    config: TrainConfig, fresh: State, model: Model, partner: Model | None = None
) -> tuple[State, list[str]]:
    """The state at the start of a fine-tune, and lines that say what of it is fresh.

    G, D and G_ema come from the model where names and shapes agree, and are fresh elsewhere. A missing G is taken
    from G_ema (and the other way round); without D the discriminator is fresh. What is frozen of G is as in G_ema,
    which is what others blend it with. Blends that are trained are made with the `partner`, by default the model
    itself.

    Raises InputError if the model has no generator.
    """
    _ = generator_of(model)
    found = {name: dict(leaves) for name, leaves in model.networks.items()}
    found.setdefault("G", found.get("G_ema", {}))
    found.setdefault("G_ema", found["G"])
    notes = [] if "D" in found else ["D: the model has none, so it starts fresh"]
    found.setdefault("D", {})
    leaves = {}
    for network in ("G", "D", "G_ema"):
        own = dict(getattr(fresh, network)) if network != "G_ema" else dict(leaves["G"])
        leaves[network], differing = _copied(own, found[network])
        if found[network]:
            notes += [f"{network}: {line}" for line in differing]
    leaves["G"] |= {name: leaves["G_ema"][name] for name in config.frozen_of("G")}
    _silence_new_torgb(leaves["G"], leaves["G_ema"], above=model.config.generator.img_resolution)
    other = None if partner is None else partner.networks[generator_of(partner)]
    return start(config, leaves["G"], leaves["D"], leaves["G_ema"], other), notes


def generator_of(model: Model) -> str:
    """G_ema, or G where it is lacking; InputError where both are."""
    for name in ("G_ema", "G"):
        if name in model.networks:
            return name
    raise InputError("holds no generator", "fine-tune from a model with G_ema", file=model.lineage.get("source"))


def _silence_new_torgb(*generators: dict[str, Any], above: int) -> None:
    """A generator that grew begins with the enlarged image of the smaller one: the new blocks add nothing to it yet."""
    for leaves in generators:
        for name, leaf in leaves.items():
            if (names.resolution_of(name) or 0) > above and name.endswith(".torgb.weight"):
                leaves[name] = np.zeros_like(leaf)


def _copied(own: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """`own` with the tensors of `other` where they fit, and one line for every kind of tensor that does not."""
    fits = {k: np.asarray(v, np.float32) for k, v in other.items() if k in own and own[k].shape == v.shape}
    lines = []
    for title, those in (
        ("starts fresh", [k for k in own if k not in fits and not names.is_buffer(k)]),
        ("was left out", [k for k in other if k not in fits and not names.is_buffer(k)]),
    ):
        if those:
            shown = ", ".join(those[:6]) + (f" and {len(those) - 6} more" if len(those) > 6 else "")
            lines.append(f"{title}: {shown}")
    return {**own, **fits}, lines


def frozen_names(
    config: TrainConfig, *, words: Sequence[str] = (), g_resolutions: Sequence[int | str] = (), d_layers: int = 0
) -> tuple[str, ...]:
    """Full names (`G.mapping.fc0.weight`) of what the rules freeze.

    Args:
      words: of G's names, all tensors with which are frozen: `mapping`, `affine`, `torgb`, `b16`, `conv1`, …;
        or a part of them with `*`: `b64.*bias`; `D.fromrgb` freezes in D; `BLENDS` stands for what blends need.
      g_resolutions: blocks of G, as numbers or as they were typed.
      d_layers: how many layers of D, from its highest resolution on (Freeze-D).

    Raises InputError for a rule that matches nothing.
    """
    blocks, known = list(map(str, g_resolutions)), list(map(str, config.generator.resolutions))
    if any(block not in known for block in blocks):
        what, remedy = "not a resolution of this model", f"use {', '.join(known)}"
        raise InputError(what, remedy, file=f"--freeze-g {','.join(blocks)}")
    layouts = {network: names.layout_of(config.model, network) for network in ("G", "D")}
    every = [f"{n}.{name}" for n, layout in layouts.items() for name in layout if not names.is_buffer(name)]
    frozen = {name for word in words for name in _named(word, every)}
    frozen |= {k for k in every if k.startswith("G.") and str(names.resolution_of(k)) in blocks}
    frozen |= set(_first_layers(config.discriminator, d_layers))
    return tuple(name for name in every if name in frozen)


def _for_blends(every: Sequence[str]) -> list[str]:
    """What keeps the blends of a fine-tune with its base crisp.

    One w means one face, and what the base's upper layers meet in a blend is what they know. Seen on the shipped pair
    after 20 thousand images: swap 16 has .90 of the lesser parent's saturation and sharpness; without ToRGB and the
    biases .68 and .87, with the biases of all blocks .86 and .77.
    """

    def kept(name: str) -> bool:
        upper = (names.resolution_of(name) or 0) > _USUAL_SWAP and name.endswith(".bias")
        return upper or not _KEPT_FOR_BLENDS.isdisjoint(name.split("."))

    return [name for name in every if name.startswith("G.") and kept(name)]


def _named(rule: str, every: Sequence[str]) -> list[str]:
    if rule == BLENDS:
        return _for_blends(every)
    network, word = ("D", rule[2:]) if rule.startswith("D.") else ("G", rule.removeprefix("G."))
    own = [name for name in every if name.startswith(f"{network}.")]
    found = [name for name in own if (fnmatchcase(name, f"*{word}*") if "*" in word else word in name.split("."))]
    if not found:
        known = "mapping, torgb, b8, conv1, b8.*bias, blends, …" if network == "G" else "D.fromrgb, D.b8, D.conv1, …"
        what = f"no tensor of {network} has {word!r} in its name"
        raise InputError(what, f"use {known}", file=f"--freeze {rule}")
    return found


def _first_layers(config: DiscriminatorConfig, count: int) -> list[str]:
    layers = names.freezable_layers(config)
    if not 0 <= count <= len(layers):
        raise InputError(
            f"this discriminator has {len(layers)} layers", "freeze 0 or more of them", file=f"--freeze-d {count}"
        )
    layout = names.discriminator_layout(config)
    return [
        f"D.{layer}.{kind}" for layer in layers[:count] for kind in ("weight", "bias") if f"{layer}.{kind}" in layout
    ]
