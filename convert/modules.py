"""A configuration and its tensors as the objects that official pickles hold: classes, attributes, arguments."""

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from convert.pickles.writer import ChannelsLast
from stylegan_jax.config import ACTIVATION_GAINS, ConvConfig, DiscriminatorConfig, GeneratorConfig, embed_width

Tensors = Mapping[str, np.ndarray]


@dataclass(eq=False)
class Module:
    """An object of an official class; parameters and buffers are named as in its `state_dict`."""

    class_name: str
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)
    buffers: dict[str, Any] = field(default_factory=dict)
    children: dict[str, "Module"] = field(default_factory=dict)


class Builder:
    """Builds the modules of one network, for stylegan2-ada-pytorch or (`sg3`) for the stylegan3 repository."""

    def __init__(self, tensors: Tensors, *, sg3: bool):
        self.tensors, self.sg3 = tensors, sg3

    def leaves(self, path: str, *wanted: str) -> dict[str, np.ndarray]:
        """The tensors `wanted` that lie directly under `path`."""
        found = {leaf: self.tensors.get(f"{path}.{leaf}") for leaf in wanted}
        return {leaf: np.asarray(tensor) for leaf, tensor in found.items() if tensor is not None}

    def conv_leaves(self, path: str, *wanted: str, channels_last: bool) -> dict[str, Any]:
        """As `leaves`, with the weight in the memory order of its block."""
        found: dict[str, Any] = self.leaves(path, *wanted)
        return {**found, "weight": ChannelsLast(found["weight"])} if channels_last and "weight" in found else found

    def only_sg3(self, **attributes: Any) -> dict[str, Any]:
        """Attributes that the stylegan3 repository has and stylegan2-ada-pytorch has not."""
        return attributes if self.sg3 else {}

    def linear(self, path: str, inputs: int, outputs: int, **kwargs: Any) -> Module:
        """A FullyConnectedLayer."""
        rate = kwargs.get("lr_multiplier", 1)
        attributes = {
            **self.only_sg3(in_features=inputs, out_features=outputs),
            "activation": kwargs.get("activation", "linear"),
            "weight_gain": rate / math.sqrt(inputs),
            "bias_gain": rate,
        }
        parameters = self.leaves(path, "weight", "bias")
        return Module("FullyConnectedLayer", (inputs, outputs), kwargs, attributes, parameters)

    def conv(self, path: str, inputs: int, outputs: int, **kwargs: Any) -> Module:
        """A Conv2dLayer; with `trainable=False` its weights are buffers."""
        size, activation = kwargs["kernel_size"], kwargs.get("activation", "linear")
        attributes = {
            **self.only_sg3(in_channels=inputs, out_channels=outputs),
            "activation": activation,
            "up": kwargs.get("up", 1),
            "down": kwargs.get("down", 1),
            "conv_clamp": kwargs.get("conv_clamp"),
            "padding": size // 2,
            "weight_gain": 1 / math.sqrt(inputs * size * size),
            "act_gain": ACTIVATION_GAINS[activation],
            **({} if kwargs.get("bias", True) else {"bias": None}),
        }
        weights = self.conv_leaves(path, "weight", "bias", channels_last=kwargs.get("channels_last", False))
        buffers = self.leaves(path, "resample_filter")
        if not kwargs.get("trainable", True):
            weights, buffers = {}, buffers | weights
        return Module("Conv2dLayer", (inputs, outputs), kwargs, attributes, weights, buffers)

    def mapping(self, config: GeneratorConfig | DiscriminatorConfig, **kwargs: Any) -> Module:
        """A MappingNetwork."""
        widths = config.mapping_widths
        layer = {"activation": config.mapping_activation, "lr_multiplier": config.mapping_lr_multiplier}
        embed = {"embed": self.linear("mapping.embed", config.c_dim, embed_width(config))} if config.c_dim else {}
        pairs = enumerate(itertools.pairwise(widths))
        layers = {f"fc{i}": self.linear(f"mapping.fc{i}", *pair, **layer) for i, pair in pairs}
        attributes = {name: kwargs[name] for name in ("z_dim", "c_dim", "w_dim", "num_ws")}
        attributes |= {"num_layers": config.mapping_layers, "w_avg_beta": kwargs.get("w_avg_beta", 0.995)}
        if isinstance(config, GeneratorConfig):
            attributes["w_avg_beta"] = config.w_avg_beta
        buffers = self.leaves("mapping", "w_avg")
        return Module("MappingNetwork", (), kwargs, attributes, {}, buffers, {**embed, **layers})

    def modulated(self, path: str, inputs: int, outputs: int, w_dim: int, resolution: int, **kwargs: Any) -> Module:
        """A SynthesisLayer."""
        activation = kwargs.get("activation", "lrelu")
        attributes = {
            **self.only_sg3(in_channels=inputs, out_channels=outputs, w_dim=w_dim),
            "resolution": resolution,
            "up": kwargs.get("up", 1),
            "use_noise": kwargs.get("use_noise", True),
            "activation": activation,
            "conv_clamp": kwargs["conv_clamp"],
            "padding": 1,
            "act_gain": ACTIVATION_GAINS[activation],
        }
        kwargs = {"w_dim": w_dim, "resolution": resolution, **kwargs}
        leaves = ("weight", "noise_strength", "bias")
        parameters = self.conv_leaves(path, *leaves, channels_last=kwargs["channels_last"])
        buffers = self.leaves(path, "resample_filter", "noise_const")
        affine = {"affine": self.linear(f"{path}.affine", w_dim, inputs, bias_init=1)}
        return Module("SynthesisLayer", (inputs, outputs), kwargs, attributes, parameters, buffers, affine)

    def torgb(self, path: str, inputs: int, config: GeneratorConfig, *, channels_last: bool) -> Module:
        """A ToRGBLayer."""
        outputs, w_dim = config.img_channels, config.w_dim
        kwargs = {"w_dim": w_dim, "conv_clamp": config.conv_clamp, "channels_last": channels_last}
        attributes = {
            **self.only_sg3(in_channels=inputs, out_channels=outputs, w_dim=w_dim),
            "conv_clamp": config.conv_clamp,
            "weight_gain": 1 / math.sqrt(inputs),
        }
        affine = {"affine": self.linear(f"{path}.affine", w_dim, inputs, bias_init=1)}
        parameters = self.conv_leaves(path, "weight", "bias", channels_last=channels_last)
        return Module("ToRGBLayer", (inputs, outputs), kwargs, attributes, parameters, children=affine)


def unlike(defaults: Mapping[str, Any], **values: Any) -> dict[str, Any]:
    """Arguments that differ from their defaults."""
    return {name: value for name, value in values.items() if name not in defaults or value != defaults[name]}


def mapping_arguments(config: GeneratorConfig | DiscriminatorConfig) -> dict[str, Any]:
    """`mapping_kwargs` of both networks."""
    widths = {"embed_features": config.embed_features, "layer_features": config.layer_features}
    others = {"activation": config.mapping_activation, "lr_multiplier": config.mapping_lr_multiplier}
    defaults = {"embed_features": None, "layer_features": None, "activation": "lrelu", "lr_multiplier": 0.01}
    return {"num_layers": config.mapping_layers, **unlike(defaults, **widths, **others)}


def is_channels_last(config: ConvConfig, resolution: int) -> bool:
    """Whether the official programs keep a block's channels innermost."""
    return config.fp16_channels_last and resolution >= config.fp16_resolution


def channel_arguments(config: ConvConfig) -> dict[str, Any]:
    """The channel rule, where the official one describes the network; a table of its own follows from the tensors."""
    if config.channel_table is not None:
        return {}
    return {"channel_base": config.channel_base, "channel_max": config.channel_max}
