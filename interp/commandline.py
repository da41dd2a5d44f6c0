"""A recipe as people would type it: the line of `interp.blend` and the Python that make the same picture."""

import shlex

from interp.recipes import Recipe
from interp.schedule_text import PRESETS


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
    return [*words, *(["--same-w"] if recipe.same_w else [])]


def _flag(name: str, value: object) -> list[str]:
    """A flag and its value as two words, or as one where the value begins as a flag does; nothing for None."""
    if value is None:
        return []
    return [f"--{name}={value}"] if str(value).startswith("-") else [f"--{name}", str(value)]


def python(recipe: Recipe) -> str:
    """The program whose `images` are those of the blend."""
    base, *others = recipe.models
    settings = {name: getattr(recipe, name) for name in ("mapping", "noise", "w_avg") if getattr(recipe, name)}
    lines = ["import numpy as np", "", "from interp.alphas import Settings, parse_kind"] if recipe.kinds else []
    lines = lines or ["import numpy as np", "", "from interp.alphas import Settings"]
    lines += ["from interp.mix import blend_all"]
    given = [f"{name}={value!r}" for name, value in settings.items()]
    if recipe.kinds:
        given.append(f"kinds=[parse_kind(text) for text in {list(recipe.kinds)!r}]")
    additions = ", ".join(f"({model.path!r}, {model.schedule!r})" for model in others)
    lines += ["from stylegan_jax import load, sampler", ""]
    lines += [f"base = load({base.path!r})"]
    lines += [f"mixed = blend_all(base, [{additions}], Settings({', '.join(given)}))"]
    lines += [*_images(recipe)]
    return "\n".join(lines) + "\n"


def _images(recipe: Recipe) -> list[str]:
    if recipe.w:
        psi = [] if recipe.psi == 1 else ["w_avg = mixed.networks['G_ema']['mapping.w_avg']"]
        return psi
    return []
