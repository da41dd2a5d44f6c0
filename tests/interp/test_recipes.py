import json
import os
import shutil
from pathlib import Path

import pytest

import stylegan_jax as sj
from interp import recipes
from interp.blend import blend as door
from interp.mix import blend
from interp.recipes import Ingredient, Recipe
from interp.replay import blend_recipe, read_models
from interp.schedules import smooth, swap
from stylegan_jax.commands import cli
from stylegan_jax.errors import InputError
from stylegan_jax.pictures import images
from stylegan_jax.storage import checkpoint
from tests.saved_models import PAIR
from tests.tiny_models import tiny_model

MINIMAL = """
models:
- path: ffhq.safetensors
- path: toon.safetensors
  schedule: swap=8
"""


@pytest.fixture
def folder(folder, monkeypatch):
    """A working directory with two models, a blend of them, its sheet, and another directory.

    Where models were seen is remembered for it alone: other tests have models of the same bytes.
    """
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    options = (
        "--smooth",
        "8",
        "--width",
        "0.5",
        "--mapping",
        "base",
        "--keep",
        "affine",
        "--psi",
        "0.5",
        "--seeds",
        "1,3",
    )
    assert run(*PAIR, *options, "--out", "mixed.safetensors") == 0
    (folder / "elsewhere").mkdir()
    return folder


def run(*arguments):
    return cli.run(door, "python -m interp.blend", arguments)


def write(text, name="recipe.yaml"):
    with open(name, "w", encoding="utf-8") as file:
        file.write(text)
    return name


@pytest.mark.parametrize("carrier", ["mixed.png", "mixed.safetensors"])
def test_an_output_replayed_in_another_directory_gives_the_same_bytes(folder, monkeypatch, carrier):
    shutil.copy(carrier, "elsewhere")
    monkeypatch.chdir("elsewhere")
    assert run("--recipe", carrier, "--out", "again.safetensors") == 0
    for suffix in ("safetensors", "png"):
        assert (folder / f"elsewhere/again.{suffix}").read_bytes() == (folder / f"mixed.{suffix}").read_bytes()


def test_a_folder_and_a_written_recipe_replay_too(folder):
    assert run("--recipe", "mixed.png", "--no-sheet", "--out", "mixed") == 0
    assert run("--recipe", "mixed", "--out", "recipe.yaml") == 0
    assert run("--recipe", "recipe.yaml", "--no-sheet", "--out", "again.safetensors") == 0
    assert (folder / "again.safetensors").read_bytes() == (folder / "mixed.safetensors").read_bytes()


def test_models_that_moved_with_the_recipe_are_found_beside_it(folder, monkeypatch):
    place = folder / "elsewhere"
    for name in ("ffhq.safetensors", "toon.safetensors", "mixed.png"):
        shutil.move(name, place)
    assert run("--recipe", "elsewhere/mixed.png", "--no-sheet", "--out", "again.safetensors") == 0


def test_models_may_be_named_anew_but_must_have_the_recipes_hash(folder, capsys):
    os.rename("toon.safetensors", "cartoon.safetensors")
    assert run("--recipe", "mixed.png", "--out", "a.png") == 2
    assert "toon.safetensors: no such file" in capsys.readouterr().err
    assert run("--recipe", "mixed.png", "--transfer", "cartoon.safetensors", "--out", "a.png") == 0
    sj.save(tiny_model(7), "toon.safetensors")
    assert run("--recipe", "mixed.png", "--out", "b.png") == 2
    assert "toon.safetensors: is not the model of the recipe: its SHA-256 is" in capsys.readouterr().err
    assert not (folder / "b.png").exists()


def test_a_model_that_has_the_name_of_a_shipped_one_is_found_by_its_hash(folder):
    sj.save(tiny_model(7), "portraits.safetensors")
    os.rename("portraits.safetensors", "elsewhere.safetensors")
    models = (Ingredient(path="elsewhere.safetensors"), Ingredient(path="toon.safetensors", schedule="swap=8"))
    (first, second) = read_models(Recipe(models=models))
    shipped = {"portraits": folder / "toon.safetensors"}
    asked = (Ingredient(path="portraits", sha256=first.sha256), Ingredient(path="ffhq.safetensors", schedule="swap=8"))
    assert read_models(Recipe(models=asked), folder, shipped)[0].sha256 == first.sha256
    wrong = (Ingredient(path="portraits", sha256="0" * 64), asked[1])
    with pytest.raises(InputError, match="is not the model of the recipe"):
        read_models(Recipe(models=wrong), folder, shipped)
    assert second.sha256 != first.sha256


def test_a_recipe_by_hand_needs_only_models_and_schedules(folder):
    assert run("--recipe", write(MINIMAL), "--seeds", "0", "--out", "hand.safetensors") == 0
    found = sj.load("hand.safetensors").networks["G_ema"]
    for name, leaf in (
        blend(sj.load("ffhq.safetensors"), sj.load("toon.safetensors"), swap(8)).networks["G_ema"].items()
    ):
        assert found[name].tobytes() == leaf.tobytes()


def test_a_hash_by_hand_is_that_of_the_file_or_of_the_weights(folder):
    model = sj.load("toon.safetensors")
    weights = checkpoint.fingerprint(model)
    sj.save(model, "toon")
    for path in ("toon.safetensors", "toon"):
        chosen = (Ingredient(path="ffhq.safetensors"), Ingredient(path=path, sha256=weights, schedule="swap=8"))
        assert read_models(Recipe(models=chosen))[1].weights_sha256 == weights


def test_a_blend_may_be_a_parent_and_its_lineage_nests(folder):
    sj.save(tiny_model(5), "metfaces.safetensors")
    assert run("--base", "mixed.safetensors", "--transfer", "metfaces.safetensors", "--swap", "4", "--out", "next") == 0
    lineage = checkpoint.contents("next")[2]
    assert lineage["parents"][0]["recipe"]["models"][1]["schedule"] == "smooth=8:width=0.5"
    assert [parent["source"] for parent in lineage["parents"][0]["parents"]] == ["tiny-0", "tiny-1"]
    assert images.made_by("next.png")["parents"] == lineage["parents"]


def test_every_recipe_survives_json_and_yaml(tmp_path):
    models = (
        Ingredient(path="a b.pkl", sha256="0" * 64),
        Ingredient(path="ü.pkl", schedule="alpha=4=1 16=0.6 32=0"),
        Ingredient(path="c", schedule="only=8,32:invert"),
    )
    sources = {"mapping": "0.25", "noise": "transfer2", "w_avg": "base", "kinds": ("affine=0", "torgb=x0.5")}
    shown = {"seeds": "0-3,9", "psi": 0.5, "class_idx": 3, "same_w": True}
    whole = Recipe(models=models, networks="all", **sources, **shown)
    for recipe in (whole, Recipe(models=models)):
        assert recipes.from_json(json.loads(json.dumps(recipe.to_json()))) == recipe
        (tmp_path / "recipe.yaml").write_text(recipes.to_yaml(recipe), encoding="utf-8")
        assert recipes.read(tmp_path / "recipe.yaml") == recipe


def test_the_library_writes_the_same_recipe_as_the_command(folder):
    recipe = recipes.read("mixed.png")
    mixed = blend_recipe(recipe, read_models(recipe))
    assert mixed.lineage == checkpoint.contents("mixed.safetensors")[2]
    parents = blend(sj.load("ffhq.safetensors"), sj.load("toon.safetensors"), smooth(8, 0.5), mapping="base")
    assert recipes.from_json(parents.lineage["recipe"]).models[1].schedule == "smooth=8:width=0.5"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty (0 bytes)"),
        ("models: 3", "is not a recipe: models is 3"),
        ("[1, 2]", "is not a recipe"),
        ("models: [", "is no recipe"),
        ("\0", "is no recipe"),
        (MINIMAL + "same_w: !!bool x", "is no recipe ('x' is no bool)"),
        (MINIMAL + 'mask_at: !!int ""', "is no recipe ('' is no int)"),
        (MINIMAL + 'psi: !!float "_"', "is no recipe ('_' is no float)"),
        (MINIMAL + "seeds: !!timestamp x", "is no recipe ('x' is no timestamp)"),
        (MINIMAL.replace("swap=8", "swap=1" + "0" * 310), "--swap a huge number: not a resolution"),
        ("&a [*a]", "is not a recipe"),
        ("models: []", "names fewer than two models"),
        (MINIMAL + "seed: 3", "is not a recipe: seed is unknown"),
        (MINIMAL + "psi: high", "is not a recipe: psi is 'high'"),
        (MINIMAL + "- sha256: 3", "is not a model of the recipe: path is missing, sha256 is 3"),
        (MINIMAL.replace("  schedule: swap=8", ""), "toon.safetensors: no schedule"),
        (MINIMAL.replace("swap=8", "swop=8"), "swop=8: not a schedule"),
        (MINIMAL.replace("swap=8", "swap=64"), "--swap 64: not a resolution of this model"),
        (MINIMAL + "kinds: [ears=0]", "--kind ears=0"),
        (MINIMAL + "networks: H", "--networks H: no network H"),
        (MINIMAL + 'networks: "\\ufeffH"', r"--networks \ufeffH: no network \ufeffH"),
        (MINIMAL.replace("swap=8", '"swap=8:\\eb=1"'), r"--swap 8: takes no \x1bb"),
        (MINIMAL.replace("swap=8", '"\\e[2J=8"'), r"\x1b[2J=8: not a schedule"),
        (MINIMAL + "seeds: 5-1", "--seeds 5-1: ends before it begins"),
        (MINIMAL + "mapping: left", "--mapping left: not a source"),
    ],
)
def test_a_file_that_is_no_recipe_ends_with_2_and_says_why(folder, capsys, text, message):
    before = set(os.listdir())
    assert run("--recipe", write(text), "--out", "a.png") == 2
    shown = capsys.readouterr().err
    assert message in shown and shown.count("\n") == 1
    assert set(os.listdir()) == before | {"recipe.yaml"}


def test_a_recipe_too_large_to_be_one_is_refused(tmp_path):
    (tmp_path / "huge.yaml").write_text("#" * (2 << 20))
    with pytest.raises(InputError, match="far longer than such a file"):
        recipes.read(tmp_path / "huge.yaml")


@pytest.mark.parametrize("how", ["absolute", "relative"])
def test_outputs_name_models_by_file_and_hash_and_never_by_where_a_home_is(folder, monkeypatch, how):
    monkeypatch.chdir("elsewhere")
    home = folder if how == "absolute" else Path("..")
    pair = ("--base", str(home / "ffhq.safetensors"), "--transfer", str(home / "toon.safetensors"))
    assert run(*pair, "--swap", "8", "--seeds", "0", "--out", "mixed.safetensors") == 0
    for file in ("mixed.safetensors", "mixed.png"):
        told = Path(file).read_bytes()
        assert str(folder).encode() not in told and b".." not in told[:20_000]
    recipe = images.made_by("mixed.png")["recipe"]
    assert [model["path"] for model in recipe["models"]] == ["ffhq.safetensors", "toon.safetensors"]
    assert run("--recipe", "mixed.png", "--no-sheet", "--out", "again.safetensors") == 0
