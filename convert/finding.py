"""Generators inside other programs' checkpoints, known by their tensors' names below any table and any prefix."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from convert import rosinality, state_dict
from convert.assembly import Found, RawNetwork
from convert.pickles.allowed import AGAIN, shown
from stylegan_jax.errors import InputError
from stylegan_jax.names import NETWORKS

_AVERAGES = ("latent_avg", "w_avg", "mean_latent", "dlatent_avg")
_G_EMA = ("g_ema", "gema", "g_mean", "g_running", "ema", "generator_ema", "g_ema_model", "netg_ema", "params_ema", "gs")
_G = ("g", "netg", "generator", "g_model", "gen", "params")
_D = ("d", "netd", "discriminator", "d_model", "dis")
_DEEPEST, _MOST_TABLES, _MOST_LISTED = 6, 1_000, 12
_MOST_NAMES, _MOST_NETWORKS = 20_000, 64
_LARGEST_MEAN = 1 << 20  # numbers: a mean w of 1024 layers


@dataclass(frozen=True, eq=False)
class Candidate:
    """A network's tensors in a file.

    Attributes:
      key: where they are: tables, then the prefix of the names, with dots between.
      prefix: of the names in their table.
      tensors: by the names without it.
      layout: the reader that knows such names.
      is_generator: or else a discriminator.
      average: the mean w beside them, and what it is called.
    """

    key: str
    prefix: str
    tensors: Mapping[str, Any]
    layout: str
    is_generator: bool
    average: tuple[str, Any] | None = None

    @property
    def role(self) -> str | None:
        """The network that the key names, by the innermost of its words that names one."""
        for word in reversed(self.key.lower().split(".")):
            for role, words in (("G_ema", _G_EMA), ("G", _G), ("D", _D)):
                if word in words:
                    return role
        return None


_Mark = tuple[str, str, bool, tuple[str, ...]]
_MARKS: tuple[_Mark, ...] = (
    ("input.input", "rosinality", True, ("style", "input", "conv1", "to_rgb1", "convs", "to_rgbs", "noises")),
    ("synthesis.b4.const", "official", True, ("mapping", "synthesis")),
    ("final_linear.0.weight", "rosinality", False, ("convs", "final_conv", "final_linear")),
    ("b4.fc.weight", "official", False, ("mapping", *(f"b{4 << i}" for i in range(9)))),
)
"""A tensor that only one kind of network has, its layout, whether it is a generator's, and the roots of its names."""


def candidates(tree: Any) -> list[Candidate]:
    """Every network in the tables of a file."""
    found = []
    for path, table, outer in tables(tree):
        names = [name for name in table if type(name) is str and isinstance(table[name], np.ndarray)]
        if len(names) > _MOST_NAMES:
            raise InputError(f"holds a table of {len(names)} tensors, far more than a network has", AGAIN)
        for mark, layout, is_generator, roots in _MARKS:
            for name in names:
                prefix = name.removesuffix(mark)
                if prefix == name or (prefix and not prefix.endswith(".")):
                    continue
                if len(found) == _MOST_NETWORKS:
                    raise InputError(f"holds more than {_MOST_NETWORKS} networks", "pass a file with fewer")
                key = ".".join([*path, *([prefix[:-1]] if prefix else [])])
                tensors = _below(table, prefix, roots)
                average = _average(prefix, (table, *outer)) if is_generator else None
                found.append(Candidate(key, prefix, tensors, layout, is_generator, average))
    return found


def tables(tree: Any) -> Iterator[tuple[tuple[str, ...], dict[Any, Any], tuple[dict[Any, Any], ...]]]:
    """(keys, table, the tables around it) for every table in tables."""
    level: list[tuple[tuple[str, ...], Any, tuple[Any, ...]]] = [((), tree, ())]
    seen: set[int] = set()
    for _ in range(_DEEPEST):
        following = []
        for path, table, outer in level:
            if type(table) is not dict or id(table) in seen or len(seen) >= _MOST_TABLES:
                continue
            seen.add(id(table))
            yield path, table, outer
            inner = ((key, value) for key, value in table.items() if type(value) is dict and type(key) is str)
            room = max(0, _MOST_TABLES - len(following))
            following += [((*path, key), value, (table, *outer)) for key, value in itertools.islice(inner, room)]
        level = following


def _below(table: Mapping[Any, Any], prefix: str, roots: Sequence[str]) -> dict[str, Any]:
    """The entries under a prefix; without one, those that a network of such names can have."""
    own = {name[len(prefix) :]: leaf for name, leaf in table.items() if type(name) is str and name.startswith(prefix)}
    return own if prefix else {name: leaf for name, leaf in own.items() if name.split(".")[0] in roots}


def _average(prefix: str, tables: Sequence[Mapping[Any, Any]]) -> tuple[str, Any] | None:
    """The mean w: under the prefix, beside the network, or in a table around it."""
    for i, table in enumerate(tables):
        for name in _AVERAGES:
            for full in (f"{prefix}{name}", name) if i == 0 else (name,):
                if isinstance(table.get(full), np.ndarray):
                    return full, table[full]
    return None


def find(tree: Any, key: str | None = None, networks: Sequence[str] | None = None) -> Found | None:
    """The networks that a checkpoint holds somewhere inside; None if it holds none.

    Raises InputError with the list where there are several generators and nothing says which; `key` does, and so do
    `networks` if these names are among the keys.
    """
    every = candidates(tree)
    generators = [each for each in every if each.is_generator]
    if key is not None:
        generators = [each for each in generators if each.key == key]
        if not generators:
            raise InputError(f"holds no generator called {key}: {_listed(every)}", "choose one of these")
    if not generators:
        return None
    chosen = {"G_ema": generators[0]} if len(generators) == 1 else _by_role(generators, networks)
    discriminators = [each for each in every if not each.is_generator]
    if len(discriminators) == 1 and key is None:
        chosen = {"D": discriminators[0], **chosen}
    networks_found = {name: _raw(name, chosen[name]) for name in NETWORKS if name in chosen}
    layouts = {each.layout for each in chosen.values()}
    format_ = "rosinality" if layouts == {"rosinality"} else "state dict"
    return Found(format_, networks_found, notes=[_where(chosen, tree)])


def _by_role(generators: Sequence[Candidate], networks: Sequence[str] | None) -> dict[str, Candidate]:
    """G and G_ema, where the keys say which is which."""
    wanted = [name for name in networks or () if name != "D"]
    named = {name: [each for each in generators if each.role == name] for name in wanted}
    if wanted and all(len(found) == 1 for found in named.values()):
        return {name: found[0] for name, found in named.items()}
    roles = {each.role or "G_ema": each for each in generators}
    if len(roles) < len(generators) or set(roles) - {"G", "G_ema"}:
        remedy = f"choose one: python -m convert FILE OUT --key {shown(generators[0].key)}"
        raise InputError(f"holds several generators: {_listed(generators)}", remedy)
    return roles


def _listed(every: Sequence[Candidate]) -> str:
    names = [shown(each.key) or "(outermost)" for each in every if each.is_generator]
    return ", ".join(names[:_MOST_LISTED]) + (", …" if len(names) > _MOST_LISTED else "")


def _where(chosen: Mapping[str, Candidate], tree: Any) -> str:
    places = [f"{name} from {shown(each.key) or 'the outermost table'}" for name, each in chosen.items()]
    used = {id(leaf) for each in chosen.values() for leaf in each.tensors.values()}
    used |= {id(each.average[1]) for each in chosen.values() if each.average is not None}
    leaves = [leaf for _, table, _ in tables(tree) for leaf in table.values() if isinstance(leaf, np.ndarray)]
    left = len({id(leaf) for leaf in leaves} - used)
    return ", ".join(places) + (f"; {left} other tensors were left aside" if left else "")


def _raw(network: str, candidate: Candidate) -> RawNetwork:
    readers: Mapping[str, Callable[..., RawNetwork]] = {"rosinality": _rosinality, "official": _official}
    raw = readers[candidate.layout](network, candidate)
    moved = {name: (raw.origins.get(name) or (name, "")) for name in raw.tensors}
    origins = {name: (_full(source, candidate), how) for name, (source, how) in moved.items()}
    return replace(raw, origins=origins)


def _full(source: str, candidate: Candidate) -> str:
    """A tensor's name as the file has it; "" stays that of what the file does not store."""
    beside = candidate.average is not None and source == candidate.average[0]
    return source if beside or not source else f"{candidate.prefix}{source}"


def _rosinality(network: str, candidate: Candidate) -> RawNetwork:
    if network == "D":
        return rosinality.raw_discriminator(candidate.tensors)
    average, notes = _mean_w(candidate)
    name = candidate.average[0] if candidate.average else ""
    raw = rosinality.raw_generator(candidate.tensors, network, average, name)
    return replace(raw, notes=[*raw.notes, *notes])


def _official(network: str, candidate: Candidate) -> RawNetwork:
    tensors = {name: leaf for name, leaf in candidate.tensors.items() if isinstance(leaf, np.ndarray)}
    tensors = {name: leaf for name, leaf in tensors.items() if name not in _AVERAGES}
    average, notes = _mean_w(candidate)
    origins = {}
    if network != "D" and average is not None and "mapping.w_avg" not in tensors and candidate.average:
        tensors["mapping.w_avg"] = average
        origins["mapping.w_avg"] = (candidate.average[0], "")
    return RawNetwork({}, tensors, notes=[state_dict.ASSUMED, *notes], origins=origins)


def _mean_w(candidate: Candidate) -> tuple[np.ndarray | None, list[str]]:
    """The mean w as one vector; encoders store it once for each layer."""
    if candidate.average is None:
        return None, []
    name, value = candidate.average
    if value.ndim == 0 or not 0 < value.size <= _LARGEST_MEAN or value.dtype.kind not in "fV":
        raise InputError(f"its mean w {shown(name)} is {value.dtype} of shape {shown(value.shape)}", AGAIN)
    rows = value.reshape(-1, value.shape[-1])
    if len(rows) == 1 or (rows == rows[:1]).all():
        return rows[0], []
    mean = rows.astype(np.float64).mean(axis=0).astype(np.float32)
    return mean, [f"its mean w {shown(name)} differs from layer to layer: their mean was taken"]
