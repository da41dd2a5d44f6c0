"""The rosinality/stylegan2-pytorch checkpoint (`.pt`), both ways: networks as state dicts under names of its own."""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from convert.assembly import Found, RawNetwork
from convert.facts import Facts, with_filters
from convert.pickles import torch_file
from convert.pickles.allowed import AGAIN
from convert.rosinality_names import discriminator_kernels, discriminator_pairs, generator_kernels, generator_pairs
from convert.translation import from_official, origins, to_official
from stylegan_jax.config import ACTIVATION_GAINS, LRELU_SLOPE, SQUARE, DiscriminatorConfig, GeneratorConfig
from stylegan_jax.errors import InputError
from stylegan_jax.filters import DEFAULT_FILTER, setup_filter, taps_of
from stylegan_jax.names import NETWORKS, resolution_of
from stylegan_jax.storage import atomic
from stylegan_jax.storage.checkpoint import Model

_NETWORKS = {"g_ema": "G_ema", "g": "G", "d": "D"}
_AVERAGES = {"g_ema": "latent_avg", "g": "latent_avg_g"}  # the second is our own: their programs keep only one
_MARK = "input.input"
_KERNEL = re.compile(r"(convs|to_rgbs)\.\d+\.[\w.]*kernel", re.ASCII)
_W_SAMPLES = 10_000
_WIDEST, _MOST_WEIGHTS = 2048, 1 << 23  # of a mapping network whose mean is estimated: four times the official one
_LEAST_CLAMP = 256  # the official setting, which is there for 16 bits and leaves float32 alone


def matches(tree: Any) -> bool:
    """Whether a tree is a rosinality checkpoint, or the bare state dict of its generator."""
    if type(tree) is not dict:
        return False
    return _MARK in tree or any(type(tree.get(key)) is dict and _MARK in tree[key] for key in ("g_ema", "g"))


def find(tree: dict[str, Any]) -> Found:
    """The networks of such a checkpoint under official names; its optimisers and arguments are left aside."""
    tables = {"g_ema": tree} if _MARK in tree else {key: tree[key] for key in _NETWORKS if type(tree.get(key)) is dict}
    found = {}
    for key, table in tables.items():
        name, average = _NETWORKS[key], _AVERAGES.get(key, "")
        found[name] = raw_discriminator(table) if key == "d" else raw_generator(table, name, tree.get(average), average)
    return Found("rosinality", {name: found[name] for name in NETWORKS if name in found})


def raw_generator(table: Mapping[Any, Any], network: str, w_avg: Any, source: str) -> RawNetwork:
    """A generator by rosinality's names; `source` is what the mean w is called in the file."""
    tensors = _tensors(table, network)
    resolution = 4 << (min(_last_conv(tensors), 15) + 1) // 2
    pairs = [*generator_pairs(resolution)]
    found = to_official(pairs, tensors, network)
    notes, made = [], {"mapping.w_avg": (source, "")}
    drawn = {} if any(name.startswith("noises.") for name in tensors) else _drawn_noise(resolution)
    if drawn:
        notes.append("its noise images are not stored and were drawn from seed 0")
        made |= dict.fromkeys(drawn, ("", "drawn from seed 0"))
    if not isinstance(w_avg, np.ndarray):
        w_avg, made["mapping.w_avg"] = _estimated_w_avg(found), ("", f"mean of {_W_SAMPLES} w")
        notes.append(f"its mean w (latent_avg) is not stored and was estimated from {_W_SAMPLES} z of seed 0")
    average = {} if w_avg is None else {"mapping.w_avg": w_avg.reshape(-1)}
    stored = _filter(table, network)
    complete = with_filters(GeneratorConfig, stored, {**found, **drawn, **average})
    return RawNetwork(stored, complete, notes=notes, origins=origins(pairs, found, complete) | made)


def raw_discriminator(table: Mapping[Any, Any]) -> RawNetwork:
    """A discriminator by rosinality's names."""
    tensors = _tensors(table, "D")
    pairs = [*discriminator_pairs(4 << min(_last_conv(tensors), 8))]
    found = to_official(pairs, tensors, "D")
    stored = {"mbstd_group_size": 4, **_filter(table, "D")}
    complete = with_filters(DiscriminatorConfig, stored, found)
    return RawNetwork(stored, complete, origins=origins(pairs, found, complete))


def _tensors(table: Mapping[Any, Any], key: str) -> dict[str, np.ndarray]:
    if any(type(name) is not str or not isinstance(leaf, np.ndarray) for name, leaf in table.items()):
        raise InputError(f"its table {key} holds other things than tensors", AGAIN)
    own = {"latent_avg", "latent_avg_g"}
    return {name: leaf for name, leaf in table.items() if not _KERNEL.fullmatch(name) and name not in own}


def _last_conv(tensors: Mapping[str, np.ndarray]) -> int:
    """The highest index of its list `convs`, which gives the resolution; -1 if it is empty."""
    found = (re.match(r"convs\.(\d{1,2})\.", name) for name in tensors)
    return max((int(match[1]) for match in found if match), default=-1)


def _filter(table: Mapping[Any, Any], key: str) -> Facts:
    """The taps of its blur kernels, which must be one filter; the default where it stores none."""
    kernels = [leaf for name, leaf in table.items() if _KERNEL.fullmatch(name)]
    taps = {taps_of(kernel) for kernel in kernels} or {DEFAULT_FILTER}
    if len(taps) > 1 or None in taps:
        raise InputError(f"its network {key} blurs by different kernels", "it comes from a fork")
    return {"resample_filter": taps.pop()}


def _drawn_noise(resolution: int) -> dict[str, np.ndarray]:
    rng = np.random.RandomState(0)
    buffers = [pair.official for pair in generator_pairs(resolution) if pair.official.endswith("noise_const")]
    return {name: rng.standard_normal((resolution_of(name) or 0,) * 2).astype(np.float32) for name in buffers}


def _estimated_w_avg(tensors: Mapping[str, np.ndarray]) -> np.ndarray | None:
    """The mean w of a mapping network of their one kind; None if its layers do not fit together."""
    layers = [name for name in tensors if re.fullmatch(r"mapping\.fc\d+\.weight", name)]
    try:
        shapes = [tensors[f"mapping.fc{i}.weight"].shape for i in range(len(layers))]
        if max(map(max, shapes), default=0) > _WIDEST or sum(map(math.prod, shapes)) > _MOST_WEIGHTS:
            return None
        x = np.random.RandomState(0).standard_normal((_W_SAMPLES, shapes[0][1]))
        x = (x / np.sqrt(np.mean(x**2, axis=1, keepdims=True) + 1e-8)).astype(np.float32)
        for i in range(len(layers)):
            weight, bias = (tensors[f"mapping.fc{i}.{leaf}"].astype(np.float32) for leaf in ("weight", "bias"))
            x = x @ (weight.T * np.float32(0.01 / np.sqrt(weight.shape[1]))) + bias * np.float32(0.01)
            x = np.where(x < 0, x * np.float32(LRELU_SLOPE), x) * np.float32(ACTIVATION_GAINS["lrelu"])
    except (KeyError, ValueError, IndexError):
        return None
    return x.mean(axis=0, dtype=np.float64).astype(np.float32)


def write(model: Model, path: str | Path, *, overwrite: bool = False) -> Path:
    """Writes a checkpoint that rosinality's programs load (`g_ema`, `latent_avg`, `g`, `d`); returns its path.

    Their classes know one kind of network: InputError with everything in which the model differs from it, or if `path`
    exists (unless `overwrite`); OSError if it cannot be written. A clamp of 256 and 16-bit settings are left out.
    """
    place = atomic.output_path(path, overwrite=overwrite)
    lines = _unlike_generator(model.config.generator)
    if "D" in model.networks and model.config.discriminator is not None:
        lines += [f"D: {line}" for line in _unlike_discriminator(model.config.discriminator)]
    if lines:
        listed = "\n  ".join(["rosinality's programs have no such network", *lines])
        only_d = all(line.startswith("D: ") for line in lines)
        others = ",".join(network for network in model.networks if network != "D")
        square = model.config.generator.const_size == SQUARE
        others = f", or leave D out: --networks {others}" if only_d else ""
        remedy = ("write a .pkl or .safetensors" if square else "write a .safetensors or a folder") + others
        raise InputError(f"{listed}\nThe model cannot be written in this format", remedy, file=path)
    with atomic.new_file(path, overwrite=overwrite) as file:
        torch_file.save_zip(file, _tree(model))
    return place


def left_out(model: Model) -> list[str]:
    """What `write` leaves out, a line for each setting that their files cannot hold."""
    configs = [each for each in (model.config.generator, model.config.discriminator) if each is not None]
    clamps = {config.conv_clamp for config in configs if config.conv_clamp is not None}
    sixteen = any(config.num_fp16_res for config in configs)
    lines = [f"a .pt holds no clamp: {clamp:g} is left out" for clamp in sorted(clamps)]
    return lines + (["a .pt holds no 16-bit settings: they are left out"] if sixteen else [])


def _unlike_generator(config: GeneratorConfig) -> list[str]:
    wanted = {"architecture": "skip", "c_dim": 0, "img_channels": 3, "use_noise": True, "z_dim": config.w_dim}
    wanted |= {"activation": "lrelu", "mapping_activation": "lrelu", "mapping_lr_multiplier": 0.01}
    wanted |= {"layer_features": None, "resample_filter": DEFAULT_FILTER, "const_size": SQUARE}
    return _unlike(config, wanted)


def _unlike_discriminator(config: DiscriminatorConfig) -> list[str]:
    wanted = {"architecture": "resnet", "c_dim": 0, "img_channels": 3, "activation": "lrelu"}
    wanted |= {"resample_filter": DEFAULT_FILTER, "mbstd_group_size": 4, "mbstd_num_channels": 1}
    return _unlike(config, wanted)


def _unlike(config: GeneratorConfig | DiscriminatorConfig, wanted: Mapping[str, Any]) -> list[str]:
    lines = [
        f"{field}: {getattr(config, field)}, theirs {value}"
        for field, value in wanted.items()
        if getattr(config, field) != value
    ]
    clamp = config.conv_clamp
    return lines + ([f"conv_clamp: {clamp}, theirs none"] if clamp is not None and clamp < _LEAST_CLAMP else [])


def _tree(model: Model) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    resolution = model.config.generator.img_resolution
    for key, network in _NETWORKS.items():
        tensors = model.networks.get(network)
        if tensors is None:
            continue
        pairs = discriminator_pairs(resolution) if key == "d" else generator_pairs(resolution)
        kernels = discriminator_kernels(resolution) if key == "d" else generator_kernels(resolution)
        kernel = setup_filter(DEFAULT_FILTER) * np.float32(1 if key == "d" else 4)
        tree[key] = from_official(pairs, tensors) | dict.fromkeys(kernels, kernel)
        if "mapping.w_avg" in tensors:
            tree[_AVERAGES[key]] = np.asarray(tensors["mapping.w_avg"])
    if "g_ema" not in tree:
        tree |= {"g_ema": tree["g"], **({"latent_avg": tree["latent_avg_g"]} if "latent_avg_g" in tree else {})}
    return tree
