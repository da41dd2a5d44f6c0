"""Cases of films, sheets and recipes."""

import stylegan_jax as sj
from interp.rendering import Renderer
from tests.commands.remedies.case import Case
from tests.commands.remedies.cases_interp import (
    BLEND,
    FILM,
    PAIR,
    REPLAY,
    REPLAYED,
    SHEET,
    WRITTEN,
    models,
    recipe,
    text,
)
from tests.tiny_models import tiny_model

SPAN = "write START..END, or one number"


def _mixed(source):
    """A blend as films make them, with the noise of `source`."""
    return Renderer([tiny_model(0), tiny_model(1)], ["a", "b"])._index(source)


_FILM = [
    Case(
        "interp/motion.py", SPAN, "film", f"{FILM} --alpha 0-1", follow=[f"{FILM} --alpha 0..1", f"{FILM} --alpha 0.5"]
    ),
    Case("interp/motion.py", SPAN, "film", f"{FILM} --swap 0..8", follow=[f"{FILM} --swap 2..8", f"{FILM} --swap 8"]),
    Case("interp/motion.py", "write single seeds, such as 1..5..9", "film", f"{FILM} --swap 4..8 --seeds 1..5-9"),
    Case("interp/rendering.py", "use {}", lambda: _mixed("both"), follow=lambda: _mixed("transfer")),
    Case(
        "stylegan_jax/pictures/video.py",
        "use {}",
        "film",
        f"{PAIR} --seconds 0.1 --fps 10 --size 16 --swap 4..8 --seeds 0 --out x.avi",
    ),
]

_SHEETS = [
    Case(
        "interp/figures.py",
        "use {}, or name a model",
        "figures",
        f"stripe {PAIR} --seeds 0 --out x.png",
        follow=[f"{name} {PAIR} --seeds 0 --out x.png" for name in ("strip", "bands")],
    ),
    Case(
        "interp/figures.py",
        "use {}, or name a model",
        "figures",
        "strip ffhq.safetensors no.pkl --seeds 0 --out x.png",
        follow=f"strip {PAIR} --seeds 0 --out x.png",
    ),
    Case("interp/given.py", "leave the class out", "blend", f"{SHEET} --w w.npy --class 1"),
    Case(
        "interp/given.py",
        "use psi 1",
        "blend",
        "flat.safetensors toon.safetensors --swap 8 --out x.png --w w.npy --psi 0.5",
        follow="flat.safetensors toon.safetensors --swap 8 --out x.png --w w.npy --psi 1",
    ),
    Case(
        "interp/sheets.py",
        "use at most {}",
        "blend",
        f"{SHEET} --seeds 0-200",
        follow=f"{SHEET} --seeds 0-199",
        slow=True,
    ),
    Case("interp/sheets.py", "leave it away", "blend", f"{SHEET} --seeds 0 --class 1"),
    Case(
        "interp/sheets.py",
        "use psi 1, which truncates nothing",
        "blend",
        "flat.safetensors toon.safetensors --swap 8 --seeds 0 --out x.png",
        follow="flat.safetensors toon.safetensors --swap 8 --seeds 0 --out x.png --psi 1",
    ),
    Case(
        "stylegan_jax/storage/atomic.py",
        "give the output another name",
        "blend",
        f"{PAIR} --swap 8 --no-sheet --out toon.safetensors --overwrite",
    ),
]

RECIPES = "interp/recipes.py"


def made_with_others():
    """A recipe whose hash is that of another file."""
    recipe(models=models(sha256="0" * 64))()


def without_hash():
    recipe()()


def moved():
    """A recipe whose model is nowhere to be seen."""
    recipe(models=[models()[0], {"path": "gone/away.safetensors", "schedule": "swap=8"}])()


_RECIPES = [
    Case(
        "stylegan_jax/storage/inputs.py",
        "save it as a file first",
        "blend",
        REPLAY.replace("r.yaml", "/dev/null"),
        recipe(),
        REPLAY,
    ),
    Case(RECIPES, "write a few, such as 0-7", "blend", REPLAY, recipe(seeds="0-99999999"), recipe(seeds="0-7")),
    Case(
        RECIPES,
        "list the base, then transfer models with schedules",
        "blend",
        REPLAY,
        recipe(models=models()[:1]),
        recipe(),
    ),
    Case(
        RECIPES,
        "write one such as swap=16 for each transfer model",
        "blend",
        REPLAY,
        recipe(models=[models()[0], {"path": "toon.safetensors"}]),
        recipe(models=models(schedule="swap=16")),
    ),
    Case(
        RECIPES,
        "write one such as swap=16 for each transfer model",
        "blend",
        REPLAY,
        recipe(models=[{"path": "ffhq.safetensors", "schedule": "swap=8"}, models()[1]]),
        recipe(),
    ),
    Case(
        RECIPES,
        "write a class, a list of numbers, or random",
        "blend",
        REPLAY,
        recipe(class_idx="cat"),
        recipe(class_idx="random"),
    ),
    Case(RECIPES, "write {}", "blend", REPLAY, recipe(kinds=[3]), recipe(kinds=["torgb=0.3"])),
    Case(
        RECIPES,
        "use G_ema or all",
        "blend",
        f"{BLEND} --swap 8 --networks E",
        follow=f"{BLEND} --swap 8 --networks G_ema",
    ),
    Case(
        RECIPES,
        "use G_ema or all",
        "blend",
        "whole.safetensors whole2.safetensors --no-sheet --out x.safetensors --swap 8 --networks E",
        build=lambda: sj.save(tiny_model(5, discriminator=True), "whole2.safetensors"),
    ),
    Case(RECIPES, "write {}", "blend", REPLAY, text("- a\n"), recipe()),
    Case(RECIPES, "write {}", "blend", REPLAY, recipe(seed="1"), recipe(seeds="1")),
    Case("stylegan_jax/storage/inputs.py", "{}", "blend", "--recipe no.yaml --dry-run", follow=recipe("no.yaml")),
    Case(
        RECIPES,
        "pass a picture or a model that interp.blend wrote",
        "blend",
        "--recipe ffhq.safetensors --no-sheet --out y.safetensors",
        follow=["blend " + SHEET + " --seeds 0"],
    ),
    Case(
        "interp/recipetext.py",
        "pass a YAML recipe, or an output of interp.blend",
        "blend",
        REPLAY,
        text("a: [\n"),
        recipe(),
    ),
    Case(
        "interp/replay.py",
        "put it beside the recipe, or name the file anew, as base or transfer",
        "blend",
        REPLAY,
        moved,
        follow=[f"{REPLAY} --transfer toon.safetensors", f"{REPLAY} ffhq.safetensors toon.safetensors"],
    ),
    Case(
        "interp/replay.py",
        "put it beside the recipe, or name the file anew, as base or transfer",
        "blend",
        REPLAY,
        moved,
        follow=lambda: sj.save(tiny_model(1), "away.safetensors"),
    ),
    Case(
        "interp/replay.py",
        "find that file, or take sha256 out of the recipe",
        "blend",
        REPLAYED,
        made_with_others,
        without_hash,
    ),
    Case(
        "interp/replay.py",
        "pass different models",
        "blend",
        "ffhq.safetensors ffhq.safetensors --swap 8 --no-sheet --out x.safetensors",
        follow=f"{WRITTEN} --swap 8",
    ),
]

CASES = [*_FILM, *_SHEETS, *_RECIPES]
