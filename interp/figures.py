"""The command `python -m interp.figures`: labelled sheets of what blends of two models look like."""

import dataclasses
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

import stylegan_jax
from interp.options import Flat, Pair, Pictures
from stylegan_jax.commands import cli
from stylegan_jax.errors import InputError
from stylegan_jax.storage.downloads import addresses

if TYPE_CHECKING:
    from interp.recipes import Recipe
    from interp.rendering import Renderer
    from interp.replay import Loaded
    from interp.sheets import Row, View

NAMES = ("strip", "paper", "uncurated", "sweep", "widths", "bands", "alphas")
FIELD = 36  # seeds of the uncurated figure


def figures(
    which: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[NAME … BASE TRANSFER]")] = (),
    *,
    pair: Annotated[Pair, Flat],
    pictures: Annotated[Pictures, Flat],
    cell: Annotated[str, tyro.conf.arg(metavar="PIXELS")] = "256",
    out: str = ".",
    overwrite: bool = False,
) -> None:
    """Draws sheets of blends of two models: which resolution does what?

    python -m interp.figures sweep bands ffhq.pkl toon.pkl --out figures

    Args:
      which: strip (three hand-overs), paper (its figure 1), uncurated (36 seeds), sweep (every hand-over, both ways),
        widths (soft hand-overs), bands (each single resolution), alphas (one share for all layers, and beyond); all
        of them by default. Other words are the models.
      cell: the largest side of an image in a sheet.
      out: the folder for BASE-x-TRANSFER-NAME.png; of one figure, its .png, .jpg or .webp.
      overwrite: replace what is there.
    """
    from interp.given import view_of
    from interp.rendering import Renderer
    from interp.replay import read_models

    which, models = _sorted(which)
    side = cli.natural(cell, "--cell", low=16, high=1024)
    recipe = pair.recipe(models, pictures, stylegan_jax.shipped_models())
    targets = {name: _place(out, recipe, name, overwrite, alone=len(which) == 1) for name in which}
    loaded = read_models(recipe, None, stylegan_jax.shipped_models())
    renderer = Renderer([each.model for each in loaded], [each.label for each in loaded])
    view = view_of(recipe, cli.seeds(recipe.seeds), loaded[0].model)
    view.check(renderer.models, [each.label for each in loaded])
    for name, target in targets.items():
        _draw(name, recipe, loaded, renderer, view, target, side, overwrite)
    print(f"wrote {', '.join(map(str, targets.values()))}")


def _sorted(words: tuple[str, ...]) -> tuple[tuple[str, ...], list[str]]:
    """Names of figures (all where none is named) and of models; InputError for what is neither."""
    models = [word for word in words if word not in NAMES]
    for word in models:
        known = os.path.exists(word) or word in stylegan_jax.shipped_models() or addresses.find(word)
        if not known:
            raise InputError(f"{word}: no such figure", f"use {', '.join(NAMES)}, or name a model")
    return tuple(word for word in words if word in NAMES) or NAMES, models


def _place(out: str, recipe: "Recipe", name: str, overwrite: bool, *, alone: bool) -> Path:
    from stylegan_jax.storage import atomic

    if alone and Path(out).suffix.lower() in atomic.PICTURES:
        return atomic.check_place(out, overwrite=overwrite) and Path(out)
    atomic.check_suffix(out, ())
    base, transfer = (addresses.place_of(model.path).stem for model in recipe.models)
    target = Path(out) / f"{base}-x-{transfer}-{name}.png"
    atomic.check_place(target, overwrite=overwrite)
    return target


def _draw(
    name: str,
    recipe: "Recipe",
    loaded: "list[Loaded]",
    renderer: "Renderer",
    view: "View",
    target: Path,
    cell: int,
    overwrite: bool,
) -> None:
    from tqdm import tqdm

    from interp.gallery import FIGURES
    from interp.sheets import View, framed_sheet
    from stylegan_jax.pictures import encoding

    field = name == "uncurated" and not recipe.w
    if field:
        view = View(range(FIELD), recipe.psi, recipe.class_idx)
        view.check(renderer.models, [each.label for each in loaded])
    wanted = FIGURES[name](renderer.config.resolutions)
    rows = [
        _row(schedule, recipe, renderer, view) for _, schedule in tqdm(wanted, name, disable=None, delay=2, leave=False)
    ]
    title = f"{name}: {' x '.join(Path(each.label).stem for each in loaded)}, psi {recipe.psi:g}"
    shown: dict[str, Any] = {
        "row_labels": [label for label, _ in wanted],
        "column_labels": view.labels,
    }
    if field:
        title = f"{title}, {wanted[0][0]}, seeds 0-{FIELD - 1}, none left out"
        rows, shown = [rows[0][start : start + 9] for start in range(0, FIELD, 9)], {}
    made_by = {"figure": name, "rows": [schedule.text for _, schedule in wanted], **_facts(recipe, loaded)}
    encoding.write_picture(target, framed_sheet(rows, title=title, cell=cell, **shown), made_by, overwrite=overwrite)


def _row(schedule: Any, recipe: "Recipe", renderer: "Renderer", view: "View") -> "Row":
    from interp.alphas import resolve_sources

    sources = resolve_sources([schedule], recipe.mapping, recipe.noise, None)
    ws = view.ws_of(renderer.model("base" if recipe.same_w else sources.mapping))
    return renderer.images([schedule], sources, ws)


def _facts(recipe: "Recipe", loaded: "list[Loaded]") -> dict[str, Any]:
    models = [{"path": each.name, "sha256": each.sha256} for each in loaded]
    return {**dataclasses.asdict(recipe), "models": models}


if __name__ == "__main__":
    sys.exit(cli.run(figures, "python -m interp.figures"))
