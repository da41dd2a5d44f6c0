"""Recipe → models read, hashes checked, blended: what the command does, as functions."""

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import convert
from interp import known
from interp.mix import Plan, blend_all, blend_up, plan_blend
from interp.recipes import Ingredient, Recipe
from stylegan_jax.errors import InputError
from stylegan_jax.storage import checkpoint
from stylegan_jax.storage.checkpoint import Model
from stylegan_jax.storage.downloads import addresses

Shipped = Mapping[str, Path]
NONE: Shipped = {}


@dataclasses.dataclass(frozen=True, eq=False)
class Loaded:
    """A model of a recipe: where it was found, the name a recipe keeps, the hashes of its file and of its weights."""

    path: Path
    name: str
    model: Model
    sha256: str
    weights_sha256: str

    @property
    def label(self) -> str:
        """How messages name it."""
        return addresses.place_of(self.name).name


def read_models(
    recipe: Recipe, beside: Path | None = None, shipped: Shipped = NONE, *, discriminator: bool = False
) -> list[Loaded]:
    """The models of a recipe, base first, with only the networks it blends.

    Args:
      recipe: each path is tried as it is, then beside the recipe, then by its name beside the recipe and here.
      beside: the folder of the recipe.
      shipped: models that are called by a bare name.
      discriminator: read that of the base too, if it has one.

    Raises:
      InputError: a file is missing, is no model, or is not the one the recipe was made with; two are the same model.
    """
    loaded = []
    for ingredient in recipe.models:
        place = _located(ingredient, beside, shipped)
        wanted = recipe.options["networks"]
        with convert.naming(place, ingredient.path):
            model = (_read_whole if discriminator and not loaded else convert.read)(place, networks=wanted)
        weights, address = checkpoint.fingerprint(model), addresses.find(ingredient.path)
        name = address.shown if address else _noted(ingredient.path, place, shipped)
        loaded.append(Loaded(place, name, model, _file_sha256(place) or weights, weights))
        _check_hash(ingredient, loaded[-1])
        known.remember(loaded[-1].sha256, place)
    _check_distinct(loaded)
    return loaded


def _located(ingredient: Ingredient, beside: Path | None, shipped: Shipped) -> Path:
    """Where a model lies now: as `find`, or, for a recipe, where one of its hash was seen last."""
    place = find(ingredient.path, beside, shipped)
    if beside is None or place.exists():
        return place
    seen = known.recall(ingredient.sha256)
    if seen is None:
        remedy = "put it beside the recipe, or say where it is: --base MODEL, --transfer MODEL"
        raise InputError("no such file here, nor beside the recipe", remedy, file=ingredient.path)
    return seen


def _noted(path: str, place: Path, shipped: Shipped) -> str:
    """How outputs name a model."""
    return path if path in shipped or _is_relative(path) else place.name


def _is_relative(path: str) -> bool:
    """Whether a path says nothing of the machine: what is absolute is noted by its name, and found by its hash."""
    return not (Path(path).is_absolute() or path.startswith("~") or ".." in Path(path).parts)


def _read_whole(place: Path, *, networks: Sequence[str]) -> Model:
    """The networks of a model, and its discriminator if there is one that can be read."""
    try:
        return convert.read(place, networks=[*networks, *(["D"] if "D" not in networks else [])])
    except InputError:
        return convert.read(place, networks=networks)


def plan_recipe(recipe: Recipe, beside: Path | None = None, shipped: Shipped = NONE) -> tuple[Plan, list[str]]:
    """All decisions of a recipe and its models' names; only descriptions are read, no weights."""
    places = [_located(ingredient, beside, shipped) for ingredient in recipe.models]
    labels = [addresses.place_of(ingredient.path).name for ingredient in recipe.models]
    configs = [convert.read_config(place, networks=recipe.options["networks"]) for place in places]
    return plan_blend(configs, labels, recipe.schedules, **recipe.options), labels


def plan_loaded(recipe: Recipe, loaded: Sequence[Loaded]) -> Plan:
    """All decisions of a recipe for models that were read; InputError where they cannot be blended."""
    configs, labels = [each.model.config for each in loaded], [each.label for each in loaded]
    return plan_blend(configs, labels, recipe.schedules, **recipe.options)


def find(path: str, beside: Path | None = None, shipped: Shipped = NONE) -> Path:
    """Where a model of a recipe lies now, fetching it if it has an address; `path` itself if nowhere."""
    if path in shipped:
        return shipped[path]
    if addresses.find(path) is not None:
        return convert.locate(path)
    folders = [Path()] if beside is None else [beside, Path()]
    places = [*(folder / path for folder in folders), *(folder / Path(path).name for folder in folders)]
    return next((place for place in places if place.exists()), Path(path))


def _file_sha256(path: Path) -> str | None:
    """SHA-256 of a file's bytes; None for a folder."""
    if path.is_dir():
        return None
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_hash(ingredient: Ingredient, found: Loaded) -> None:
    wanted = ingredient.sha256
    if wanted in (None, found.sha256, found.weights_sha256):
        return
    what = f"is not the model of the recipe: its SHA-256 is {found.sha256[:12]}…, not {str(wanted)[:12]}…"
    raise InputError(what, "find that file, or take sha256 out of the recipe", file=found.path)


def _check_distinct(loaded: Sequence[Loaded]) -> None:
    seen: dict[str, Loaded] = {}
    for each in loaded:
        twin = seen.setdefault(each.weights_sha256, each)
        if twin is not each:
            raise InputError(f"holds the same weights as {twin.path}", "pass different models", file=each.path)


def blend_recipe(recipe: Recipe, loaded: list[Loaded], *, consume: bool = False) -> Model:
    """The blend of a recipe, with the complete recipe in its lineage: paths, hashes, and sources as decided.

    Args:
      recipe: what to blend.
      loaded: its models, from `read_models`.
      consume: take the models out of `loaded`, so that memory stays below that of three; see `mix.blend_up`.
    """
    labels, models = [each.label for each in loaded], [each.model for each in loaded]
    ingredients = tuple(
        dataclasses.replace(ingredient, path=each.name, sha256=each.sha256)
        for ingredient, each in zip(recipe.models, loaded, strict=True)
    )
    if consume:
        loaded.clear()
        mixed = blend_up(models, recipe.schedules, labels=labels, **recipe.options)
    else:
        mixed = blend_all(
            models[0], list(zip(models[1:], recipe.schedules, strict=True)), labels=labels, **recipe.options
        )
    decided = {key: mixed.lineage["recipe"][key] for key in ("mapping", "noise", "w_avg")}
    whole = dataclasses.replace(recipe, models=ingredients, **decided)
    return dataclasses.replace(mixed, lineage={**mixed.lineage, "recipe": whole.to_json()})
