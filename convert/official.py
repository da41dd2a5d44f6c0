"""Pickles of stylegan2-ada-pytorch and of the stylegan3 repository's StyleGAN2, both ways."""

import re
from pathlib import Path
from typing import Any

import numpy as np

from convert.assembly import Found, RawNetwork
from convert.discriminator_modules import absent_discriminator, discriminator_module
from convert.fresh import with_discriminator
from convert.generator_modules import generator_module
from convert.modules import Module, Tensors
from convert.pickles.allowed import AGAIN, Instance, refuse, shown, unknown_global
from convert.pickles.writer import Call, Global, Ordered, Pickler
from convert.stored import discriminator_facts, generator_facts
from stylegan_jax import names
from stylegan_jax.config import SQUARE, GeneratorConfig, ModelConfig
from stylegan_jax.errors import InputError
from stylegan_jax.storage import atomic
from stylegan_jax.storage.checkpoint import Model

ADA, SG3 = "stylegan2-ada-pytorch", "stylegan3"
_MODULE = "torch_utils.persistence"
_PARAMETER = Global("torch._utils", "_rebuild_parameter")
_HOOKS = ("_backward_pre_hooks", "_backward_hooks", "_forward_hooks", "_forward_hooks_with_kwargs")
_HOOKS += ("_forward_hooks_always_called", "_forward_pre_hooks", "_forward_pre_hooks_with_kwargs")
_HOOKS += ("_state_dict_hooks", "_state_dict_pre_hooks", "_load_state_dict_pre_hooks", "_load_state_dict_post_hooks")
_MODULES = ("Generator", "MappingNetwork", "SynthesisNetwork", "SynthesisBlock", "SynthesisLayer", "ToRGBLayer")
_MODULES += ("Discriminator", "DiscriminatorBlock", "DiscriminatorEpilogue", "MinibatchStdLayer")
_MODULES += ("Conv2dLayer", "FullyConnectedLayer")
_NAME = re.compile(r"[A-Za-z_]\w{0,60}", re.ASCII)
_DEEPEST, _MOST_MODULES, _MOST_TENSORS = 8, 2_000, 20_000
_MOST_CHILDREN = 200  # of a layer; an official one has ten
_REMEDY = "pass a StyleGAN2 file"


def matches(tree: Any) -> bool:
    """Whether a tree comes from the official PyTorch programs: their objects, bare or in a dictionary."""
    return bool(_objects(tree))


def find(tree: Any) -> Found:
    """The networks of an official pickle, unproven; InputError if they are not StyleGAN2."""
    objects = _objects(tree)
    if isinstance(tree, Instance):
        objects = {"D" if tree.name == "Discriminator" else "G_ema": tree}
    known = [(name, objects[name]) for name in names.NETWORKS if name in objects]
    wanted = {name: instance for name, instance in known if instance.state.get("_modules") != {}}  # {}: an empty D
    if wanted.get("G") is wanted.get("G_ema"):  # one network, as `write` stores a file of G_ema alone
        wanted.pop("G", None)
    if not wanted:
        raise InputError(f"holds {', '.join(map(shown, objects))} but none of G, D, G_ema", _REMEDY)
    modules = {name: modules_of(instance) for name, instance in wanted.items()}
    for found in modules.values():
        _refuse_other_kinds(found)
    formats = {SG3 if _is_sg3(found) else ADA for name, found in modules.items() if name != "D"}
    return Found(SG3 if SG3 in formats else ADA, {name: _raw(name, found) for name, found in modules.items()})


def _objects(tree: Any) -> dict[str, Instance]:
    if isinstance(tree, Instance):
        tree = {"": tree}
    items = tree.items() if type(tree) is dict else ()
    return {key: item for key, item in items if type(key) is str and _is_module(item)}


def _is_module(item: Any) -> bool:
    return isinstance(item, Instance) and item.module == _MODULE


def modules_of(root: Instance) -> dict[str, Instance]:
    """Dotted path → module, the root under ""; refuses what is no finite tree."""
    found = {"": root}
    level = {"": root}
    for _ in range(_DEEPEST):
        above, level = level, {}
        for parent, module in above.items():  # which may be one and the same, over and over
            level.update(_children(parent, module))
            if len(found) + len(level) > _MOST_MODULES:
                raise refuse("holds a network of far too many layers")
        found |= level
    if level:
        raise refuse("holds a network of endless depth")
    return found


def _children(parent: str, module: Instance) -> list[tuple[str, Instance]]:
    children = []
    for name, child in _table(module, "_modules").items():
        if child is None:
            continue
        if not _is_module(child):
            _refuse_opaque(child)
            raise InputError(f"holds a layer {name} that is no module", _REMEDY)
        children.append((f"{parent}.{name}" if parent else name, child))
    return children


def _refuse_opaque(item: Any) -> None:
    """Objects of unknown classes have their place beside a network, not in it."""
    if isinstance(item, Instance) and item.opaque:
        raise unknown_global(item.module, item.name)


def _table(module: Instance, attribute: str) -> dict[str, Any]:
    table = module.state.get(attribute)
    if type(table) is not dict or len(table) > _MOST_CHILDREN or not all(map(_is_name, table)):
        raise InputError(f"holds a {shown(module.name)} without proper {attribute}", AGAIN)
    return table


def _is_name(name: Any) -> bool:
    return type(name) is str and _NAME.fullmatch(name) is not None


def _raw(network: str, modules: dict[str, Instance]) -> RawNetwork:
    tensors, buffers = {}, set()
    for path, module in modules.items():
        for attribute in ("_parameters", "_buffers"):
            for leaf, value in _table(module, attribute).items():
                name = f"{path}.{leaf}" if path else leaf
                if value is None:
                    continue
                if not isinstance(value, np.ndarray):
                    _refuse_opaque(value)
                    raise InputError(f"holds {name} that is no tensor", AGAIN)
                tensors[name] = value
                if len(tensors) > _MOST_TENSORS:
                    raise refuse(f"holds a network of more than {_MOST_TENSORS} tensors")
                buffers |= {name} if attribute == "_buffers" else set()
    frozen = frozenset(name.removesuffix(".weight") for name in buffers if name.endswith(".weight"))
    if network == "D":
        return RawNetwork(discriminator_facts(modules, len(frozen)), tensors, frozen)
    return RawNetwork(generator_facts(modules), tensors)


def write(model: Model, path: str | Path, *, overwrite: bool = False, sg3: bool = False) -> Path:
    """Writes a pickle for stylegan2-ada-pytorch, or (`sg3`) for the stylegan3 repository; returns its path.

    Their loaders insist on G, D and G_ema: a generator that the model lacks is the other one, a discriminator is
    freshly drawn. Raises InputError if `path` exists (unless `overwrite`) or the images are not square, OSError if it
    cannot be written, ValueError if a network does not fit its configuration.
    """
    place = atomic.output_path(path, overwrite=overwrite)
    if model.config.generator.const_size != SQUARE:
        what = "the official programs have no generator of images that are not square"
        raise InputError(what, "write a .safetensors or a folder", file=path)
    with atomic.new_file(path, overwrite=overwrite) as file:
        Pickler(file).dump(_tree(with_discriminator(model), sg3=sg3))
    return place


def _tree(model: Model, *, sg3: bool) -> dict[str, Any]:
    built = {name: _saved(_module(model.config, name, tensors, sg3), sg3) for name, tensors in model.networks.items()}
    first = built.get("G_ema") or built["G"]
    discriminator = built.get("D") or _saved(absent_discriminator(), sg3)
    networks = {"G": built.get("G", first), "D": discriminator, "G_ema": built.get("G_ema", first)}
    return {"training_set_kwargs": None, **networks, "augment_pipe": None}


def _module(config: ModelConfig, network: str, tensors: Tensors, sg3: bool) -> Module:
    own = config.of(network)
    lines = names.differences(tensors, names.layout_of(config, network))
    if lines:
        raise ValueError(f"{network} does not fit its configuration: {'; '.join(lines)}")
    if isinstance(own, GeneratorConfig):
        return generator_module(own, tensors, sg3=sg3)
    return discriminator_module(own, tensors, sg3=sg3)


def _saved(module: Module, sg3: bool) -> Call:
    """The call that makes the official programs rebuild a module, its class imported from their own checkout."""
    parameters = {name: Call(_PARAMETER, (tensor, False, Ordered({}))) for name, tensor in module.parameters.items()}
    state = {
        "training": False,
        "_parameters": Ordered(parameters),
        "_buffers": Ordered(module.buffers),
        "_non_persistent_buffers_set": Call(Global("builtins", "set"), ([],)),
        **{name: Ordered({}) for name in _HOOKS},
        "_is_full_backward_hook": None,
        "_modules": Ordered({name: _saved(child, sg3) for name, child in module.children.items()}),
        **module.attributes,
        "_init_args": module.args,
        "_init_kwargs": module.kwargs,
    }
    source = f"from training.{'networks_stylegan2' if sg3 else 'networks'} import {', '.join(_MODULES)}\n"
    meta = {"type": "class", "version": 6, "module_src": source, "class_name": module.class_name, "state": state}
    return Call(Global(_MODULE, "_reconstruct_persistent_obj"), (meta,))


def _is_sg3(modules: dict[str, Instance]) -> bool:
    block = modules.get("synthesis.b4")
    return block is not None and "fused_modconv_default" in block.state


def _refuse_other_kinds(modules: dict[str, Instance]) -> None:
    """Says what a network is that has the official classes but is no StyleGAN2."""
    name = modules[""].name
    if name in ("Generator", "Discriminator") and ("synthesis.b4" in modules or "b4" in modules):
        return
    layers = {module.name for module in modules.values()}
    if "SuperresGenerator" in name or "head_layer_names" in modules.get("synthesis", modules[""]).state:
        kind = "StyleGAN-XL"
    elif "synthesis.input" in modules or "SynthesisInput" in layers:
        kind = "StyleGAN3"
    else:
        kind = f"a network of class {shown(name)}"
    what = f"is {kind}, not StyleGAN2: its layers have no StyleGAN2 counterpart"
    raise InputError(what, "use the programs it came from, or pass a StyleGAN2 file")
