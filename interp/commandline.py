"""A recipe as people would type it: the line of `interp.blend` and the Python that make the same images."""

import shlex

from interp.recipes import Recipe
from interp.schedule_text import PRESETS
from stylegan_jax import values


def command(recipe: Recipe) -> str:
    """The line of `python -m interp.blend`; what is a default is left out."""
    base, first, *others = recipe.models
    words = ["python", "-m", "interp.blend", base.path, first.path, *_schedule(str(first.schedule))]
    for other in others:
        words += ["--add", f"{other.path}:{other.schedule}"]
    for name in ("mapping", "noise", "w_avg"):
        words += _flag(name.replace("_", "-"), getattr(recipe, name))
    for kind in recipe.kinds:
        words += ["--kind", kind]
    return shlex.join([*words, *_columns(recipe)])


def _schedule(text: str) -> list[str]:
    """The flags whose `ScheduleOptions.text` is `text`."""
    if text in PRESETS:
        return ["--preset", text]
    head, *options = text.split(":")
    name, _, value = head.partition("=")
    words = ["--compat", "pinkney", *_flag("swap", value)] if name == "pinkney" else _flag(name, value)
    for option in options:
        key, _, value = option.partition("=")
        words += _flag(key, value) if value else [f"--{key}"]
    return words


def _columns(recipe: Recipe) -> list[str]:
    """What stands in the columns of the sheet."""
    words = [word for file in recipe.w for word in ("--w", file)]
    words += _flag("w-space", recipe.w_space) if recipe.w else _flag("seeds", recipe.seeds)
    if recipe.psi != (1.0 if recipe.w else Recipe.psi):
        words += _flag("psi", f"{recipe.psi:.15g}")
    label = recipe.class_idx
    words += _flag("class", ",".join(map(str, label)) if isinstance(label, tuple) else label)
    for edit in recipe.edits:
        words += _flag("edit", edit)
    for file in recipe.directions:
        words += _flag("directions", file)
    for style in recipe.styles:
        words += _flag("style", style)
    words += _flag("mask", recipe.mask) + _flag("mask-at", recipe.mask_at)
    return [*words, *(["--same-w"] if recipe.same_w else [])]


def _flag(name: str, value: object) -> list[str]:
    """A flag and its value as two words, or as one where the value begins as a flag does; nothing for None."""
    if value is None:
        return []
    return [f"--{name}={value}"] if str(value).startswith("-") else [f"--{name}", str(value)]


def python(recipe: Recipe) -> str:
    """A program at whose end `images` are those of the blend, uint8 `[n h w c]`."""
    base, *others = recipe.models
    named = [f"{name}={getattr(recipe, name)!r}" for name in ("mapping", "noise", "w_avg") if getattr(recipe, name)]
    if recipe.kinds:
        named.append(f"kinds=[parse_kind(text) for text in {list(recipe.kinds)}]")
    if len(others) == 1 and not recipe.kinds and recipe.w_avg is None:
        imports, blend = [], ", ".join(["base", repr(others[0].path), repr(others[0].schedule), *named])
        mixed = f"mixed = sj.blend({blend})"
    else:
        imports = [f"from interp.alphas import Settings{', parse_kind' if recipe.kinds else ''}"]
        imports += ["from interp.mix import blend_all"]
        additions = ", ".join(f"({model.path!r}, {model.schedule!r})" for model in others)
        mixed = f"mixed = blend_all(base, [{additions}], Settings({', '.join(named)}))"
    more, images = _images(recipe)
    lines = ["import numpy as np", "", "import stylegan_jax as sj", *sorted([*imports, *more]), ""]
    return "\n".join([*lines, f"base = sj.load({base.path!r})", mixed, *images]) + "\n"


def _images(recipe: Recipe) -> tuple[list[str], list[str]]:
    """What the last lines import, and those lines."""
    if recipe.mask is not None:
        return _masked_images(recipe)
    imports, lines, edited = [], [], recipe.edits or recipe.styles
    if edited:
        imports += ["from stylegan_jax.editing.edits import step_of"]
        styles = f", styles={list(recipe.styles)}" if recipe.styles else ""
        lines += [f"step = step_of({list(recipe.edits)}, {list(recipe.directions)}, base{styles})"]
    if recipe.w:
        settings = f"{list(recipe.w)}, {recipe.w_space!r}, base, psi={recipe.psi!r}, class_idx=None"
        imports += ["from interp.given import given_ws", "from stylegan_jax.sampler import sample_ws"]
        ws = "step.moved(ws), shift=step.shift" if edited else "ws"
        lines += [f"ws = given_ws({settings}).values", f"images = np.concatenate([*sample_ws(mixed, {ws})])"]
        return imports, lines
    settings = f"{values.seeds(recipe.seeds)}, truncation_psi={recipe.psi!r}"
    settings += f", class_idx={recipe.class_idx!r}" if recipe.class_idx is not None else ""
    settings += (", mapping=base" if recipe.same_w else "") + (", **step.of_seeds" if edited else "")
    imports += ["from stylegan_jax.sampler import sample"]
    return imports, [*lines, f"images = np.concatenate([*sample(mixed, {settings})])"]


def _masked_images(recipe: Recipe) -> tuple[list[str], list[str]]:
    """As `_images`, for a recipe with a mask: a view of base and blend does what the sheet does."""
    imports = ["from interp.given import view_of", "from interp.masks import mask_of"]
    imports += ["from interp.recipes import from_json"]
    lines = [f"recipe = from_json({recipe.to_json()})", f"view = view_of(recipe, {values.seeds(recipe.seeds)}, base)"]
    lines += ["view = view.with_ws_of(base)"] if recipe.same_w else []
    lines += ["mask = mask_of(recipe, base.config.generator)"]
    return imports, [*lines, "images = view.masked_row(base, mixed, mask.pyramid())"]
