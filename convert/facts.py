"""What the tensors of a network say about its configuration, and the proof that a configuration fits them."""

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np

from convert.pickles.allowed import AGAIN
from stylegan_jax import names
from stylegan_jax.config import ConvConfig, DiscriminatorConfig, GeneratorConfig, channels_by_rule, embed_width
from stylegan_jax.errors import InputError
from stylegan_jax.filters import DEFAULT_FILTER, Filter, setup_filter, taps_of

Tensors = Mapping[str, np.ndarray]
Facts = dict[str, Any]
Config = TypeVar("Config", GeneratorConfig, DiscriminatorConfig)
_MOST_LINES, _MOST_TENSORS = 200, 20_000
_USUAL_CHANNELS = ((32768, 512), (16384, 512))


def prove(network_class: type[Config], stored: Facts, tensors: Tensors, network: str) -> Config:
    """The configuration of a network: what the file stores, the rest from its tensors, and it must fit them exactly.

    Raises InputError that shows both sides where stored facts and tensors disagree, or every tensor that does not fit.
    """
    if len(tensors) > _MOST_TENSORS:
        raise InputError(f"{network}: holds {len(tensors)} tensors, far more than a StyleGAN2", AGAIN)
    facts = _generator(tensors) if network_class is GeneratorConfig else _discriminator(tensors)
    _refuse_oblong(tensors)
    config = _config(network_class, {**facts, **stored}, prefer_table=False)
    lines = _misfits(config, tensors)
    if not lines:
        return config
    other = _config(network_class, {**stored, **facts}, prefer_table=True)
    if not _misfits(other, tensors):
        lines = _contradictions(config, other)
        what = f"{network}: what it says of itself and its tensors disagree"
    else:
        usual = {name: value for name, value in facts.items() if name not in ("embed_features", "layer_features")}
        others = _misfits(_config(network_class, {**usual, **stored}, prefer_table=False), tensors)
        lines = min(lines, others, key=len)  # the shorter list is likelier to show what is wrong
        what = f"{network}: {len(lines)} tensors do not fit its configuration"
    more = [f"… and {len(lines) - _MOST_LINES} more"] if len(lines) > _MOST_LINES else []
    listed = "\n  ".join([what, *lines[:_MOST_LINES], *more])
    raise InputError(f"{listed}\nThis is no complete StyleGAN2 network", AGAIN)


def _misfits(config: GeneratorConfig | DiscriminatorConfig, tensors: Tensors) -> list[str]:
    return names.differences(tensors, names.layout(config)) or _wrong_filters(config, tensors)


def _contradictions(stored: ConvConfig, seen: ConvConfig) -> list[str]:
    """One line for every field in which two configurations differ."""
    lines = []
    for field in vars(stored):
        if getattr(stored, field) != getattr(seen, field) and field not in ("channel_base", "channel_max"):
            lines.append(f"{field}: {getattr(stored, field)} stored, {getattr(seen, field)} by its tensors")
    tables = [tuple(map(config.channels, config.resolutions)) for config in (stored, seen)]
    if tables[0] != tables[1]:
        lines.append(f"channels: {tables[0]} stored, {tables[1]} by its tensors")
    return lines


def _refuse_oblong(tensors: Tensors) -> None:
    const = tensors.get("synthesis.b4.const")
    if const is not None and const.ndim == 3 and const.shape[1:] != (4, 4):
        what = f"starts from {const.shape[1]}×{const.shape[2]} pixels: a fork for images that are not square"
        raise InputError(what, "convert the square model that it was made of, with --size")


def _config(network_class: type[Config], facts: Facts, *, prefer_table: bool) -> Config:
    """Builds the configuration in its simplest form."""
    if not prefer_table and "channel_base" in facts and "channel_max" in facts:
        facts = {name: value for name, value in facts.items() if name != "channel_table"}
    if "img_resolution" not in facts:
        raise InputError("holds a network without resolution blocks b4, b8, …", "pass a StyleGAN2 file")
    try:
        return simplest(network_class(**facts))
    except ValueError as error:
        raise InputError(str(error), "only StyleGAN2 models up to 1024 pixels can be represented") from error


def simplest(config: Config) -> Config:
    """The configuration without settings that only repeat a default, and by a rule of channels where one fits."""
    table = config.channel_table
    if table is not None:
        base, most = config.channel_base, config.channel_max
        options = ((base, most), *_USUAL_CHANNELS, (table[-1] * config.img_resolution, max(table)))
        for base, most in options:
            if tuple(channels_by_rule(r, base, most) for r in config.resolutions) == table:
                config = _replace(config, channel_table=None, channel_base=base, channel_max=most)
                break
    width = config.w_dim if isinstance(config, GeneratorConfig) else config.cmap_features
    if config.embed_features == embed_width(_replace(config, embed_features=None)) or config.c_dim == 0:
        config = _replace(config, embed_features=None)
    if config.layer_features == width or config.mapping_layers == 1:
        config = _replace(config, layer_features=None)
    if isinstance(config, DiscriminatorConfig) and (config.cmap_dim == config.channels(4) or config.c_dim == 0):
        config = _replace(config, cmap_dim=None)
    return config


def _replace(config: Config, **changes: Any) -> Config:
    return type(config)(**{**vars(config), **changes})


def _size(tensors: Tensors, name: str, axis: int) -> int | None:
    shape = tensors[name].shape if name in tensors else ()
    return shape[axis] if axis < len(shape) else None


def _known(**facts: Any) -> Facts:
    return {name: value for name, value in facts.items() if value is not None}


def _resolutions(tensors: Tensors) -> tuple[int, ...]:
    found = {names.resolution_of(name) for name in tensors} - {None}
    top = max((resolution for resolution in found if resolution is not None), default=0)
    return tuple(4 << i for i in range(max(top.bit_length() - 2, 0)))


def _generator(tensors: Tensors) -> Facts:
    resolutions = _resolutions(tensors)
    top = resolutions[-1] if resolutions else 0
    channels = tuple(_size(tensors, f"synthesis.b{r}.conv1.weight", 0) for r in resolutions)
    marks = {"resnet": "synthesis.b8.skip.weight", "skip": "synthesis.b4.torgb.weight"}
    return {
        **_mapping(tensors),
        **_known(
            img_resolution=top or None,
            img_channels=_size(tensors, f"synthesis.b{top}.torgb.weight", 0),
            w_dim=_size(tensors, "synthesis.b4.conv1.affine.weight", 1),
            channel_table=channels if channels and None not in channels else None,
            architecture=next((word for word, name in marks.items() if name in tensors), "orig"),
            use_noise="synthesis.b4.conv1.noise_const" in tensors,
            resample_filter=taps_of(tensors.get("synthesis.b4.resample_filter")),
        ),
        **({} if "mapping.w_avg" in tensors else {"w_avg_beta": None}),
    }


def _mapping(tensors: Tensors) -> Facts:
    """Depth and widths of a mapping network; `z_dim` only for generators."""
    layers = 0
    while f"mapping.fc{layers}.weight" in tensors:
        layers += 1
    embed, inputs = _size(tensors, "mapping.embed.weight", 0), _size(tensors, "mapping.fc0.weight", 1)
    facts = _known(
        c_dim=_size(tensors, "mapping.embed.weight", 1) or 0,
        embed_features=embed,
        mapping_layers=layers if layers or embed is not None else None,
        layer_features=_size(tensors, "mapping.fc0.weight", 0),
    )
    is_generator = any(name.startswith("synthesis.") for name in tensors)
    return facts | (_known(z_dim=inputs - (embed or 0)) if is_generator and inputs is not None else {})


def _discriminator(tensors: Tensors) -> Facts:
    resolutions = _resolutions(tensors)
    top = resolutions[-1] if resolutions else 0
    least = _size(tensors, "b4.fc.weight", 0)
    channels = (least, *(_size(tensors, f"b{r}.conv0.weight", 0) for r in resolutions[1:]))
    inputs = _size(tensors, "b4.conv.weight", 1)
    mapping = _mapping(tensors)
    marks = {"resnet": f"b{top}.skip.weight", "skip": "b4.fromrgb.weight"}
    return mapping | _known(
        img_resolution=top or None,
        img_channels=_size(tensors, f"b{top}.fromrgb.weight", 1),
        channel_table=channels if None not in channels else None,
        architecture=next((word for word, name in marks.items() if name in tensors), "orig"),
        cmap_dim=_size(tensors, "b4.out.weight", 0) if mapping["c_dim"] else None,
        mbstd_num_channels=inputs - least if inputs and least else None,
        resample_filter=taps_of(tensors.get("b8.resample_filter")),
    )


def with_filters(network_class: type[Config], stored: Facts, tensors: Tensors) -> dict[str, np.ndarray]:
    """The tensors of a format that does not store filters, and every filter of the configured taps."""
    facts = _generator(tensors) if network_class is GeneratorConfig else _discriminator(tensors)
    config = _config(network_class, {**facts, **stored}, prefer_table=False)
    missing = [name for name in names.layout(config) if name.endswith("resample_filter") and name not in tensors]
    return {**tensors, **{name: setup_filter(configured_taps(config, name)) for name in missing}}


def configured_taps(config: GeneratorConfig | DiscriminatorConfig, name: str) -> Filter:
    """The taps of a `resample_filter`: layers that do not resample keep the default."""
    own = name.split(".")[-2]
    resamples = own in ("conv0" if isinstance(config, GeneratorConfig) else "conv1", "skip") or own.startswith("b")
    return config.resample_filter if resamples else DEFAULT_FILTER


def _wrong_filters(config: GeneratorConfig | DiscriminatorConfig, tensors: Tensors) -> list[str]:
    """One line for every `resample_filter` whose values are not those of the configured taps."""
    lines = []
    for name in tensors:
        taps = configured_taps(config, name) if name.endswith(".resample_filter") else None
        if taps is not None and not np.allclose(tensors[name], setup_filter(taps), rtol=1e-3, atol=1e-6):
            lines.append(f"{name}: its values are not those of {taps}")
    return lines
