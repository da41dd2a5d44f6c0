"""The models and ws that a page may name: those given at the start, those that ship, and what was dropped onto it."""

import dataclasses
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import convert
from convert import ws
from convert.ws import Ws
from interp import recipes
from interp.masks import INVERT, Mask, mask_of, parse_ellipse
from interp.recipes import Ingredient, Recipe
from interp.replay import NONE, Loaded, Shipped, read_models
from interp.studio.state import State, from_json
from stylegan_jax.config import GeneratorConfig
from stylegan_jax.editing import directionfile
from stylegan_jax.editing.directions import Directions, parse_edit
from stylegan_jax.editing.edits import Step, step_along
from stylegan_jax.errors import InputError, shown
from stylegan_jax.pictures import images
from stylegan_jax.storage.checkpoint import Model

_ASK = "drop its file onto the page"


@dataclasses.dataclass(frozen=True, eq=False)
class _Entry:
    """What a command calls a model, and the model itself once it was read."""

    typed: str
    loaded: Loaded | None = None


class Library:
    """Names → models and ws. Nothing else is ever opened for a page; several threads may ask at once.

    Args:
      models: what was typed for each model at the start, at least one.
      files: of ws, likewise.
      directions: files of them, likewise.
      shipped: models that are called by a bare name.

    Raises InputError, naming it, for a model or a file that is none.
    """

    def __init__(
        self,
        models: Sequence[str],
        files: Sequence[str] = (),
        directions: Sequence[str] = (),
        shipped: Shipped = NONE,
    ):
        self._shipped, self._turn = shipped, threading.RLock()
        self._models: dict[str, _Entry] = {}
        self._files: dict[str, str] = {}
        self._directions: dict[str, tuple[str, Directions]] = {}
        self._first = [self.add_model(typed) for typed in models]
        self._models |= {name: _Entry(name) for name in shipped if name not in self._models}
        for path in files:
            self.add_ws(path)
        for path in directions:
            self.add_directions(path)

    @property
    def models(self) -> list[str]:
        """Names of the models."""
        return list(self._models)

    @property
    def files(self) -> list[str]:
        """Names of the files of ws."""
        return list(self._files)

    @property
    def directions(self) -> dict[str, list[str]]:
        """Names of the directions in every file of them."""
        return {name: list(found.names) for name, (_, found) in self._directions.items()}

    def beginning(self) -> State:
        """What a page shows first: the models given at the start, the first transfer model swapped in up to 16×16."""
        resolutions = self.model(self._first[0]).model.config.generator.resolutions
        r_swap = 16 if 16 in resolutions[:-1] else resolutions[max(len(resolutions) - 2, 0)]
        texts = [None, f"swap={r_swap}", *["alpha=0"] * (len(self._first) - 2)]
        models = [Ingredient(path=name, schedule=text) for name, text in zip(self._first, texts, strict=True)]
        shown: dict[str, Any] = {"w": (self.files[0],), "psi": 1.0} if self._files else {"seeds": "0"}
        return State(recipe=Recipe(models=tuple(models), **shown))

    def model(self, name: str) -> Loaded:
        """The model of that name, read when it is first asked for; InputError if there is none."""
        with self._turn:
            entry = self._models.get(name)
            if entry is None:
                raise InputError("no such model here", _ASK, file=shown(name))
            loaded = entry.loaded or self._read(entry.typed)
            self._models[name] = _Entry(entry.typed, loaded)
            return loaded

    def _read(self, typed: str) -> Loaded:
        (loaded,) = read_models(Recipe(models=(Ingredient(path=typed),)), None, self._shipped)
        return loaded

    def add_model(self, typed: str, name: str | None = None) -> str:
        """Reads a model and returns its name here. Raises InputError for what is none."""
        loaded = self._read(typed)
        with self._turn:
            name = _free(name or loaded.label, self._models)
            self._models[name] = _Entry(typed, loaded)
        return name

    def add_ws(self, path: str, name: str | None = None) -> str:
        """Adds a file of ws and returns its name here. Raises InputError where the first model cannot take them."""
        with self._turn:
            _ws(path, self.model(self._first[0]).model, None)
            name = _free(name or Path(path).name, self._files)
            self._files[name] = path
        return name

    def ws(self, name: str, base: Model, space: str | None = None) -> Ws:
        """The ws of that name for a model; InputError if there are none, or none of its shape."""
        path = self._files.get(name)
        if path is None:
            raise InputError("no such ws here", _ASK, file=shown(name))
        return _ws(path, base, space)

    def add_directions(self, path: str, name: str | None = None) -> str:
        """Adds a file of directions and returns its name here. Raises InputError where they fit the first model not."""
        config = self.model(self._first[0]).model.config.generator
        found = directionfile.read(path, config)
        with self._turn:
            name = _free(name or Path(path).name, self._directions)
            self._directions[name] = path, found
        return name

    def step(self, recipe: Recipe, base: Model, *, seeds: bool) -> Step:
        """The edits of a recipe as one step; InputError for directions that are not here, as `step_along` for others.

        `seeds` says whether seeds are shown.
        """
        known = [self._along(name) for name in recipe.directions if recipe.edits]
        return step_along(recipe.edits, known, base, styles=recipe.styles, seeds=seeds)

    def of_styles(self, recipe: Recipe) -> tuple[str, ...]:
        """The edits of a recipe that move styles: those that its ws do not show."""
        moving = {n for name in recipe.directions if (d := self._along(name)).space == "style" for n in d.names}
        return tuple(text for text in recipe.edits if parse_edit(text).name in moving)

    def _along(self, name: str) -> Directions:
        if name not in self._directions:
            raise InputError("no such directions here", _ASK, file=shown(name))
        return self._directions[name][1]

    def mask(self, recipe: Recipe, config: GeneratorConfig) -> Mask | None:
        """The mask of a recipe; InputError for one that is a file, which is never opened for a page."""
        if recipe.mask is not None and parse_ellipse(recipe.mask.removesuffix(INVERT)) is None:
            raise InputError(
                "is a mask in a file, and a page shows ellipses alone", "write ellipse", file=shown(recipe.mask)
            )
        return mask_of(recipe, config)

    def add(self, path: Path, name: str) -> tuple[str, Any]:
        """What a dropped file brings: ("model", its name), ("w" or "directions", its name) or ("state", what made the
        picture).

        Raises InputError for a file that is none of these.
        """
        suffix = Path(name).suffix.lower()
        with convert.naming(path, name):
            if suffix in (".png", ".yaml", ".yml"):
                return "state", self.as_named(_carried(path, suffix))
            if suffix == ".npz" and directionfile.is_ours(path):
                return "directions", self.add_directions(str(path), name)
            if suffix in (".npy", ".npz"):
                return "w", self.add_ws(str(path), name)
            return "model", self.add_model(str(path), name)

    def as_typed(self, recipe: Recipe) -> Recipe:
        """A page's recipe with models and ws as a command line finds them."""
        models = tuple(dataclasses.replace(each, path=self._typed(each.path)) for each in recipe.models)
        w = tuple(self._files.get(each, each) for each in recipe.w)
        directions = tuple(self._directions.get(each, (each,))[0] for each in recipe.directions)
        return dataclasses.replace(recipe, models=models, w=w, directions=directions)

    def _typed(self, name: str) -> str:
        return self._models[name].typed if name in self._models else name

    def as_named(self, state: State) -> State:
        """A state from outside in the names of the library: models by hash, or by name where it has none.

        Raises InputError for models and ws that are not here.
        """
        recipe = state.recipe
        models = tuple(dataclasses.replace(each, path=self._named(each), sha256=None) for each in recipe.models)
        parts = {
            "w": _known(recipe.w, self._files, "asks for ws that are not here"),
            "directions": _known(recipe.directions, self._directions, "asks for directions that are not here"),
        }
        return dataclasses.replace(state, recipe=dataclasses.replace(recipe, models=models, **parts))

    def _named(self, wanted: Ingredient) -> str:
        alike = [name for name, entry in self._models.items() if wanted.path in (name, entry.typed)]
        if wanted.sha256 is None and alike:
            return alike[0]
        for name in dict.fromkeys([*alike, *self._models]):
            loaded = self.model(name)
            if wanted.sha256 in (loaded.sha256, loaded.weights_sha256):
                return name
        raise InputError("is a model that is not here", _ASK, file=shown(wanted.path))


def _known(paths: Sequence[str], there: Mapping[str, Any], lacking: str) -> tuple[str, ...]:
    """The names of files that are there under these; InputError for the first that is not."""
    names = tuple(Path(path).name for path in paths)
    for name in names:
        if name not in there:
            raise InputError(lacking, _ASK, file=shown(name))
    return names


def _ws(path: str, base: Model, space: str | None) -> Ws:
    config = base.config.generator
    return ws.read([path], num_ws=config.num_ws, w_dim=config.w_dim, space=space)


def _carried(path: Path, suffix: str) -> State:
    """The recipe of a picture or of a YAML file; of a picture of the studio, the point of the pad too."""
    recipe = recipes.read(path)
    pad = images.made_by(path).get("pad") if suffix == ".png" else None
    return State(recipe=recipe) if pad is None else from_json({**recipe.to_json(), "pad": pad})


def _free(name: str, taken: Mapping[str, Any]) -> str:
    """The name, or the first of `name (2)`, `name (3)`, … that nothing has yet."""
    count, free = 1, name
    while free in taken:
        count += 1
        free = f"{name} ({count})"
    return free
