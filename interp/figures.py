"""The command `python -m interp.figures`: labelled sheets of what blends of two models look like."""

import os
import sys
from typing import Annotated

import tyro

import stylegan_jax
from interp.argument_errors import flags_named
from interp.gallery import FIGURES
from interp.options import PairOptions, SheetOptions
from stylegan_jax import values
from stylegan_jax.commands import cli
from stylegan_jax.commands.flags import Flat
from stylegan_jax.errors import InputError
from stylegan_jax.storage.downloads import addresses


@flags_named()
def figures(
    which: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[NAME … BASE TRANSFER]")] = (),
    *,
    pair: Annotated[PairOptions, Flat],
    columns: Annotated[SheetOptions, Flat],
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
    from interp.drawing import Gallery
    from interp.given import view_of
    from interp.outputs import figure_paths
    from interp.replay import read_models
    from stylegan_jax.pictures import encoding

    names, models = _sorted(which)
    side = values.natural(cell, "--cell", low=16, high=1024)
    recipe = pair.recipe(models, columns, stylegan_jax.shipped_models())
    paths = figure_paths(recipe, names, out, overwrite=overwrite)
    loaded = read_models(recipe, None, stylegan_jax.shipped_models())
    gallery = Gallery(recipe, loaded, view_of(recipe, values.seeds(recipe.seeds), loaded[0].model), cell=side)
    for name, path in paths.items():
        encoding.write_picture(path, *gallery.draw(name), overwrite=overwrite)
    print(f"wrote {', '.join(map(str, paths.values()))}")


def _sorted(words: tuple[str, ...]) -> tuple[tuple[str, ...], list[str]]:
    """Names of figures (all where none is named) and of models; InputError for what is neither."""
    models = [word for word in words if word not in FIGURES]
    for word in models:
        known = os.path.exists(word) or word in stylegan_jax.shipped_models() or addresses.find(word)
        if not known:
            raise InputError(f"{word}: no such figure", f"use {', '.join(FIGURES)}, or name a model")
    return tuple(word for word in words if word in FIGURES) or tuple(FIGURES), models


if __name__ == "__main__":
    sys.exit(cli.run(figures, "python -m interp.figures"))
