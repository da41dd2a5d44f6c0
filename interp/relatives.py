"""Which models can be blended: what must agree, what is resolved, and the configuration of the result."""

import dataclasses
from collections.abc import Sequence
from typing import Any, TypeVar

from convert.description import official_name
from stylegan_jax.config import DiscriminatorConfig, GeneratorConfig, ModelConfig
from stylegan_jax.errors import InputError
from stylegan_jax.names import layout_of

SIZES = ("img_resolution", "const_size", "img_channels", "w_dim")
MIXED = ("architecture", "activation", "resample_filter", "use_noise")
"""Settings that must agree in all models, as the sizes must."""
MAPPING = (
    "z_dim",
    "c_dim",
    "mapping_layers",
    "embed_features",
    "layer_features",
    "mapping_activation",
    "mapping_lr_multiplier",
)
"""Settings of the mapping network, which must agree where it is averaged, and else are those of its model."""
Network = TypeVar("Network", GeneratorConfig, DiscriminatorConfig)


def check_blendable(
    configs: Sequence[ModelConfig], labels: Sequence[str], networks: Sequence[str], *, mixes_mapping: bool = False
) -> None:
    """Raises one InputError, which lists every difference, unless what is really mixed agrees in all models.

    Args:
      configs, labels: of the base first, then of the transfer models.
      networks: those to blend.
      mixes_mapping: whether the mapping networks are averaged, so that they must agree too.
    """
    base, *others = configs
    for config, label in zip(others, labels[1:], strict=True):
        lines = [line for network in networks for line in _obstacles(base, config, network, mixes_mapping)]
        if lines:
            count = f"{len(lines)} arrays and settings differ" if len(lines) > 1 else "1 array or setting differs"
            what = "\n  ".join([f"{count} from {labels[0]}", *lines])
            one, two = facts_that_differ(base, config, networks, mixes_mapping=mixes_mapping)
            words = f"{labels[0]} is {one}, {label} {two}"
            raise InputError(f"{what}\nA blend needs one architecture: {words}", _advice(base, config), file=label)


def facts_that_differ(
    base: ModelConfig, other: ModelConfig, networks: Sequence[str], *, mixes_mapping: bool = False
) -> tuple[str, str]:
    """What tells two models apart, in the same words for each."""
    differences: list[tuple[str, str]] = []
    for network in networks:
        one, two = base.of(network), other.of(network)
        if any(_get(one, size) != _get(two, size) for size in SIZES[:2]) or _widths(one) != _widths(two):
            sizes = describe(one), describe(two)
            differences.append(sizes if sizes[0] != sizes[1] else (_listed(one), _listed(two)))
        for field in (*SIZES[2:], *MIXED, *(MAPPING if mixes_mapping else ())):
            if _get(one, field) != _get(two, field):
                differences.append((_fact(field, _get(one, field)), _fact(field, _get(two, field))))
    kept = list(dict.fromkeys(differences)) or [(describe(base.generator), describe(other.generator))]
    return ", ".join(one for one, _ in kept), ", ".join(two for _, two in kept)


def _widths(config: GeneratorConfig | DiscriminatorConfig) -> list[int]:
    return [config.channels(r) for r in config.resolutions]


def _listed(config: GeneratorConfig | DiscriminatorConfig) -> str:
    """As `describe`, with all widths, where its words are the same for both."""
    return f"{describe(config).split(' (')[0]} of channels {', '.join(map(str, _widths(config)))}"


def _fact(field: str, value: Any) -> str:
    if field == "img_channels":
        return f"{_COLOURS.get(value, 'of another kind')} ({value} image channels)"
    return f"of {_WORDS.get(field, field)} {value}"


_COLOURS = {1: "grey", 3: "RGB", 4: "RGBA"}


def _advice(base: ModelConfig, other: ModelConfig) -> str:
    """The next step for the widest difference of two models."""
    one, two = base.generator, other.generator
    if one.img_channels != two.img_channels:
        return "blend models of the same colour channels"
    if one.img_resolution != two.img_resolution:
        return "blend models of one resolution: fine-tune one of them at the other's"
    if one.const_size != two.const_size:
        return "blend models of one size: give the square one the other's, as python -m convert can"
    return "fine-tune from the same base, or pick its sibling"


def _obstacles(base: ModelConfig, other: ModelConfig, network: str, mixes_mapping: bool) -> list[str]:
    """One line for each setting and array that must agree and does not."""
    fields = (*SIZES, *MIXED, *(MAPPING if mixes_mapping else ()))
    one, two = base.of(network), other.of(network)
    lines = [
        f"{'' if network == 'G_ema' else f'{network} '}{field}: {_get(one, field)} vs {_get(two, field)}"
        for field in fields
        if _get(one, field) != _get(two, field)
    ]
    here, there = layout_of(base, network), layout_of(other, network)
    for name in {**here, **there}:
        mixed = network == "D" or not name.startswith("mapping.") or (mixes_mapping and name != "mapping.w_avg")
        if mixed and here.get(name) != there.get(name):
            prefix = "" if network == "G_ema" else f"{network}."
            lines.append(f"{prefix}{name}: {here.get(name, 'absent')} vs {there.get(name, 'absent')}")
    return lines


def _get(config: GeneratorConfig | DiscriminatorConfig, field: str) -> Any:
    return getattr(config, field, None)


def describe(config: GeneratorConfig | DiscriminatorConfig) -> str:
    """A network's width and size in the official words: `config-f at 1024×1024 (channel_base 32768)`."""
    word = official_name(config).split(" (")[0]
    own = config.img_resolution
    height, width = config.image_size if isinstance(config, GeneratorConfig) else (own, own)
    size = f"{word} at {width}×{height}"
    return size if config.channel_table is not None else f"{size} (channel_base {config.channel_base})"


def merged_config(configs: Sequence[ModelConfig], networks: Sequence[str], *, mapping: int, w_avg: int) -> ModelConfig:
    """The result's configuration: mapping fields from the mapping's model, the looser clamp, the rest from the base.

    Args:
      mapping, w_avg: index of the model (0 the base) that the mapping network and `w_avg` come from.
    """
    generator = _merge([config.generator for config in configs], configs[mapping].generator)
    generator = dataclasses.replace(generator, w_avg_beta=configs[w_avg].generator.w_avg_beta)
    if "D" not in networks:
        return ModelConfig(generator=generator)
    parts = [config.discriminator for config in configs if config.discriminator is not None]
    return ModelConfig(generator=generator, discriminator=_merge(parts, parts[0]))


def _merge(parts: Sequence[Network], mapping: Network) -> Network:
    clamps = [part.conv_clamp for part in parts]
    fields = {field: getattr(mapping, field) for field in MAPPING if hasattr(mapping, field)}
    return dataclasses.replace(
        parts[0], **fields, conv_clamp=None if None in clamps else max(clamp for clamp in clamps if clamp is not None)
    )


CHANNELS = ("channel_base", "channel_max", "channel_table")


def layout_differences(base: ModelConfig, other: ModelConfig, labels: Sequence[str]) -> list[str]:
    """One line for each field in which two generators differ: what a blend does about it, or that it cannot be."""
    one, two = base.generator, other.generator
    lines = []
    if [one.channels(r) for r in one.resolutions] != [two.channels(r) for r in two.resolutions]:
        lines.append(f"channels: {describe(one)} against {describe(two)}: in the way of a blend")
    for field in dataclasses.fields(GeneratorConfig):
        values = [getattr(config, field.name) for config in (one, two)]
        if values[0] != values[1] and field.name not in CHANNELS:
            blended = _in_the_blend(field.name, labels[0])
            lines.append(f"{_WORDS.get(field.name, field.name)}: {values[0]} against {values[1]}: {blended}")
    return lines


def _in_the_blend(field: str, base: str) -> str:
    """What a blend has in a field in which two models differ."""
    if field in (*MAPPING, "w_avg_beta"):
        return "as in the model that the mapping comes from"
    if field == "conv_clamp":
        return "the looser one"
    return f"as {base}" if field in ("num_fp16_res", "fp16_channels_last") else "in the way of a blend"


_WORDS = {"mapping_layers": "mapping layers", "c_dim": "classes", "num_fp16_res": "resolutions in 16 bits"}


def resolved_differences(configs: Sequence[ModelConfig], labels: Sequence[str], result: ModelConfig) -> list[str]:
    """One line for each field in which the generators differ, with what the result has."""
    lines = []
    for field in dataclasses.fields(GeneratorConfig):
        values = [getattr(config.generator, field.name) for config in configs]
        if any(value != values[0] for value in values[1:]):
            held = ", ".join(f"{value} in {label}" for value, label in zip(values, labels, strict=True))
            lines.append(f"{field.name}: {held}; the blend has {getattr(result.generator, field.name)}")
    return lines
