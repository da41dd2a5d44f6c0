"""The grammar of parameter names: dotted official names, their resolution, their shapes, and strict comparison."""

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any, NamedTuple

from stylegan_jax.config import DiscriminatorConfig, GeneratorConfig, ModelConfig, embed_width, size_at
from stylegan_jax.errors import shown
from stylegan_jax.filters import filter_shape

NETWORKS = ("G", "D", "G_ema")
DEFAULT_NETWORKS = ("G_ema",)
"""Those that are blended and sampled where nobody says otherwise."""
Layout = dict[str, tuple[int, ...]]
_BUFFERS = ("w_avg", "noise_const", "resample_filter")


def resolution_of(name: str) -> int | None:
    """The resolution of the block a tensor belongs to; None for the mapping network.

    `synthesis.b64.conv0.weight` → 64, `b8.skip.weight` → 8, `mapping.fc0.bias` → None.
    """
    found = _layer(name)
    return int(found[1]) if found else None


def layer_name(name: str) -> str | None:
    """What a tensor's layer is called in its block; None for the mapping network.

    `synthesis.b64.conv0.affine.weight` → `conv0`, `synthesis.b4.const` → `const`, `mapping.fc0.bias` → None.
    """
    found = _layer(name)
    return found[2] if found else None


def _layer(name: str) -> re.Match[str] | None:
    return next((found for grammar in GRAMMARS.values() if (found := grammar.layer.search(name))), None)


def first_w(resolution: int) -> int:
    """Index into ws of a block's first layer; its ToRGB shares the w of the next block's conv0."""
    return 0 if resolution == 4 else 2 * (resolution.bit_length() - 1) - 5


def w_index(resolution: int, layer: str) -> int:
    """Index into ws of the w that a layer takes; const counts with the first layer, skip with conv1."""
    if resolution == 4:
        return int(layer == "torgb")
    return first_w(resolution) + {"conv0": 0, "torgb": 2}.get(layer, 1)


def is_buffer(name: str) -> bool:
    """Whether a tensor is state outside the optimiser (`w_avg`, `noise_const`, `resample_filter`)."""
    return name.rsplit(".", 1)[-1] in _BUFFERS


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings → one flat dict with dotted names."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        name = f"{prefix}{key}"
        flat.update(flatten(value, f"{name}.") if isinstance(value, Mapping) else {name: value})
    return flat


def unflatten(flat: Mapping[str, Any]) -> dict[str, Any]:
    """One flat dict with dotted names → nested dicts."""
    tree: dict[str, Any] = {}
    for name, value in flat.items():
        *path, leaf = name.split(".")
        node = tree
        for key in path:
            node = node.setdefault(key, {})
        node[leaf] = value
    return tree


def split_networks(flat: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """File keys → networks: `G_ema.synthesis.b4.const`, `D.b64.conv0.weight`; keys without a network are G_ema's."""
    networks: dict[str, dict[str, Any]] = {}
    for key, value in flat.items():
        network, _, name = key.partition(".")
        if network not in NETWORKS:
            network, name = "G_ema", key
        networks.setdefault(network, {})[name] = value
    return networks


def join_networks(networks: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Networks → file keys; the inverse of `split_networks`."""
    return {f"{network}.{name}": value for network, leaves in networks.items() for name, value in leaves.items()}


def layout_of(config: ModelConfig, network: str) -> Layout:
    """Official name → shape for every tensor, buffers included, of `network` ("G", "G_ema" or "D")."""
    return layout(config.of(network))


def layout(config: GeneratorConfig | DiscriminatorConfig) -> Layout:
    """Official name → shape for every tensor of one network, of whatever kind."""
    if isinstance(config, DiscriminatorConfig):
        return discriminator_layout(config)
    return GRAMMARS[config.kind].layout(config)


def generator_layout(config: GeneratorConfig) -> Layout:
    """Official name → shape for every tensor of a generator."""
    layout = {f"mapping.{name}": shape for name, shape in _mapping(config)}
    if config.w_avg_beta is not None:
        layout["mapping.w_avg"] = (config.w_dim,)
    for resolution in config.resolutions:
        block = f"synthesis.b{resolution}."
        layout.update({block + name: shape for name, shape in _synthesis_block(config, resolution)})
    return layout


def discriminator_layout(config: DiscriminatorConfig) -> Layout:
    """Official name → shape for every tensor of a discriminator."""
    layout = {f"mapping.{name}": shape for name, shape in _mapping(config)} if config.c_dim > 0 else {}
    for resolution in reversed(config.resolutions[1:]):
        layout.update({f"b{resolution}.{name}": shape for name, shape in _discriminator_block(config, resolution)})
    layout.update({f"b4.{name}": shape for name, shape in _epilogue(config)})
    return layout


class Grammar(NamedTuple):
    """What the tensors of one kind of generator are called."""

    layout: Callable[[Any], Layout]
    """Configuration → official name and shape of every tensor."""
    layer: re.Pattern[str]
    """Finds resolution and layer in the names of the synthesis network, and of the discriminator: a blend's layers."""


GRAMMARS = {GeneratorConfig.kind: Grammar(generator_layout, re.compile(r"(?:^|\.)b(\d{1,4})\.([^.]*)"))}
"""Kind of generator → its names."""

Entries = Iterator[tuple[str, tuple[int, ...]]]


def _linear(name: str, inputs: int, outputs: int) -> Entries:
    yield f"{name}.weight", (outputs, inputs)
    yield f"{name}.bias", (outputs,)


def _mapping(config: GeneratorConfig | DiscriminatorConfig) -> Entries:
    if config.c_dim > 0:
        yield from _linear("embed", config.c_dim, embed_width(config))
    widths = config.mapping_widths
    for i, (inputs, outputs) in enumerate(pairwise(widths)):
        yield from _linear(f"fc{i}", inputs, outputs)


def _synthesis_block(config: GeneratorConfig, resolution: int) -> Entries:
    outputs, taps = config.channels(resolution), filter_shape(config.resample_filter)
    if resolution == 4:
        yield "const", (outputs, *config.const_size)
    else:
        inputs = config.channels(resolution // 2)
        yield from _synthesis_layer(config, "conv0", resolution, inputs, taps)
    yield from _synthesis_layer(config, "conv1", resolution, outputs, (4, 4))
    if config.architecture == "skip" or resolution == config.img_resolution:
        yield "torgb.weight", (config.img_channels, outputs, 1, 1)
        yield "torgb.bias", (config.img_channels,)
        yield from _linear("torgb.affine", config.w_dim, outputs)
    if config.architecture == "resnet" and resolution > 4:
        yield "skip.weight", (outputs, config.channels(resolution // 2), 1, 1)
        yield "skip.resample_filter", taps
    yield "resample_filter", taps


def _synthesis_layer(
    config: GeneratorConfig, name: str, resolution: int, inputs: int, taps: tuple[int, ...]
) -> Entries:
    outputs = config.channels(resolution)
    yield f"{name}.weight", (outputs, inputs, 3, 3)
    yield f"{name}.bias", (outputs,)
    yield from _linear(f"{name}.affine", config.w_dim, inputs)
    yield f"{name}.resample_filter", taps
    if config.use_noise:
        yield f"{name}.noise_strength", ()
        yield f"{name}.noise_const", size_at(resolution, config.const_size)


def _conv(name: str, inputs: int, outputs: int, kernel: int, taps: tuple[int, ...] = (4, 4)) -> Entries:
    yield f"{name}.weight", (outputs, inputs, kernel, kernel)
    if name != "skip":
        yield f"{name}.bias", (outputs,)
    yield f"{name}.resample_filter", taps


def _discriminator_block(config: DiscriminatorConfig, resolution: int) -> Entries:
    inputs, outputs = config.channels(resolution), config.channels(resolution // 2)
    taps = filter_shape(config.resample_filter)
    if config.architecture == "skip" or resolution == config.img_resolution:
        yield from _conv("fromrgb", config.img_channels, inputs, 1)
    yield from _conv("conv0", inputs, inputs, 3)
    yield from _conv("conv1", inputs, outputs, 3, taps)
    if config.architecture == "resnet":
        yield from _conv("skip", inputs, outputs, 1, taps)
    yield "resample_filter", taps


def _epilogue(config: DiscriminatorConfig) -> Entries:
    channels = config.channels(4)
    if config.architecture == "skip":
        yield from _conv("fromrgb", config.img_channels, channels, 1)
    yield from _conv("conv", channels + config.mbstd_num_channels, channels, 3)
    yield from _linear("fc", channels * 16, channels)
    yield from _linear("out", channels, config.cmap_features or 1)


def differences(found: Mapping[str, Any], expected: Mapping[str, tuple[int, ...]]) -> list[str]:
    """One line for every missing, unexpected and wrongly shaped tensor; empty when the layout is exact."""
    lines = []
    for name in sorted({*found, *expected}):
        have = tuple(found[name].shape) if name in found else "missing"
        want = expected.get(name, "no such tensor")
        if have != want:
            lines.append(f"{shown(name, 200)}: {have}, expected {want}")
    return lines


def freezable_layers(config: DiscriminatorConfig) -> list[str]:
    """Names of D's layers in the order Freeze-D counts them, highest resolution first; the epilogue has none."""
    layout = discriminator_layout(config)
    layers = [name.removesuffix(".weight") for name in layout if name.endswith(".weight")]
    order = ("fromrgb", "conv0", "conv1", "skip")
    return [layer for layer in layers if resolution_of(layer) not in (None, 4) and layer_name(layer) in order]
