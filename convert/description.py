"""What a model is, in the official words: the text of `python -m convert MODEL --describe`."""

import hashlib
from collections.abc import Mapping

import numpy as np

from stylegan_jax import names
from stylegan_jax.config import ConvConfig, DiscriminatorConfig, GeneratorConfig
from stylegan_jax.storage.checkpoint import Model

_COLOURS = {1: "grey", 3: "RGB", 4: "RGBA"}


def describe(model: Model) -> str:
    """Configuration, parameters per network, resolutions and hashes, a line each."""
    generator, discriminator = model.config.generator, model.config.discriminator
    lines = [f"  {key:<14} {value}" for key, value in _origin(model)]
    lines += [f"  {'generator':<14} {_generator(generator)}"]
    if discriminator is not None:
        lines += [f"  {'discriminator':<14} {_discriminator(discriminator)}"]
    channels = ", ".join(f"{r}: {generator.channels(r)}" for r in generator.resolutions)
    lines += [f"  {'channels':<14} {channels}"]
    lines += [f"  {network:<14} {_weights(leaves)}" for network, leaves in model.networks.items()]
    return "\n".join(lines)


def official_name(config: ConvConfig) -> str:
    """`config-f`, `config-e` or `slim`: how wide the network is, in the words of the papers and their programs."""
    at_most = {r: min(32768 // r, 512) for r in config.resolutions}
    widths = {r: config.channels(r) for r in config.resolutions}
    if widths == at_most:
        return "config-f" if config.img_resolution > 64 else "config-f (the same as config-e up to 64 pixels)"
    if widths == {r: min(16384 // r, 512) for r in config.resolutions}:
        return "config-e"
    return "slim" if all(widths[r] <= at_most[r] for r in widths) else "wide"


def weights_sha256(leaves: Mapping[str, np.ndarray]) -> str:
    """SHA-256 of a network's names and float32 values, whatever the file's format and order."""
    digest = hashlib.sha256()
    for name in sorted(leaves):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(leaves[name], np.float32).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _origin(model: Model) -> list[tuple[str, str]]:
    plain = [(key, value) for key, value in model.lineage.items() if isinstance(value, str)]
    notes = [("surgery", step) for step in model.lineage.get("surgery", ())]
    notes += [("note", note) for note in model.lineage.get("notes", ())]
    notes += [("left aside", name) for name in model.lineage.get("left_aside", ())]
    return [*plain, *notes]


def _generator(config: GeneratorConfig) -> str:
    trained_as = (
        ", auto (2 mapping layers)" if config.mapping_layers == 2 else f", {config.mapping_layers} mapping layers"
    )
    parts = [
        f"{_shared(config)}{trained_as}",
        f"z {config.z_dim}, w {config.w_dim}",
        "w_avg" if config.w_avg_beta is not None else "no w_avg",
    ]
    return ", ".join(parts if config.use_noise else [*parts, "no noise"])


def _discriminator(config: DiscriminatorConfig) -> str:
    frozen = [f"freeze-D {config.freeze_layers}"] if config.freeze_layers else []
    return ", ".join([_shared(config), f"minibatch groups of {config.mbstd_group_size or 'all'}", *frozen])


def _shared(config: ConvConfig) -> str:
    own = config.img_resolution
    height, width = config.image_size if isinstance(config, GeneratorConfig) else (own, own)
    colour = _COLOURS.get(config.img_channels, f"{config.img_channels} channels")
    parts = [
        f"{width}×{height} {colour}",
        official_name(config),
        config.architecture if isinstance(config, GeneratorConfig | DiscriminatorConfig) else "",
        f"{config.c_dim} classes" if config.c_dim else "no classes",
    ]
    if config.conv_clamp is not None:
        parts.append(f"clamp {config.conv_clamp:g}")
    if config.num_fp16_res:
        parts.append(f"16 bits from {config.fp16_resolution}")
    if config.activation != "lrelu":
        parts.append(config.activation)
    return ", ".join(parts)


def _weights(leaves: Mapping[str, np.ndarray]) -> str:
    parameters = sum(leaf.size for name, leaf in leaves.items() if not names.is_buffer(name))
    buffers = sum(leaf.size for name, leaf in leaves.items() if names.is_buffer(name))
    return f"{parameters:,} parameters, {buffers:,} numbers in buffers, sha256 {weights_sha256(leaves)}"
