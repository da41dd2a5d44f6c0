"""Pickles of the TensorFlow stylegan2 and stylegan2-ada repositories: networks by their variables, read only."""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from convert.assembly import Found, RawNetwork
from convert.facts import Facts, with_filters
from convert.pickles.allowed import Instance, shown
from convert.stored import checked
from convert.translation import BATCHED, CONV, FLIPPED_CONV, IMAGE, PLUS_ONE, TRANSPOSED, Pair, origins, to_official
from stylegan_jax.config import DiscriminatorConfig, GeneratorConfig
from stylegan_jax.errors import InputError
from stylegan_jax.filters import DEFAULT_FILTER

_MODULE = "dnnlib.tflib.network"
_MOST_COMPONENTS, _MOST_VARIABLES = 16, 2_000  # an official network has two, and some 150
_SHARED = {
    "resolution": "img_resolution",
    "num_channels": "img_channels",
    "label_size": "c_dim",
    "fmap_max": "channel_max",
    "num_fp16_res": "num_fp16_res",
    "conv_clamp": "conv_clamp",
    "architecture": "architecture",
    "resample_kernel": "resample_filter",
    "nonlinearity": "activation",
    "mapping_layers": "mapping_layers",
    "mapping_lrmul": "mapping_lr_multiplier",
}
_GENERATOR = {
    **_SHARED,
    "latent_size": "z_dim",
    "dlatent_size": "w_dim",
    "mapping_fmaps": "layer_features",
    "label_fmaps": "embed_features",
    "mapping_nonlinearity": "mapping_activation",
    "use_noise": "use_noise",
}
_DISCRIMINATOR = {**_SHARED, "mbstd_group_size": "mbstd_group_size", "mbstd_num_features": "mbstd_num_channels"}
_CONDITIONAL_SG2 = "is a conditional StyleGAN2 from before ADA: its way with labels has no official PyTorch counterpart"


def matches(tree: Any) -> bool:
    """Whether a tree is a TensorFlow network or a tuple of them."""
    networks = _networks(tree)
    return bool(networks) and all(isinstance(item, Instance) and item.module == _MODULE for item in networks)


def find(tree: Any) -> Found:
    """The networks of a TensorFlow pickle under official names; InputError if they cannot be represented."""
    instances = _networks(tree)
    _refuse_other_versions(instances)
    generators = [instance for instance in instances if _components(instance)]
    discriminators = [instance for instance in instances if not _components(instance)]
    found = {}
    if len(generators) > 1:
        found["G"] = _generator(generators[0], "G")
    if discriminators:
        found["D"] = _discriminator(discriminators[0])
    if generators:
        found["G_ema"] = _generator(generators[-1], "G_ema")
    version = instances[0].state["version"]
    return Found(f"stylegan2{'-ada' if version > 4 else ''} (TensorFlow)", found)


def _networks(tree: Any) -> tuple[Any, ...]:
    items = tree if type(tree) in (tuple, list) else (tree,)
    return tuple(items) if len(items) <= 4 else ()


def _refuse_other_versions(instances: tuple[Any, ...]) -> None:
    for instance in instances:
        version = instance.state.get("version")
        if type(version) is not int or version < 4:
            what = f"is a StyleGAN1 or older TensorFlow network (state version {shown(version)}), not StyleGAN2"
            raise InputError(what, "pass a StyleGAN2 file")


def _components(instance: Instance) -> dict[str, Instance]:
    components = instance.state.get("components", {})
    fine = type(components) is dict and len(components) <= _MOST_COMPONENTS
    if not fine or not all(isinstance(part, Instance) for part in components.values()):
        raise InputError("holds a TensorFlow network without proper components", "download it again")
    return components


def _variables(instance: Instance) -> dict[str, np.ndarray]:
    """Local name → array of a network's own variables."""
    pairs: Any = instance.state.get("variables")
    fine = type(pairs) is list and len(pairs) <= _MOST_VARIABLES
    fine = fine and all(type(pair) is tuple and len(pair) == 2 for pair in pairs)
    if not fine or any(type(name) is not str for name, _ in pairs):
        raise InputError("holds a TensorFlow network without proper variables", "download it again")
    arrays = {name: np.float32(value) if type(value) is float else value for name, value in pairs if name != "lod"}
    if not all(isinstance(value, np.ndarray | np.generic) for value in arrays.values()):
        raise InputError("holds a TensorFlow network with variables that are no numbers", "download it again")
    return {name: np.asarray(value) for name, value in arrays.items()}


def _arguments(instance: Instance, fields: dict[str, str]) -> Facts:
    """Configuration fields that the network's arguments state; forks' own arguments are left aside."""
    given = instance.state.get("static_kwargs")
    given = given if type(given) is dict else {}
    facts = {field: checked(field, given[name]) for name, field in fields.items() if given.get(name) is not None}
    if given.get("fmap_base") is not None:
        facts["channel_base"] = checked("channel_base", given["fmap_base"]) * 2
    return {"resample_filter": DEFAULT_FILTER, **facts}


def _resolution(tensors: dict[str, np.ndarray]) -> int:
    sizes = [int(found[1]) for name in tensors if (found := re.search(r"(?:^|/)(\d{1,4})x\1/", name))]
    if any("_lod" in name for name in tensors):
        what = "is a StyleGAN2 of a progressive configuration (ToRGB_lod…), which no PyTorch program represents"
        raise InputError(what, "pass a file of config E or F")
    return max(sizes, default=4)


def _generator(instance: Instance, network: str) -> RawNetwork:
    tensors = _variables(instance)
    for name, component in _components(instance).items():
        tensors |= {f"{name}/{variable}": value for variable, value in _variables(component).items()}
    if "mapping/LabelConcat/weight" in tensors:
        raise InputError(_CONDITIONAL_SG2, "pass an unconditional file, or one of stylegan2-ada")
    stored, pairs = _arguments(instance, _GENERATOR), [*_generator_pairs(_resolution(tensors))]
    found = to_official(pairs, tensors, network)
    complete = with_filters(GeneratorConfig, stored, found)
    return RawNetwork(stored, complete, origins=origins(pairs, found, complete))


def _discriminator(instance: Instance) -> RawNetwork:
    tensors, stored = _variables(instance), _arguments(instance, _DISCRIMINATOR)
    if stored.get("c_dim") and "LabelEmbed/weight" not in tensors:
        raise InputError(_CONDITIONAL_SG2, "pass an unconditional file, or one of stylegan2-ada")
    pairs = [*_discriminator_pairs(_resolution(tensors))]
    found = to_official(pairs, tensors, "D")
    defaults = {"mbstd_group_size": None, "mapping_lr_multiplier": 0.1}
    if "activation" in stored:
        defaults["mapping_activation"] = stored["activation"]
    stored = {**defaults, **stored}
    if not stored.get("c_dim"):
        stored.pop("mapping_layers", None)
    complete = with_filters(DiscriminatorConfig, stored, found)
    return RawNetwork(stored, complete, origins=origins(pairs, found, complete))


def _linear(foreign: str, official: str) -> Iterator[Pair]:
    yield Pair(f"{foreign}/weight", f"{official}.weight", TRANSPOSED)
    yield Pair(f"{foreign}/bias", f"{official}.bias")


def _generator_pairs(resolution: int) -> Iterator[Pair]:
    yield Pair("dlatent_avg", "mapping.w_avg")
    yield from _linear("mapping/LabelEmbed", "mapping.embed")
    for i in range(64):
        yield from _linear(f"mapping/Dense{i}", f"mapping.fc{i}")
    yield Pair("synthesis/4x4/Const/const", "synthesis.b4.const", BATCHED)
    yield from _modulated("4x4/Conv", "b4.conv1", 0)
    yield from _modulated("4x4/ToRGB", "b4.torgb")
    for log in range(3, resolution.bit_length()):
        size = 1 << log
        yield from _modulated(f"{size}x{size}/Conv0_up", f"b{size}.conv0", 2 * log - 5)
        yield from _modulated(f"{size}x{size}/Conv1", f"b{size}.conv1", 2 * log - 4)
        yield from _modulated(f"{size}x{size}/ToRGB", f"b{size}.torgb")
        yield Pair(f"synthesis/{size}x{size}/Skip/weight", f"synthesis.b{size}.skip.weight", FLIPPED_CONV)


def _modulated(foreign: str, official: str, noise: int | None = None) -> Iterator[Pair]:
    foreign, official = f"synthesis/{foreign}", f"synthesis.{official}"
    yield Pair(f"{foreign}/weight", f"{official}.weight", FLIPPED_CONV if foreign.endswith("_up") else CONV)
    yield Pair(f"{foreign}/bias", f"{official}.bias")
    yield Pair(f"{foreign}/mod_weight", f"{official}.affine.weight", TRANSPOSED)
    yield Pair(f"{foreign}/mod_bias", f"{official}.affine.bias", PLUS_ONE)
    if noise is not None:
        yield Pair(f"{foreign}/noise_strength", f"{official}.noise_strength")
        yield Pair(f"synthesis/noise{noise}", f"{official}.noise_const", IMAGE)


def _discriminator_pairs(resolution: int) -> Iterator[Pair]:
    yield from _linear("LabelEmbed", "mapping.embed")
    for i in range(64):
        yield from _linear(f"Mapping{i}", f"mapping.fc{i}")
    names = {"FromRGB": "fromrgb", "Conv0": "conv0", "Conv1_down": "conv1", "Skip": "skip"}
    for log in range(2, resolution.bit_length()):
        size = 1 << log
        for foreign, official in (names if size > 4 else {"FromRGB": "fromrgb", "Conv": "conv"}).items():
            yield Pair(f"{size}x{size}/{foreign}/weight", f"b{size}.{official}.weight", CONV)
            yield Pair(f"{size}x{size}/{foreign}/bias", f"b{size}.{official}.bias")
    yield from _linear("4x4/Dense0", "b4.fc")
    yield from _linear("Output", "b4.out")
