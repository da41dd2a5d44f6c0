"""Every remedy in the code is provoked and followed: what an error advises must do."""

import ast

import jax
import jax.numpy as jnp
import pytest

from stylegan_jax.train import start
from stylegan_jax.train.loop import Run
from stylegan_jax.train.state import initial_state
from tests.commands.remedies import shelf
from tests.commands.remedies.cases import CASES
from tests.commands.remedies.elsewhere import ELSEWHERE, NOT_YET
from tests.commands.remedies.places import keys
from tests.commands.remedies.running import Again, Said, follow, provoke
from tests.golden_data import ROOT


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shelf")
    shelf.fill(folder)
    return folder


def blank(config):
    """A state of zeros."""
    return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(lambda: initial_state(config)))


def marked():
    """The first case of each place, and as slow tests the others."""
    seen = set()
    for case in CASES:
        slow = case.slow or case.key in seen
        seen.add(case.key)
        yield pytest.param(case, id=case.name, marks=[pytest.mark.slow] if slow else [])


@pytest.mark.parametrize("case", [*marked()])
def test_a_remedy_is_said_where_it_stands_and_does(case, models, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(Run, "go", lambda run, state: 0)  # of training all that can refuse comes before its first step,
    monkeypatch.setattr(start, "initial_state", blank)  # and what its networks begin with compiles for long
    again, said = Again(case, models, tmp_path, monkeypatch.chdir), Said(capsys)
    again()
    said()
    line = provoke(case, keys()[case.key], said)
    follow(case, line, again, said)


def test_every_place_with_a_remedy_has_a_case():
    covered = {case.key for case in CASES} | set(ELSEWHERE)
    assert set(keys()) - covered == NOT_YET
    assert covered <= set(keys())


def test_what_other_tests_provoke_is_there():
    for named in ELSEWHERE.values():
        path, _, function = named.partition("[")[0].partition("::")
        tree = ast.parse((ROOT / path).read_text())
        assert function in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}, named
