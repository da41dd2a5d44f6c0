"""What an official pickle says of its configuration: constructor arguments and attributes, which must agree."""

from collections.abc import Iterable, Mapping
from typing import Any

from convert.facts import Facts
from convert.pickles.allowed import AGAIN, Instance, shown
from stylegan_jax.config import WORDS, is_number
from stylegan_jax.errors import InputError
from stylegan_jax.filters import taps_from

Modules = Mapping[str, Instance]
_MAPPING = {
    "num_layers": "mapping_layers",
    "activation": "mapping_activation",
    "lr_multiplier": "mapping_lr_multiplier",
    "embed_features": "embed_features",
    "layer_features": "layer_features",
}
_ROOT = ("z_dim", "c_dim", "w_dim", "img_resolution", "img_channels")
_SHARED = ("architecture", "channel_base", "channel_max", "num_fp16_res", "conv_clamp", "fp16_channels_last")
_BLOCK = ("activation", "resample_filter", "freeze_layers", "fp16_channels_last")
_ATTRIBUTES = (
    *((name, "", name) for name in _ROOT),
    ("mapping_layers", "mapping", "num_layers"),
    ("mapping_activation", "mapping.fc0", "activation"),
    ("mapping_lr_multiplier", "mapping.fc0", "bias_gain"),
)
_GENERATOR_ATTRIBUTES = (
    *_ATTRIBUTES,
    ("w_avg_beta", "mapping", "w_avg_beta"),
    ("num_fp16_res", "synthesis", "num_fp16_res"),
    ("architecture", "synthesis.b4", "architecture"),
    ("use_noise", "synthesis.b4.conv1", "use_noise"),
    ("activation", "synthesis.b4.conv1", "activation"),
    ("conv_clamp", "synthesis.b4.conv1", "conv_clamp"),
)
_DISCRIMINATOR_ATTRIBUTES = (
    *_ATTRIBUTES,
    ("architecture", "b4", "architecture"),
    ("cmap_dim", "b4", "cmap_dim"),
    ("mbstd_group_size", "b4.mbstd", "group_size"),
    ("mbstd_num_channels", "b4.mbstd", "num_channels"),
    ("activation", "b4.conv", "activation"),
    ("activation", "b8.conv0", "activation"),
    ("conv_clamp", "b4.conv", "conv_clamp"),
    ("conv_clamp", "b8.conv0", "conv_clamp"),
)
_INTEGERS = {*_ROOT, "mapping_layers", "embed_features", "layer_features", "channel_base", "channel_max"}
_INTEGERS |= {"num_fp16_res", "cmap_dim", "freeze_layers", "mbstd_group_size", "mbstd_num_channels"}
_NONE_IS_DEFAULT = {"embed_features", "layer_features", "cmap_dim"}
_MAY_BE_NONE = {"conv_clamp", "w_avg_beta", "mbstd_group_size"} | _NONE_IS_DEFAULT
_LARGEST = {"mapping_layers": 64, "num_fp16_res": 64, "freeze_layers": 1000}


def generator_facts(modules: Modules) -> Facts:
    """Configuration fields that a generator's arguments and attributes state."""
    arguments = _arguments(modules[""], _ROOT)
    mapping, synthesis = _dict(arguments, "mapping_kwargs"), {**arguments, **_dict(arguments, "synthesis_kwargs")}
    stated = _pick(arguments, _same(_ROOT)) | _pick(mapping, {**_MAPPING, "w_avg_beta": "w_avg_beta"})
    stated |= _pick(synthesis, _same((*_SHARED, "use_noise", "activation", "resample_filter")))
    blocks = [module for path, module in modules.items() if path.startswith("synthesis.b") and path.count(".") == 1]
    return _reconcile(stated, modules, _GENERATOR_ATTRIBUTES, blocks)


def discriminator_facts(modules: Modules, frozen: int) -> Facts:
    """Configuration fields that a discriminator's arguments and attributes state; `frozen` counts its frozen layers."""
    positional = ("c_dim", "img_resolution", "img_channels")
    arguments = _arguments(modules[""], positional)
    stated = _pick(arguments, _same((*positional, *_SHARED, "cmap_dim")))
    stated |= _pick(_dict(arguments, "mapping_kwargs"), _MAPPING)
    stated |= _pick(_dict(arguments, "block_kwargs"), _same(_BLOCK))
    stated |= _pick(_dict(arguments, "epilogue_kwargs"), _same(("mbstd_group_size", "mbstd_num_channels")))
    if stated.get("c_dim", 0) == 0:
        stated.pop("cmap_dim", None)
    blocks = [module for path, module in modules.items() if path.startswith("b") and "." not in path]
    return {"freeze_layers": frozen} | _reconcile(stated, modules, _DISCRIMINATOR_ATTRIBUTES, blocks)


def _arguments(module: Instance, positional: Iterable[str]) -> Facts:
    """What the constructor was called with."""
    given, named = module.state.get("_init_args", ()), _dict(module.state, "_init_kwargs")
    return {**dict(zip(positional, given if type(given) is tuple else (), strict=False)), **named}


def _dict(table: Mapping[str, Any], name: str) -> Facts:
    value = table.get(name)
    return value if type(value) is dict else {}


def _same(fields: Iterable[str]) -> dict[str, str]:
    return {field: field for field in fields}


def _pick(arguments: Facts, fields: Mapping[str, str]) -> Facts:
    """Checked values under our names; None where it only asks for the default is left out."""
    values = {field: checked(field, arguments[name]) for name, field in fields.items() if name in arguments}
    return {field: value for field, value in values.items() if value is not None or field not in _NONE_IS_DEFAULT}


def _reconcile(stated: Facts, modules: Modules, table: Iterable[tuple[str, str, str]], blocks: list[Instance]) -> Facts:
    """Arguments and attributes together; InputError with every pair that disagrees."""
    facts, lines = dict(stated), []
    for field, path, attribute in table:
        if path not in modules or attribute not in modules[path].state:
            continue
        value = checked(field, modules[path].state[attribute])
        if facts.setdefault(field, value) != value:
            where = f"{path}.{attribute}" if path else attribute
            lines.append(f"{field}: {facts[field]} by its arguments, {value} by {where}")
    if lines:
        listed = "\n  ".join(["what it says of itself disagrees", *lines])
        raise InputError(f"{listed}\nThe file was edited or damaged", AGAIN)
    facts.setdefault("num_fp16_res", sum(block.state.get("use_fp16") is True for block in blocks))
    facts.setdefault("fp16_channels_last", any(block.state.get("channels_last") is True for block in blocks))
    return facts


def checked(field: str, value: Any) -> Any:
    """`value` if it is of the kind and size that the configuration field can have; InputError otherwise."""
    if value is None and field in _MAY_BE_NONE:
        return None
    if field in _INTEGERS and type(value) is int and 0 <= value <= _LARGEST.get(field, 1 << 20):
        return value
    number = float(value) if isinstance(value, float) else value  # NumPy's are, too
    if isinstance(number, int | float) and is_number(field, number):
        return float(number)
    if field in WORDS and type(value) is str and value in WORDS[field]:
        return value
    if field in ("use_noise", "fp16_channels_last") and type(value) is bool:
        return value
    taps = taps_from(value) if field == "resample_filter" else None
    if taps is not None:
        return taps
    raise InputError(f"stores {field} = {shown(value)}, which no StyleGAN2 has", AGAIN)
