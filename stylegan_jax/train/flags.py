"""The flags of a run's configuration, made of the configurations' own fields: one name, type and meaning each."""

import ast
import dataclasses
import inspect
import types
import typing
from typing import Annotated, Any, Literal

import tyro

from stylegan_jax import values
from stylegan_jax.config import DiscriminatorConfig, GeneratorConfig
from stylegan_jax.train.config import TrainConfig
from stylegan_jax.train.official import BLEND_SHARE, BLEND_SWAPS, DECIDED, NETWORK_FIELDS

_NO_FLAGS = ("generator", "discriminator", "frozen")
_NONE_IS_ZERO = ("ema_rampup", "conv_clamp")
_ON_CPUS = {
    "blend_share": f"0; {BLEND_SHARE} for a fine-tune on CPUs",
    "blend_swap": f"16; {','.join(map(str, BLEND_SWAPS))} for a fine-tune on CPUs",
}
_AS_CFG, _AS_MODEL = "as --cfg says", "as --from or --cfg says"


def meanings(config: type) -> dict[str, str]:
    """Field → the docstring below it, in the source of the class or of one of its bases."""
    found: dict[str, str] = {}
    for owner in reversed(config.__mro__[:-1]):
        (tree,) = ast.parse(inspect.getsource(owner)).body
        assert isinstance(tree, ast.ClassDef)
        for field, below in zip(tree.body, tree.body[1:], strict=False):
            if (
                isinstance(field, ast.AnnAssign)
                and isinstance(below, ast.Expr)
                and isinstance(below.value, ast.Constant)
            ):
                found[ast.unparse(field.target)] = " ".join(str(below.value.value).split())
    return found


def _flags(config: type, names: dict[str, str], hints: dict[str, str]) -> list[tuple[str, Any, Any]]:
    """Flags that may be left out, of fields of one configuration: (name, type, None), but False for a switch.

    Args:
      names: flag → field.
      hints: flag → what the help says of its default, where that is not the field's.
    """
    kinds, meaning = typing.get_type_hints(config), meanings(config)
    defaults: dict[str, Any] = {field.name: field.default for field in dataclasses.fields(config)}
    found: list[tuple[str, Any, Any]] = []
    for flag, field in names.items():
        optional = typing.get_args(kinds[field]) if isinstance(kinds[field], types.UnionType) else (kinds[field],)
        kind = next(each for each in optional if each is not type(None))
        words = typing.get_args(kind) if typing.get_origin(kind) is Literal else ()
        shown = f"{{{','.join(words)}}}" if words else kind.__name__.upper()
        hint = f"(default: {hints.get(flag, defaults[field])})"
        if typing.get_origin(kind) is tuple:
            note = tyro.conf.arg(help=meaning[field], metavar="N,N,…", help_behavior_hint=hint)
            found.append((flag, Annotated[str | None, note], None))
        elif kind is bool:
            found.append((flag, Annotated[bool, tyro.conf.arg(help=meaning[field])], False))
        else:
            note = tyro.conf.arg(help=meaning[field], metavar=shown, help_behavior_hint=hint)
            found.append((flag, Annotated[kind | None, note], None))
    return found


def _all() -> list[tuple[str, Any, Any]]:
    own = {field.name: field.name for field in dataclasses.fields(TrainConfig) if field.name not in _NO_FLAGS}
    note = tyro.conf.arg(
        help="Learning rate of both networks.", metavar="FLOAT", help_behavior_hint=f"(default: {_AS_CFG})"
    )
    found = _flags(TrainConfig, own, dict.fromkeys(DECIDED, _AS_CFG) | _ON_CPUS)
    found.insert(list(own).index("g_lr"), ("lr", Annotated[float | None, note], None))
    for config, is_its in (
        (GeneratorConfig, lambda whose: "G" in whose),
        (DiscriminatorConfig, lambda whose: whose == "D"),
    ):
        names = {flag: flag.removeprefix("d_") for flag, whose in NETWORK_FIELDS.items() if is_its(whose)}
        found += _flags(config, names, dict.fromkeys(names, _AS_MODEL))
    return found


_Flags: Any = dataclasses.make_dataclass("_Flags", _all(), frozen=True, kw_only=True)


class Changes(_Flags):
    """Fields of the configuration; each that is given replaces the value it would have."""

    def given(self) -> dict[str, Any]:
        """What was given, as `official` takes it; 0 stands for None where None is a value and 0 makes no sense."""
        given = {name: value for name, value in dataclasses.asdict(self).items() if value is not None}
        if (lr := given.pop("lr", None)) is not None:
            given = {"g_lr": lr, "d_lr": lr, **given}
        if (listed := given.get("blend_swap")) is not None:
            given["blend_swap"] = tuple(values.seeds(listed, "--blend-swap"))
        return given | {name: None for name in _NONE_IS_ZERO if given.get(name) == 0}
