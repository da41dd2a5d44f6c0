"""A recipe: models, schedules, sources and seeds of a blend, as data that is written, read back and replayed."""

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from interp import recipetext
from interp.alphas import Settings, parse_kind
from interp.argument_errors import ArgumentError
from interp.schedule_text import parse
from interp.schedules import Schedule
from stylegan_jax.errors import InputError, shown
from stylegan_jax.names import DEFAULT_NETWORKS, NETWORKS
from stylegan_jax.storage import inputs, schema

_MOST_MODELS, _MOST_SEEDS = 20, 10_000
_LISTS = ("kinds", "w", "edits", "directions", "styles")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ingredient:
    """One model of a recipe.

    Attributes:
      path: as given; a relative one is looked for beside the recipe first.
      sha256: of the file, or of the weights where the model is a folder; None is not checked.
      schedule: its text; None for the base.
    """

    path: str
    sha256: str | None = None
    schedule: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything a blend and its sheet are made from; `models` are the base, then each transfer model.

    None for a source means the default, which depends on the schedules.
    """

    models: tuple[Ingredient, ...]
    mapping: str | None = None
    noise: str | None = None
    w_avg: str | None = None
    kinds: tuple[str, ...] = ()
    networks: str = ",".join(DEFAULT_NETWORKS)
    seeds: str = "0-7"
    psi: float = 0.7
    class_idx: int | Literal["random"] | tuple[float, ...] | None = None
    same_w: bool = False
    w: tuple[str, ...] = ()
    w_space: str | None = None
    edits: tuple[str, ...] = ()
    directions: tuple[str, ...] = ()
    styles: tuple[str, ...] = ()
    mask: str | None = None
    mask_at: int | None = None
    mask_sha256: str | None = None

    @property
    def schedules(self) -> list[Schedule]:
        """One for each transfer model; InputError where a text is none."""
        return [parse(str(model.schedule)) for model in self.models[1:]]

    @property
    def settings(self) -> Settings:
        """Sources, kinds and networks as the blend takes them; InputError where a text is none."""
        return Settings(
            mapping=self.mapping,
            noise=self.noise,
            w_avg=self.w_avg,
            kinds=[parse_kind(text) for text in self.kinds],
            networks=parse_networks(self.networks),
        )

    def to_json(self) -> dict[str, Any]:
        """Plain data for JSON and YAML: what is not given is left out."""
        data = {key: value for key, value in dataclasses.asdict(self).items() if value not in (None, ())}
        models = [{key: value for key, value in model.items() if value is not None} for model in data["models"]]
        return {
            **data,
            "models": models,
            **{key: list(data[key]) for key in (*_LISTS, "class_idx") if isinstance(data.get(key), tuple)},
        }


def from_json(data: Any, file: object = None) -> Recipe:
    """The recipe that `to_json` wrote, or that somebody wrote by hand; InputError names every key that is wrong."""
    given = _checked(data, Recipe, file, "a recipe")
    models = given["models"]
    if len(models) < 2:
        raise InputError("names fewer than two models", "list the base, then transfer models with schedules", file=file)
    ingredients = tuple(Ingredient(**_checked(model, Ingredient, file, "a model of the recipe")) for model in models)
    lacking = [shown(model.path) for model in ingredients[1:] if not model.schedule]
    if lacking or ingredients[0].schedule:
        what = f"{', '.join(lacking)}: no schedule" if lacking else "its first model, the base, has a schedule"
        raise InputError(what, "write one such as swap=16 for each transfer model", file=file)
    sources = {key: str(given[key]) for key in ("mapping", "noise", "w_avg") if given.get(key) is not None}
    parse_networks(given.get("networks", Recipe.networks))
    if _seeds(given.get("seeds", "")) > _MOST_SEEDS:
        raise InputError(f"is not a recipe: seeds are more than {_MOST_SEEDS}", "write a few, such as 0-7", file=file)
    lists = {key: tuple(given.get(key, ())) for key in _LISTS}
    label = {"class_idx": _label(given["class_idx"], file)} if "class_idx" in given else {}
    return Recipe(**{**given, **sources, **lists, **label, "models": ingredients})


def _seeds(text: str) -> int:
    """How many seeds the ranges of a text name; what is none is refused later."""
    spans = re.findall(r"(\d{1,19})\s*(?:-|\.\.)\s*(\d{1,19})", text)
    return text.count(",") + sum(int(last) - int(first) for first, last in spans)


def _label(value: Any, file: object) -> Any:
    if isinstance(value, str) and value != "random":
        raise InputError(
            "is not a recipe: class_idx is no label", "write a class, a list of numbers, or random", file=file
        )
    return tuple(map(float, value)) if isinstance(value, list) else value


def parse_networks(text: str) -> tuple[str, ...]:
    """`all`, `G_ema` or a list such as `G,G_ema` → names of networks; InputError for others."""
    networks = NETWORKS if text == "all" else tuple(text.split(","))
    if unknown := [network for network in networks if network not in NETWORKS]:
        raise ArgumentError("networks", text, f"no network {shown(', '.join(unknown))}", "use G_ema or all")
    return networks


def networks_text(networks: Sequence[str]) -> str:
    """The inverse of `parse_networks`."""
    return "all" if set(networks) == set(NETWORKS) else ",".join(networks)


_LABEL = schema.Either((schema.Number(0, 1 << 20, whole=True), schema.Text(100), schema.ListOf(schema.Number(), 4096)))
_SHARE = schema.Either((schema.Text(100), schema.Number()))
_INGREDIENT: dict[str, schema.Kind] = {"path": schema.Text(), "sha256": schema.Text(64), "schedule": schema.Text()}
_RECIPE: dict[str, schema.Kind] = {
    "models": schema.ListOf(schema.Anything(), most=_MOST_MODELS),
    **dict.fromkeys(("mapping", "w_avg"), _SHARE),
    "noise": schema.Text(100),
    "kinds": schema.ListOf(schema.Text(), most=1000),
    "networks": schema.Text(100),
    "seeds": schema.Either((schema.Text(), schema.Number(0, 1 << 32, whole=True))),
    "psi": schema.Number(),
    "class_idx": _LABEL,
    "same_w": schema.Flag(),
    "w": schema.ListOf(schema.Text(), most=10_000),
    "w_space": schema.Text(100),
    **dict.fromkeys(("edits", "directions", "styles"), schema.ListOf(schema.Text(), most=100)),
    "mask": schema.Text(),
    "mask_at": schema.Number(4, 1 << 20, whole=True),
    "mask_sha256": schema.Text(64),
}


def _checked(data: Any, kind: type, file: object, what: str) -> dict[str, Any]:
    """`data` as the keyword arguments of `kind`; InputError unless names, types and sizes are right."""
    fields = _RECIPE if kind is Recipe else _INGREDIENT
    required = [field.name for field in dataclasses.fields(kind) if field.default is dataclasses.MISSING]
    if wrong := schema.faults(data, schema.Table(fields, required=tuple(required))):
        raise InputError(f"is not {what}: {', '.join(wrong)}", f"write {', '.join(fields)}", file=file)
    plain = {key: str(value) if key == "seeds" else value for key, value in data.items()}
    return {key: value for key, value in plain.items() if value is not None}


def read(path: str | Path) -> Recipe:
    """The recipe in a YAML file, or the one that a PNG or a checkpoint carries; InputError where there is none."""
    place = Path(path)
    if not place.is_dir():
        inputs.require_regular_file(path)
    return from_json(_carried(place, path), path)


def _carried(place: Path, path: str | Path) -> Any:
    from stylegan_jax.pictures import images
    from stylegan_jax.storage import checkpoint

    if place.is_dir() or checkpoint.is_checkpoint(place):
        made_by = checkpoint.contents(place)[2] if checkpoint.is_checkpoint(place) else {}
    else:
        with inputs.open_regular(place) as file:
            is_png = file.read(4) == b"\x89PNG"
        if not is_png:
            return recipetext.parse(inputs.contents(place, most=recipetext.LARGEST), path)
        made_by = images.made_by(place)
    if "recipe" not in made_by:
        raise InputError("carries no recipe", "pass a picture or a model that interp.blend wrote", file=path)
    return made_by["recipe"]


def to_yaml(recipe: Recipe) -> str:
    """The recipe as a YAML file."""
    import yaml

    return yaml.safe_dump(recipe.to_json(), sort_keys=False, allow_unicode=True, width=120)
