"""Test doubles for the official programs' modules, with which torch itself can load the pickles they and we write."""

import pickle
import sys
import types
from pathlib import Path
from typing import Any

import pytest


class Object:
    """What `_reconstruct_persistent_obj` is given: class name, source text, state."""

    def __init__(self, meta: dict[str, Any]):
        self.class_name, self.source, self.state = meta["class_name"], meta["module_src"], meta["state"]

    def tensors(self, prefix: str = "") -> dict[str, Any]:
        """Parameters and buffers by dotted name, as `state_dict` has them."""
        found = {**self.state["_parameters"], **self.state["_buffers"]}
        tensors = {f"{prefix}{name}": tensor for name, tensor in found.items() if tensor is not None}
        for name, child in self.state["_modules"].items():
            tensors |= child.tensors(f"{prefix}{name}.")
        return tensors


class EasyDict(dict):
    """dnnlib's dictionary."""


def load(path: str | Path, monkeypatch: pytest.MonkeyPatch, rebuild: Any = Object) -> Any:
    """Loads an official pickle with pickle and torch; every persistent object becomes `rebuild(meta)`."""
    EasyDict.__module__, EasyDict.__qualname__ = "dnnlib.util", "EasyDict"
    contents = {
        "torch_utils": {},
        "torch_utils.persistence": {"_reconstruct_persistent_obj": rebuild},
        "dnnlib": {},
        "dnnlib.util": {"EasyDict": EasyDict},
    }
    for name, members in contents.items():
        module = types.ModuleType(name)
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, name, module)
    with open(path, "rb") as file:
        return pickle.load(file)


def install_networks(monkeypatch: pytest.MonkeyPatch, module: str) -> dict[str, type]:
    """Puts classes derived from torch.nn.Module where a checkout has its networks; returns them by name."""
    import torch

    names = ("Generator", "MappingNetwork", "SynthesisNetwork", "SynthesisBlock", "SynthesisLayer", "ToRGBLayer")
    names += ("Discriminator", "DiscriminatorBlock", "DiscriminatorEpilogue", "MinibatchStdLayer")
    names += ("Conv2dLayer", "FullyConnectedLayer")
    classes = {name: type(name, (torch.nn.Module,), {}) for name in names}
    networks = types.ModuleType(f"training.{module}")
    vars(networks).update(classes)
    monkeypatch.setitem(sys.modules, "training", types.ModuleType("training"))
    monkeypatch.setitem(sys.modules, f"training.{module}", networks)
    return classes


def as_official_loader(meta: dict[str, Any]) -> Any:
    """Rebuilds an object as the official loader does: runs its source, takes the class from it, sets the state."""
    module = types.ModuleType("imported")
    exec(meta["module_src"], vars(module))
    instance = object.__new__(vars(module)[meta["class_name"]])
    instance.__setstate__(meta["state"])
    return instance
