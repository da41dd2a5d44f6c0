"""A generator as the objects of an official pickle."""

from typing import Any

from convert.modules import Builder, Module, Tensors, channel_arguments, is_channels_last, mapping_arguments, unlike
from stylegan_jax.config import GeneratorConfig
from stylegan_jax.filters import DEFAULT_FILTER, as_lists

_DEFAULTS = {"architecture": "skip", "use_noise": True, "activation": "lrelu", "fp16_channels_last": False}
_DEFAULTS |= {"resample_filter": as_lists(DEFAULT_FILTER)}


def generator_module(config: GeneratorConfig, tensors: Tensors, *, sg3: bool) -> Module:
    """The Generator object that the official constructor would make of `config`, holding `tensors`."""
    build = Builder(tensors, sg3=sg3)
    mapping_kwargs, synthesis_kwargs = mapping_arguments(config), _synthesis_arguments(config, sg3)
    beta = unlike({"w_avg_beta": 0.998 if sg3 else 0.995}, w_avg_beta=config.w_avg_beta)
    mapping_kwargs |= beta
    size = {"img_resolution": config.img_resolution, "img_channels": config.img_channels}
    latents = {"z_dim": config.z_dim, "c_dim": config.c_dim, "w_dim": config.w_dim}
    options = synthesis_kwargs if sg3 else {"synthesis_kwargs": synthesis_kwargs}
    children = {
        "synthesis": _synthesis(build, config, {"w_dim": config.w_dim, **size, **synthesis_kwargs}),
        "mapping": build.mapping(config, **latents, num_ws=config.num_ws, **mapping_kwargs),
    }
    kwargs = {**latents, **size, "mapping_kwargs": mapping_kwargs, **options}
    return Module("Generator", (), kwargs, {**latents, **size, "num_ws": config.num_ws}, children=children)


def _synthesis_arguments(config: GeneratorConfig, sg3: bool) -> dict[str, Any]:
    defaults = {**_DEFAULTS, **({} if sg3 else {"num_fp16_res": 0, "conv_clamp": None})}
    return {
        **_block_arguments(config, defaults),
        **channel_arguments(config),
        **unlike(defaults, num_fp16_res=config.num_fp16_res),
        **({"fused_modconv_default": "inference_only"} if sg3 else {}),
    }


def _block_arguments(config: GeneratorConfig, defaults: dict[str, Any]) -> dict[str, Any]:
    return unlike(
        defaults,
        architecture=config.architecture,
        resample_filter=as_lists(config.resample_filter),
        conv_clamp=config.conv_clamp,
        use_noise=config.use_noise,
        activation=config.activation,
        fp16_channels_last=config.fp16_channels_last,
    )


def _synthesis(build: Builder, config: GeneratorConfig, kwargs: dict[str, Any]) -> Module:
    resolutions = list(config.resolutions)
    attributes = {
        "w_dim": config.w_dim,
        "img_resolution": config.img_resolution,
        "img_resolution_log2": config.img_resolution.bit_length() - 1,
        "img_channels": config.img_channels,
        **build.only_sg3(num_fp16_res=config.num_fp16_res),
        "block_resolutions": resolutions,
        "num_ws": config.num_ws,
    }
    options = {name: value for name, value in kwargs.items() if name in (*_DEFAULTS, "conv_clamp")}
    options |= build.only_sg3(fused_modconv_default="inference_only")
    children = {f"b{resolution}": _block(build, config, resolution, options) for resolution in resolutions}
    return Module("SynthesisNetwork", (), kwargs, attributes, children=children)


def _block(build: Builder, config: GeneratorConfig, resolution: int, options: dict[str, Any]) -> Module:
    path, outputs = f"synthesis.b{resolution}", config.channels(resolution)
    inputs = config.channels(resolution // 2) if resolution > 4 else 0
    is_last, use_fp16 = resolution == config.img_resolution, resolution >= config.fp16_resolution
    children = _layers(build, config, resolution, inputs)
    attributes = {
        "in_channels": inputs,
        "w_dim": config.w_dim,
        "resolution": resolution,
        "img_channels": config.img_channels,
        "is_last": is_last,
        "architecture": config.architecture,
        "use_fp16": use_fp16,
        "channels_last": is_channels_last(config, resolution),
        **build.only_sg3(fused_modconv_default="inference_only"),
        "num_conv": 1 if resolution == 4 else 2,
        "num_torgb": int("torgb" in children),
    }
    shared = {name: attributes[name] for name in ("w_dim", "resolution", "img_channels", "is_last", "use_fp16")}
    tensors = build.leaves(path, "const"), build.leaves(path, "resample_filter")
    return Module("SynthesisBlock", (inputs, outputs), {**shared, **options}, attributes, *tensors, children)


def _layers(build: Builder, config: GeneratorConfig, resolution: int, inputs: int) -> dict[str, Module]:
    path, outputs = f"synthesis.b{resolution}", config.channels(resolution)
    channels_last = is_channels_last(config, resolution)
    common = {"conv_clamp": config.conv_clamp, "channels_last": channels_last}
    common |= unlike(_DEFAULTS, use_noise=config.use_noise, activation=config.activation)
    resampled = {"up": 2, "resample_filter": as_lists(config.resample_filter)}
    place = (config.w_dim, resolution)
    children = {}
    if resolution > 4:
        children["conv0"] = build.modulated(f"{path}.conv0", inputs, outputs, *place, **resampled, **common)
    children["conv1"] = build.modulated(f"{path}.conv1", outputs, outputs, *place, **common)
    if config.architecture == "skip" or resolution == config.img_resolution:
        children["torgb"] = build.torgb(f"{path}.torgb", outputs, config, channels_last=channels_last)
    if config.architecture == "resnet" and resolution > 4:
        plain = {"kernel_size": 1, "bias": False, **resampled, "channels_last": channels_last}
        children["skip"] = build.conv(f"{path}.skip", inputs, outputs, **plain)
    return children
