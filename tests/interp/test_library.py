"""The blend as Python meets it: arguments of every kind, signatures that say all, errors without flags."""

import ast
import re

import numpy as np
import pytest

import stylegan_jax as sj
from interp import motion, recipes, schedules
from interp.alphas import parse_kind
from interp.argument_errors import ArgumentError, flags_named
from interp.mix import blend, blend_all
from interp.replay import read_models
from interp.schedule_text import parse
from interp.schedules import smooth, swap
from interp.sheets import View
from stylegan_jax.errors import InputError
from stylegan_jax.storage import shipped
from tests.golden_data import ROOT
from tests.interp.leaves import assert_same_bits, weights
from tests.saved_models import BASE, TRANSFER
from tests.tiny_models import tiny_model

DOORS = ("blend", "diagnose", "edit", "figures", "film", "toonify", "__main__")
ABOUT_FLAGS = ("commandline", "filmforms", "filmoptions", "maskoptions", "options", "walkoptions")
MODULES = sorted((ROOT / "interp").rglob("*.py"))


def assert_same_blend(found, expected):
    assert found.lineage["recipe"]["models"][1]["schedule"] == expected.lineage["recipe"]["models"][1]["schedule"]
    for name, leaf in weights(expected).items():
        assert_same_bits(weights(found)[name], leaf)


@pytest.mark.parametrize(
    ("given", "schedule"),
    [
        (8, swap(8)),
        (np.int64(8), swap(8)),
        ("swap=8", swap(8)),
        ("smooth=8:width=0.5", smooth(8, 0.5)),
        ("texture", parse("swap=16:invert")),
    ],
    ids=lambda value: getattr(value, "text", str(value)),
)
def test_a_schedule_may_be_its_text_or_r_swap_alone(base, transfer, given, schedule):
    assert_same_blend(blend(base, transfer, given), blend(base, transfer, schedule))
    assert_same_blend(blend_all(base, [(transfer, given)]), blend(base, transfer, schedule))


def test_what_is_no_schedule_is_refused(base, transfer):
    with pytest.raises(InputError, match="zoom=3: not a schedule"):
        blend(base, transfer, "zoom=3")
    with pytest.raises(InputError, match=r"swap=24: not a resolution of this model — use 4, 8, 16$"):
        blend(base, transfer, 24)


def test_models_may_be_paths_and_names_of_shipped_models(folder, monkeypatch):
    monkeypatch.setattr(shipped, "_MODELS", folder)
    expected = blend(sj.load(BASE), sj.load(TRANSFER), 8)
    for base, transfer in ((BASE, TRANSFER), (folder / BASE, folder / TRANSFER), ("ffhq", sj.load(TRANSFER))):
        found = blend(base, transfer, 8)
        assert_same_blend(found, expected)
        assert found.lineage == expected.lineage
    with pytest.raises(InputError, match=r"gone\.pkl: no such file"):
        blend(BASE, "gone.pkl", 8)


def test_a_path_blends_as_the_model_that_load_reads_from_it_and_keeps_its_discriminator(folder):
    sj.save(tiny_model(4, discriminator=True), "whole.safetensors")
    found = blend("whole.safetensors", TRANSFER, 8)
    assert set(found.networks) == {"G_ema", "D"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_no_public_function_hides_its_options(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            assert node.args.kwarg is None, node.name


@pytest.mark.parametrize(
    "path", [path for path in MODULES if path.stem not in (*DOORS, *ABOUT_FLAGS)], ids=lambda path: path.stem
)
def test_no_text_below_the_commands_names_a_flag(path):
    tree = ast.parse(path.read_text())
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    texts = [str(node.value) for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in docs]
    assert not [text for text in texts if re.search(r"(?<![\w-])--[a-z]", text)]


REFUSED = {
    "mapping=toon: not a source": lambda: blend(tiny_model(1), tiny_model(2), 8, mapping="toon"),
    "w_avg=toon: not a source": lambda: blend(tiny_model(1), tiny_model(2), 8, w_avg="toon"),
    "alpha-layers: 1 values": lambda: blend(tiny_model(1), tiny_model(2), "alpha-layers=1"),
    "bare: has no w_avg to average — take w_avg from base or transfer": lambda: blend(
        tiny_model(1), tiny_model(2, w_avg_beta=None), 8, mapping=0.5, labels=["a", "bare"]
    ),
    "alpha=nan: not a number α can be": lambda: schedules.constant(float("nan")),
    "alpha: no values": lambda: schedules.points({}),
    "kind=ears=0: 'ears' is no kind of tensor": lambda: parse_kind("ears=0"),
    "networks=H: no network H": lambda: recipes.parse_networks("H"),
    "swap=0..4: not a span from 1 to 2048 — write START..END": lambda: motion.moving("swap", "0..4"),
    "seeds: 201 columns are too many": lambda: View(range(201)).check([], []),
    "class_idx=1: none of the models is conditional": lambda: View([0], class_idx=1).check([tiny_model(1)], ["a"]),
    "bare: has no w_avg to truncate towards — use psi 1": lambda: View([0]).check(
        [tiny_model(1, w_avg_beta=None)], ["bare"]
    ),
    "gone.pkl: no such file here, nor beside the recipe — put it": lambda: read_models(
        recipes.from_json({"models": [{"path": "gone.pkl"}, {"path": "b", "schedule": "swap=8"}]}), ROOT
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_errors_name_arguments_and_no_flags(message):
    with pytest.raises(InputError) as refused:
        REFUSED[message]()
    assert str(refused.value).startswith(message) and "--" not in str(refused.value)


def test_commands_name_the_flag_of_an_argument():
    for value, line in (("toon", "--w-avg toon: wrong — mend it"), (None, "--w-avg: wrong — mend it")):
        with pytest.raises(InputError) as refused, flags_named():
            raise ArgumentError("w_avg", value, "wrong", "mend it")
        assert str(refused.value) == line
