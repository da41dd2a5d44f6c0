"""The files that a blend is written to, and the names that outputs get by themselves."""

import dataclasses
import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

import convert
from convert.writing import made_up
from interp.recipes import Recipe, from_json, read, to_yaml
from stylegan_jax.errors import InputError
from stylegan_jax.pictures import encoding
from stylegan_jax.storage import atomic
from stylegan_jax.storage.checkpoint import Model
from stylegan_jax.storage.downloads import addresses

_RECIPES = (".yaml", ".yml")


def stem(model: str) -> str:
    """What outputs call a model that was named by path, address or name: `ffhq` for `models/ffhq.pkl`."""
    return addresses.as_path(model).stem


def joined(recipe: Recipe) -> str:
    """The models of a recipe in one word: BASE-x-TRANSFER, with further models behind."""
    return "-x-".join(stem(model.path) for model in recipe.models)


def slug(recipe: Recipe) -> str:
    """The default name of a blend: BASE-x-TRANSFER-SCHEDULE, with further models behind."""
    base, *others = recipe.models
    name = "-x-".join([stem(base.path), *(f"{stem(model.path)}-{model.schedule}" for model in others)])
    return re.sub(r"[^\w.,]+", "-", name)


def _free_name(recipe: Recipe) -> str:
    """`slug`, or with a hash behind it where the output of another blend has that name."""
    name = slug(recipe)
    there = next((path for path in (name, f"{name}.png") if os.path.lexists(path)), None)
    if there is None:
        return name
    try:
        if _is_alike(read(there), recipe):
            return name
    except InputError:
        pass  # nothing of ours
    return f"{name}-{hashlib.sha256(repr(recipe).encode()).hexdigest()[:6]}"


def _is_alike(made: Recipe, asked: Recipe) -> bool:
    """Whether a recipe could be what was asked: hashes and defaults are not known before models are read."""
    models = [
        [(os.path.basename(os.path.normpath(model.path)), model.schedule) for model in recipe.models]
        for recipe in (made, asked)
    ]
    settings = [dataclasses.asdict(dataclasses.replace(recipe, models=())) for recipe in (made, asked)]
    return models[0] == models[1] and all(value in (None, settings[0][key]) for key, value in settings[1].items())


class Outputs:
    """The model, sheet and recipe that one blend is written to; None for what is not wanted.

    Args:
      recipe: of the blend.
      out: the suffix says what is meant: `.png`, `.jpg`, `.webp` the sheet alone, `.yaml` the recipe alone, else the
        model, with the sheet as a `.png` of the same name beside it. None: BASE-x-TRANSFER-SCHEDULE,
        with a hash behind where the output of another blend has that name.
      sheet: whether a sheet is wanted beside the model.
      overwrite: replace what is there.

    Raises InputError for a suffix of another program's files, and where no output may be made.
    """

    def __init__(self, recipe: Recipe, out: str | None, *, sheet: bool, overwrite: bool):
        path = Path((slug(recipe) if overwrite else _free_name(recipe)) if out is None else out)
        suffix = path.suffix.lower()
        if out is not None:
            atomic.check_suffix(path, (*atomic.MODELS, *atomic.PICTURES, *_RECIPES))
        name = path.stem if suffix in atomic.MODELS else path.name
        beside = path.with_name(f"{name}.png") if sheet else None
        self.model = None if suffix in (*atomic.PICTURES, *_RECIPES) else path
        self.recipe = path if suffix in _RECIPES else None
        self.sheet = path if suffix in atomic.PICTURES else None if self.recipe else beside
        self.overwrite = overwrite
        for each in self.paths:
            atomic.output_path(each, overwrite=overwrite)

    @property
    def paths(self) -> list[Path]:
        """Everything that will be written."""
        return [path for path in (self.model, self.sheet, self.recipe) if path is not None]

    def check_no_input(self, inputs: Sequence[Path]) -> None:
        """Raises InputError if an output is one of the models to blend."""
        atomic.check_no_input(self.paths, inputs, "is one of the models to blend")

    def notes(self, mixed: Model) -> list[str]:
        """What the form of the model's file adds to the blend, a line each."""
        return [] if self.model is None else made_up(mixed, self.model)

    def write(self, mixed: Model, sheet: UInt8[np.ndarray, "H W 3"] | None) -> None:
        """Writes model, sheet and recipe, each whole or not at all."""
        if self.model is not None:
            convert.write(mixed, self.model, overwrite=self.overwrite)
        if self.sheet is not None and sheet is not None:
            encoding.write_picture(self.sheet, sheet, mixed.lineage, overwrite=self.overwrite)
        if self.recipe is not None:
            with atomic.new_file(self.recipe, overwrite=self.overwrite) as file:
                file.write(to_yaml(from_json(mixed.lineage["recipe"])).encode())


def figure_paths(recipe: Recipe, names: Sequence[str], out: str, *, overwrite: bool) -> dict[str, Path]:
    """Name → path of each figure: BASE-x-TRANSFER-NAME.png in the folder `out`; of one figure, `out` may be its file.

    Raises InputError where no output may be made.
    """
    if len(names) == 1 and Path(out).suffix.lower() in atomic.PICTURES:
        paths = {names[0]: Path(out)}
    else:
        atomic.check_suffix(out, ())
        paths = {name: Path(out) / f"{joined(recipe)}-{name}.png" for name in names}
    for path in paths.values():
        atomic.output_path(path, overwrite=overwrite)
    return paths
