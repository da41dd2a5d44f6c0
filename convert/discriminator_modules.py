"""A discriminator as the objects of an official pickle."""

from typing import Any

from convert.modules import Builder, Module, Tensors, channel_arguments, is_channels_last, mapping_arguments, unlike
from stylegan_jax import names
from stylegan_jax.config import DiscriminatorConfig
from stylegan_jax.filters import DEFAULT_FILTER, as_lists

_BLOCK_DEFAULTS = {"activation": "lrelu", "resample_filter": as_lists(DEFAULT_FILTER), "freeze_layers": 0}
_BLOCK_DEFAULTS |= {"fp16_channels_last": False}


def discriminator_module(config: DiscriminatorConfig, tensors: Tensors, *, sg3: bool) -> Module:
    """The Discriminator object that the official constructor would make of `config`, holding `tensors`."""
    build = Builder(tensors, sg3=sg3)
    image = {"img_resolution": config.img_resolution, "img_channels": config.img_channels}
    common = {
        "img_channels": config.img_channels,
        "architecture": config.architecture,
        "conv_clamp": config.conv_clamp,
    }
    children = _blocks(build, config, common)
    if config.c_dim:
        options = {"z_dim": 0, "c_dim": config.c_dim, "w_dim": config.cmap_features, "num_ws": None, "w_avg_beta": None}
        children["mapping"] = build.mapping(config, **options, **mapping_arguments(config))
    children["b4"] = _epilogue(build, config, common)
    attributes = {
        "c_dim": config.c_dim,
        "img_resolution": config.img_resolution,
        "img_resolution_log2": config.img_resolution.bit_length() - 1,
        "img_channels": config.img_channels,
        "block_resolutions": list(config.resolutions[:0:-1]),
    }
    kwargs = {"c_dim": config.c_dim, **image, **_arguments(config, sg3)}
    return Module("Discriminator", (), kwargs, attributes, children=children)


def absent_discriminator() -> Module:
    """A Discriminator without layers, for 4×4 models: there is none so small, and their loader wants one."""
    return Module("Discriminator")


def _arguments(config: DiscriminatorConfig, sg3: bool) -> dict[str, Any]:
    defaults = {"cmap_dim": None, **({} if sg3 else {"num_fp16_res": 0, "conv_clamp": None})}
    optional = {"num_fp16_res": config.num_fp16_res, "conv_clamp": config.conv_clamp, "cmap_dim": config.cmap_dim}
    return {
        "architecture": config.architecture,
        **channel_arguments(config),
        "block_kwargs": _block_arguments(config),
        "mapping_kwargs": mapping_arguments(config) if config.c_dim else {},
        "epilogue_kwargs": _epilogue_arguments(config),
        **unlike(defaults, **optional),
    }


def _block_arguments(config: DiscriminatorConfig) -> dict[str, Any]:
    return unlike(
        _BLOCK_DEFAULTS,
        activation=config.activation,
        resample_filter=as_lists(config.resample_filter),
        freeze_layers=config.freeze_layers,
        fp16_channels_last=config.fp16_channels_last,
    )


def _epilogue_arguments(config: DiscriminatorConfig) -> dict[str, Any]:
    others = {"mbstd_num_channels": config.mbstd_num_channels, "activation": config.activation}
    defaults = {"mbstd_num_channels": 1, "activation": "lrelu"}
    return {"mbstd_group_size": config.mbstd_group_size, **unlike(defaults, **others)}


def _blocks(build: Builder, config: DiscriminatorConfig, common: dict[str, Any]) -> dict[str, Module]:
    blocks: dict[str, Module] = {}
    first = 0
    for resolution in config.resolutions[:0:-1]:
        block = _block(build, config, resolution, first, common)
        first += block.attributes["num_layers"]
        blocks[f"b{resolution}"] = block
    return blocks


def _block(build: Builder, config: DiscriminatorConfig, resolution: int, first: int, common: dict[str, Any]) -> Module:
    inner, outputs = config.channels(resolution), config.channels(resolution // 2)
    inputs = inner if resolution < config.img_resolution else 0
    children = _layers(build, config, resolution)
    attributes = {
        "in_channels": inputs,
        "resolution": resolution,
        "img_channels": config.img_channels,
        "first_layer_idx": first,
        "architecture": config.architecture,
        "use_fp16": resolution >= config.fp16_resolution,
        "channels_last": is_channels_last(config, resolution),
        "num_layers": len(children),
    }
    shared = {name: attributes[name] for name in ("resolution", "first_layer_idx", "use_fp16")}
    kwargs = {**shared, **_block_arguments(config), **common}
    buffers = build.leaves(f"b{resolution}", "resample_filter")
    return Module("DiscriminatorBlock", (inputs, inner, outputs), kwargs, attributes, {}, buffers, children)


def _layers(build: Builder, config: DiscriminatorConfig, resolution: int) -> dict[str, Module]:
    inner, outputs = config.channels(resolution), config.channels(resolution // 2)
    clamp, down = {"conv_clamp": config.conv_clamp}, {"down": 2}
    frozen = set(names.freezable_layers(config)[: config.freeze_layers])
    children = {}

    def add(name: str, inputs: int, width: int, **kwargs: Any) -> None:
        path = f"b{resolution}.{name}"
        filtered = {"resample_filter": as_lists(config.resample_filter)} if "down" in kwargs else {}
        last = {**filtered, **({} if name == "skip" else clamp), "channels_last": is_channels_last(config, resolution)}
        children[name] = build.conv(path, inputs, width, **kwargs, trainable=path not in frozen, **last)

    activation = {"activation": config.activation}
    if config.architecture == "skip" or resolution == config.img_resolution:
        add("fromrgb", config.img_channels, inner, kernel_size=1, **activation)
    add("conv0", inner, inner, kernel_size=3, **activation)
    add("conv1", inner, outputs, kernel_size=3, **activation, **down)
    if config.architecture == "resnet":
        add("skip", inner, outputs, kernel_size=1, bias=False, **down)
    return children


def _epilogue(build: Builder, config: DiscriminatorConfig, common: dict[str, Any]) -> Module:
    width, spread = config.channels(4), config.mbstd_num_channels
    activation = {"activation": config.activation}
    children = {}
    if config.architecture == "skip":
        children["fromrgb"] = build.conv("b4.fromrgb", config.img_channels, width, kernel_size=1, **activation)
    if spread:
        group = {"group_size": config.mbstd_group_size, "num_channels": spread}
        children["mbstd"] = Module("MinibatchStdLayer", (), group, dict(group))
    clamped = {"kernel_size": 3, **activation, "conv_clamp": config.conv_clamp}
    children["conv"] = build.conv("b4.conv", width + spread, width, **clamped)
    children["fc"] = build.linear("b4.fc", width * 16, width, **activation)
    children["out"] = build.linear("b4.out", width, config.cmap_features or 1)
    attributes = {
        "in_channels": width,
        "cmap_dim": config.cmap_features,
        "resolution": 4,
        "img_channels": config.img_channels,
        "architecture": config.architecture,
        **({} if spread else {"mbstd": None}),
    }
    kwargs = {"cmap_dim": config.cmap_features, "resolution": 4, **_epilogue_arguments(config), **common}
    return Module("DiscriminatorEpilogue", (width,), kwargs, attributes, children=children)
