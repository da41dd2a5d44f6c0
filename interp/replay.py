"""Recipe → models read, hashes checked, blended: what the command does, as functions."""

import dataclasses
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import convert
from interp import known
from interp.decisions import Decisions, decide
from interp.mix import blend_all, blend_up
from interp.recipes import Ingredient, Recipe
from interp.relatives import describe
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
        return addresses.as_path(self.name).name

    @property
    def facts(self) -> str:
        """Name, path or address, configuration, hash and origin, for the lines that a command prints."""
        origin = self.model.lineage.get("source")
        where = self.name if addresses.find(self.name) else os.path.abspath(self.path)
        facts = [where, describe(self.model.config.generator), f"sha256 {self.sha256[:12]}"]
        facts += [f"from {origin}"] if origin and origin != self.label else []
        return f"{self.label} ({', '.join(facts)})"


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
    loaded, networks = [], recipe.settings.networks
    for ingredient in recipe.models:
        read = _read_whole if discriminator and not loaded else convert.read
        found = _read(_located(ingredient, beside, shipped), ingredient.path, read, networks, shipped)
        if ingredient.path in shipped and not _is_the_one(ingredient, found):
            elsewhere = known.recall(ingredient.sha256)  # a file that has the name of a shipped model
            found = _read(elsewhere, ingredient.path, read, networks, shipped) if elsewhere else found
        _check_hash(ingredient, found)
        known.remember(found.sha256, found.path)
        loaded.append(found)
    _check_distinct(loaded)
    return loaded


def _read(path: Path, given: str, read: Callable[..., Model], networks: Sequence[str], shipped: Shipped) -> Loaded:
    """The model at a path, which was `given` in other words perhaps."""
    with convert.naming(path, given):
        model = read(path, networks=networks)
    weights = checkpoint.fingerprint(model)
    return Loaded(path, _name_in_recipe(given, path, shipped), model, _file_sha256(path) or weights, weights)


def _located(ingredient: Ingredient, beside: Path | None, shipped: Shipped) -> Path:
    """Where a model lies now: as `find`, or, for a recipe, where one of its hash was seen last."""
    path = find(ingredient.path, beside, shipped)
    if beside is None or path.exists():
        return path
    seen = known.recall(ingredient.sha256)
    if seen is None:
        remedy = "put it beside the recipe, or name the file anew, as base or transfer"
        raise InputError("no such file here, nor beside the recipe", remedy, file=ingredient.path)
    return seen


def _name_in_recipe(given: str, path: Path, shipped: Shipped) -> str:
    """How outputs name a model: by its address, by a path that says nothing of this machine, else by the file's name
    alone; it is found again by its hash.
    """
    if address := addresses.find(given):
        return address.shown
    of_this_machine = Path(given).is_absolute() or given.startswith("~") or ".." in Path(given).parts
    return given if given in shipped or not of_this_machine else path.name


def _read_whole(path: Path, *, networks: Sequence[str]) -> Model:
    """The networks of a model, and its discriminator if there is one that can be read."""
    try:
        return convert.read(path, networks=[*networks, *(["D"] if "D" not in networks else [])])
    except InputError:
        return convert.read(path, networks=networks)


def decide_unread(recipe: Recipe, beside: Path | None = None, shipped: Shipped = NONE) -> tuple[Decisions, list[str]]:
    """All decisions of a recipe and its models' names; only descriptions are read, no weights."""
    paths = [_located(ingredient, beside, shipped) for ingredient in recipe.models]
    labels = [addresses.as_path(ingredient.path).name for ingredient in recipe.models]
    configs = [convert.read_config(path, networks=recipe.settings.networks) for path in paths]
    return decide(configs, labels, recipe.schedules, recipe.settings), labels


def decide_loaded(recipe: Recipe, loaded: Sequence[Loaded]) -> Decisions:
    """All decisions of a recipe for models that were read; InputError where they cannot be blended."""
    configs, labels = [each.model.config for each in loaded], [each.label for each in loaded]
    return decide(configs, labels, recipe.schedules, recipe.settings)


def find(path: str, beside: Path | None = None, shipped: Shipped = NONE) -> Path:
    """Where a model of a recipe lies now, fetching it if it has an address; `path` itself if nowhere."""
    if path in shipped:
        return shipped[path]
    if addresses.find(path) is not None:
        return convert.locate(path)
    folders = [Path()] if beside is None else [beside, Path()]
    tried = [*(folder / path for folder in folders), *(folder / Path(path).name for folder in folders)]
    return next((each for each in tried if each.exists()), Path(path))


def _file_sha256(path: Path) -> str | None:
    """SHA-256 of a file's bytes; None for a folder."""
    if path.is_dir():
        return None
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_the_one(ingredient: Ingredient, found: Loaded) -> bool:
    return ingredient.sha256 in (None, found.sha256, found.weights_sha256)


def _check_hash(ingredient: Ingredient, found: Loaded) -> None:
    if _is_the_one(ingredient, found):
        return
    what = f"is not the model of the recipe: its SHA-256 is {found.sha256[:12]}…, not {str(ingredient.sha256)[:12]}…"
    raise InputError(what, "find that file, or take sha256 out of the recipe", file=found.path)


def _check_distinct(loaded: Sequence[Loaded]) -> None:
    seen: dict[str, Loaded] = {}
    for each in loaded:
        twin = seen.setdefault(each.weights_sha256, each)
        if twin is not each:
            raise InputError(f"holds the same weights as {twin.path}", "pass different models", file=each.path)


def told(recipe: Recipe, loaded: Sequence[Loaded]) -> Recipe:
    """The recipe as outputs keep it: with the names and hashes of the models that were read for it."""
    models = tuple(
        dataclasses.replace(ingredient, path=each.name, sha256=each.sha256)
        for ingredient, each in zip(recipe.models, loaded, strict=True)
    )
    return dataclasses.replace(recipe, models=models)


def blend_recipe(recipe: Recipe, loaded: list[Loaded], *, consume: bool = False) -> Model:
    """The blend of a recipe, with the complete recipe in its lineage: paths, hashes, and sources as decided.

    Args:
      recipe: what to blend.
      loaded: its models, from `read_models`.
      consume: take the models out of `loaded`, so that memory stays below that of three; see `mix.blend_up`.
    """
    labels, models = [each.label for each in loaded], [each.model for each in loaded]
    complete = told(recipe, loaded)
    if consume:
        loaded.clear()
        mixed = blend_up(models, recipe.schedules, recipe.settings, labels=labels)
    else:
        additions = list(zip(models[1:], recipe.schedules, strict=True))
        mixed = blend_all(models[0], additions, recipe.settings, labels=labels)
    decided = {key: mixed.lineage["recipe"][key] for key in ("mapping", "noise", "w_avg")}
    whole = dataclasses.replace(complete, **decided)
    return dataclasses.replace(mixed, lineage={**mixed.lineage, "recipe": whole.to_json()})
