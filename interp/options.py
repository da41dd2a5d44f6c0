"""The options of the commands that blend, and the recipe they ask for."""

import dataclasses
import os
import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from interp.maskoptions import MaskOptions
from stylegan_jax import values
from stylegan_jax.commands.edits import Edits
from stylegan_jax.commands.flags import Flat, Many, typed
from stylegan_jax.errors import InputError

if TYPE_CHECKING:
    from interp.recipes import Ingredient, Recipe

SCHEDULES = ("swap", "smooth", "linear", "cosine", "smoothstep", "band", "only", "alpha", "alpha_layers")

R = Annotated[str | None, typed("R")]
Ends = Annotated[str | None, typed("R1-R2")]
Number = Annotated[str | None, typed("NUMBER")]
File = Annotated[str | None, typed("MODEL")]
Models = Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[BASE TRANSFER]")]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScheduleOptions:
    """What α is in each layer: choose one."""

    swap: R = None
    """transfer up to and including this resolution, base above: the paper's layer swapping"""
    smooth: R = None
    """the same with a soft hand-over of --width octaves"""
    linear: Ends = None
    """8-64: transfer up to 8, base from 64 on, linear in log2 of the resolution between"""
    cosine: Ends = None
    """as --linear, eased by a cosine"""
    smoothstep: Ends = None
    """as --linear, eased by 3t² − 2t³"""
    band: Ends = None
    """64-256: transfer at these resolutions only"""
    only: Annotated[str | None, typed("R,…")] = None
    """8,32: transfer at the chosen resolutions only"""
    alpha: Annotated[str | None, typed("NUMBER|TABLE")] = None
    """one share of transfer for all layers, or "4=1 16=0.6 32=0" with the rest between"""
    alpha_layers: Annotated[str | None, typed("A0,A1,…")] = None
    """one share for each w"""
    preset: Annotated[str | None, typed("NAME")] = None
    """a schedule by name: ukiyo-e, toonify, gentle, texture, halfway"""
    width: Number = None
    """softness in octaves of --smooth (and of --swap with --compat pinkney)"""
    level: Annotated[str | None, typed("0|1")] = None
    """1: hand over one layer later, conv0 of the next block still from transfer"""
    invert: bool = False
    """1 − α: structure from base, texture from transfer"""
    compat: Annotated[str | None, typed("pinkney")] = None
    """pinkney: --swap with --level and --width as the 2020 script computed them"""

    @property
    def given(self) -> list[str]:
        """The flags that choose a schedule."""
        return [name for name in (*SCHEDULES, "preset") if getattr(self, name) is not None]

    def text(self) -> str:
        """The text form of the schedule asked for; InputError unless it is exactly one."""
        given = self.given
        if len(given) != 1:
            what = f"{' and '.join(map(flag_of, given))}: one too many" if given else "no schedule"
            raise InputError(what, "pass one, such as --swap 16")
        name, value = given[0], getattr(self, given[0])
        if self.compat not in (None, "pinkney"):
            raise InputError(f"--compat {self.compat}: no such rule", "use pinkney")
        if self.compat and name != "swap":
            raise InputError("--compat pinkney goes with --swap", "pass --swap 16")
        text = value if name == "preset" else f"{'pinkney' if self.compat else name.replace('_', '-')}={value}"
        options = [f"{key}={getattr(self, key)}" for key in ("level", "width") if getattr(self, key) is not None]
        return ":".join([text, *options, *(["invert"] if self.invert else [])])


@dataclasses.dataclass(frozen=True, kw_only=True)
class SourceOptions:
    """Where the tensors come from that α does not reach."""

    mapping: Annotated[str | None, typed("base|transfer|NUMBER")] = None
    """base, transfer or a share of transfer (default: the model with the largest share at 4×4)"""
    noise: Annotated[str | None, typed("base|transfer")] = None
    """base or transfer, never averaged (default: likewise)"""
    w_avg: Annotated[str | None, typed("base|transfer|NUMBER")] = None
    """base, transfer or a share (default: the mapping's)"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SheetOptions:
    """What stands in the columns of the sheet."""

    seeds: Annotated[str | None, typed("0-7,12")] = None
    """one column for each (default: 0-7)"""
    w: Annotated[tuple[str, ...], Many, tyro.conf.arg(metavar="FILE …")] = ()
    """ws of projected images instead: .npy, .npz, .pt or folders of those; x.npz:NAME is one array of several"""
    w_space: Annotated[str | None, typed("w|w+")] = None
    """what a 2-D array is: n plain ws, or one W+ (default: W+ where its rows are as many as the model's layers)"""
    psi: Number = None
    """truncation towards each model's w_avg; 1 is none (default: 0.7, and 1 for --w)"""
    class_: Annotated[str | None, typed("N|random|A,B,…", "class")] = None
    """of conditional models: a class, a label vector, or one for each seed"""
    same_w: bool = False
    """one w, from the base's mapping, for all rows: shows the effect most clearly"""
    edits: Annotated[Edits, Flat] = dataclasses.field(default_factory=Edits)


@dataclasses.dataclass(frozen=True, kw_only=True)
class KindOptions:
    """α for kinds of tensors: weight, affine, bias, noise, torgb, const, or a pattern such as "*.b16.*"."""

    keep: Annotated[tuple[str, ...], Many, tyro.conf.arg(metavar="KIND")] = ()
    """keep this kind of tensors from the base"""
    kind: Annotated[tuple[str, ...], Many, tyro.conf.arg(metavar="KIND=A|KIND=xA")] = ()
    """fix α of a kind (torgb=0.3), or scale it (torgb=x0.5)"""

    def texts(self) -> tuple[str, ...]:
        """The rules in the form of recipes, those of --keep first."""
        return (*(f"{name}=0" for name in self.keep), *self.kind)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PairOptions:
    """Two models whose blends are to be seen."""

    base: File = None
    """the model at α = 0 (default: the portraits that ship with the package)"""
    transfer: File = None
    """the model at α = 1 (default: the toons that ship with the package)"""
    mapping: Annotated[str | None, typed("base|transfer")] = None
    """where mapping and w_avg come from (default: the model with the larger share at 4×4)"""
    noise: Annotated[str | None, typed("base|transfer")] = None
    """where the noise buffers come from (default: likewise)"""

    def recipe(self, named: Sequence[str], columns: SheetOptions, shipped: Collection[str]) -> "Recipe":
        """Models and columns as a recipe without schedules; InputError where the options make none.

        `named` are the models that were named without a flag.
        """
        base, transfer = positioned(named, self.base, self.transfer)
        models = models_of(base, () if transfer is None else (transfer,), shipped)
        return with_columns(dataclasses.replace(models, mapping=self.mapping, noise=self.noise), columns)


@dataclasses.dataclass(frozen=True, kw_only=True)
class BlendOptions:
    """What to blend: models and schedules, or a recipe."""

    models: Models = ()
    """the model at α = 0 and the model at α = 1; --base and --transfer name them too"""
    base: File = None
    """the model at α = 0: a file or folder of any kind, or the name of a model that ships with the package"""
    transfer: File = None
    """the model at α = 1"""
    schedule: Annotated[ScheduleOptions, Flat] = dataclasses.field(default_factory=ScheduleOptions)
    add: Annotated[tuple[str, ...], Many, tyro.conf.arg(metavar="MODEL:SCHEDULE")] = ()
    """a further model with its own schedule: (1 − Σ α)·base + Σ α·model"""
    sources: Annotated[SourceOptions, Flat] = dataclasses.field(default_factory=SourceOptions)
    kinds: Annotated[KindOptions, Flat] = dataclasses.field(default_factory=KindOptions)
    networks: Annotated[str | None, typed("G_ema|all")] = None
    """all blends G and D too; G_ema leaves both out (default: the recipe's, or G_ema, and D is the base's)"""
    columns: Annotated[SheetOptions, Flat] = dataclasses.field(default_factory=SheetOptions)
    mask: Annotated[MaskOptions, Flat] = dataclasses.field(default_factory=MaskOptions)
    recipe: Annotated[str | None, typed("FILE")] = None
    """replay a recipe: a YAML file, or a picture or model that this command wrote"""

    def read(self, shipped: Collection[str]) -> "tuple[Recipe, Path | None]":
        """The recipe asked for, and the folder its paths are relative to; InputError where the options make none.

        `shipped` are the names of the models that come with the package.
        """
        base, transfer = positioned(self.models, self.base, self.transfer)
        if self.recipe is None:
            return self._seen(self._composed(base, transfer, shipped)), None
        if self.add or (self.schedule, self.sources, self.kinds) != (ScheduleOptions(), SourceOptions(), KindOptions()):
            raise InputError("--recipe goes with no other schedule or source", "edit the recipe, or leave it away")

        from interp import recipes

        found = _relocated(recipes.read(self.recipe), base, transfer)
        if self.networks is not None:
            recipes.parse_networks(self.networks)
            found = dataclasses.replace(found, networks=self.networks)
        return self._seen(found), Path(self.recipe).absolute().parent

    def _seen(self, recipe: "Recipe") -> "Recipe":
        return self.mask.added_to(with_columns(recipe, self.columns))

    def _composed(self, base: str | None, transfer: str | None, shipped: Collection[str]) -> "Recipe":
        from interp.recipes import Ingredient, Recipe

        added = [_added(text) for text in self.add]
        if added and not self.schedule.given and transfer is None:
            models = [Ingredient(path=_named(base, "--base", "portraits", shipped)), *added]
        else:
            schedule = self.schedule.text()
            first, second = base_and_transfer(base, transfer, shipped)
            models = [Ingredient(path=first), Ingredient(path=second, schedule=schedule), *added]
        origins = dataclasses.asdict(self.sources)
        networks = self.networks or Recipe.networks
        recipe = Recipe(models=tuple(models), kinds=self.kinds.texts(), networks=networks, **origins)
        _ = recipe.schedules, recipe.settings  # are they all readable?
        return recipe


def models_of(base: str | None, transfers: Sequence[str], shipped: Collection[str]) -> "Recipe":
    """A recipe of models alone: the base, then one transfer model or more; by default the shipped pair."""
    from interp.recipes import Ingredient, Recipe

    first, *others = transfers or (None,)
    paths = [*base_and_transfer(base, first, shipped), *others]
    return Recipe(models=tuple(Ingredient(path=str(path)) for path in paths))


def flag_of(name: str) -> str:
    """A field's option on the command line."""
    return f"--{name.replace('_', '-')}"


def with_columns(recipe: "Recipe", columns: SheetOptions) -> "Recipe":
    """The recipe with what the options say of its sheet; InputError for seeds, psi or class that are none."""
    chosen: dict[str, Any] = {}
    if columns.seeds is not None and columns.w:
        raise InputError("--seeds and --w: one too many", "pass one of them")
    if columns.w_space is not None and not columns.w:
        raise InputError("--w-space goes with --w", "pass --w FILE")
    if columns.seeds is not None:
        chosen |= {"seeds": columns.seeds, "w": ()}
    if columns.w:
        chosen |= {"w": tuple(map(os.path.abspath, columns.w)), "w_space": columns.w_space, "psi": 1.0}
    if columns.psi is not None:
        chosen["psi"] = values.number(columns.psi, "--psi")
    if columns.class_ is not None:
        chosen["class_idx"] = values.label(columns.class_)
    if columns.same_w:
        chosen["same_w"] = True
    columns.edits.check()
    chosen |= columns.edits.fields
    values.seeds(chosen.get("seeds", recipe.seeds))
    return dataclasses.replace(recipe, **chosen)


def _relocated(recipe: "Recipe", base: str | None, transfer: str | None) -> "Recipe":
    """The recipe with its base and first transfer model looked for where the options say."""
    named = zip(recipe.models, (base, transfer), strict=False)
    moved = [model if path is None else dataclasses.replace(model, path=path) for model, path in named]
    return dataclasses.replace(recipe, models=(*moved, *recipe.models[2:]))


def in_order(named: Sequence[str], base: str | None, transfers: Sequence[str]) -> tuple[str | None, tuple[str, ...]]:
    """Base and transfer models from those named without a flag and those named by --base and --transfer."""
    rest = list(named)
    first = rest.pop(0) if base is None and rest else base
    return first, (*rest, *transfers)


def positioned(named: Sequence[str], base: str | None, transfer: str | None) -> tuple[str | None, str | None]:
    """As `in_order` for commands that take one transfer model; InputError for more."""
    first, transfers = in_order(named, base, () if transfer is None else (transfer,))
    if len(transfers) > 1:
        what = f"{len(transfers) + 1} models: one too many" if len(transfers) == 2 else "too many models"
        raise InputError(what, "name a base and a transfer model; interp.blend takes more with --add MODEL:SCHEDULE")
    return first, transfers[0] if transfers else None


def base_and_transfer(base: str | None, transfer: str | None, shipped: Collection[str]) -> tuple[str, str]:
    """Base and transfer, by default the shipped ones; InputError where only one is named, and it is no shipped one."""
    for named, lacking in ((base, "transfer"), (transfer, "base")):
        if named is not None and named not in shipped and None in (base, transfer):
            raise InputError(f"no {lacking} model to blend it with", f"pass --{lacking} MODEL too", file=named)
    if base is None and transfer is None and not {"portraits", "toons"} <= set(shipped):
        what = "no model named, and none ships with this version"
        raise InputError(what, "pass --base MODEL --transfer MODEL")
    return _named(base, "--base", "portraits", shipped), _named(transfer, "--transfer", "toons", shipped)


def _named(path: str | None, flag: str, default: str, shipped: Collection[str]) -> str:
    """The model an option names, or the one that ships for it."""
    if path is None and default not in shipped:
        raise InputError(f"{flag}: no model named, and none ships with this version", f"pass {flag} MODEL")
    return default if path is None else path


def _added(text: str) -> "Ingredient":
    """`toon.pkl:swap=16` → the model and its schedule; a path may hold colons."""
    from interp.recipes import Ingredient
    from interp.schedule_text import STARTS

    found = re.match(rf"(.+?):((?:{'|'.join(map(re.escape, STARTS))})(?:[=:].*)?)$", text)
    if found is None:
        raise InputError(f"--add {text}: no schedule", "write MODEL:SCHEDULE, such as toon.pkl:swap=16")
    return Ingredient(path=found[1], schedule=found[2])
