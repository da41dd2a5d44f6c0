"""What stands in the columns of a sheet: seeds, or the ws of files that projection and encoders write."""

import dataclasses
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from convert import ws
from convert.ws import Ws
from interp.recipes import Recipe
from interp.sheets import View
from stylegan_jax.editing.edits import step_of, warned
from stylegan_jax.errors import InputError
from stylegan_jax.sampler.latents import Label, truncate
from stylegan_jax.storage.checkpoint import Model


def view_of(recipe: Recipe, seeds: Sequence[int], base: Model) -> View:
    """The columns that a recipe asks for: its seeds, or ws; these lie in the base's W, so its w_avg truncates them.

    Prints how files of ws were read, and warns of edits along directions of another W.
    """
    edits, directions = recipe.edits, recipe.directions
    step = warned(step_of(edits, directions, base, styles=recipe.styles, seeds=not recipe.w))
    if not recipe.w:
        return View(seeds, recipe.psi, recipe.class_idx, **step.of_seeds)
    found = given_ws(recipe.w, recipe.w_space, base, psi=recipe.psi, class_idx=recipe.class_idx)
    return View((), recipe.psi, ws=found.values, names=found.names, **step.of_ws)


def given_ws(files: Sequence[str], space: str | None, base: Model, *, psi: float, class_idx: Label) -> Ws:
    """The ws of files for a model, pulled towards its w_avg; prints how each array was read.

    Raises InputError for files that hold none, and for a class.
    """
    config = base.config.generator
    if class_idx is not None:
        raise InputError("class: ws are beyond the mapping network", "leave the class out")
    check_truncation(base, psi)
    found = ws.read(files, num_ws=config.num_ws, w_dim=config.w_dim, space=space)
    print("\n".join(found.said))
    return dataclasses.replace(found, values=truncated(found.values, base, psi))


def check_truncation(base: Model, psi: float) -> None:
    """Raises InputError where a psi asks for a w_avg that the model does not have."""
    if psi != 1 and base.config.generator.w_avg_beta is None:
        raise InputError("the base has no w_avg to truncate towards", "use psi 1")


def truncated(ws: Float[np.ndarray, "n l d"], base: Model, psi: float) -> Float[np.ndarray, "n l d"]:
    """Ws pulled towards the base's w_avg, in whose W they lie; InputError as `check_truncation`."""
    check_truncation(base, psi)
    if psi == 1:
        return ws
    return np.asarray(truncate(jnp.asarray(ws), jnp.asarray(base.networks["G_ema"]["mapping.w_avg"]), psi))
