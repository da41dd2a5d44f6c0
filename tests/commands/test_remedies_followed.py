"""Every remedy in the code is provoked and followed: what an error advises must do."""

import ast
import errno
import os

import jax
import jax.numpy as jnp
import pytest

from stylegan_jax.errors import remedy_of
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


SYSTEM = {
    errno.ENOSPC: "free some space or choose another place",
    errno.EACCES: "change its permissions or choose another place",
    errno.ENOENT: "check the path: it may have gone meanwhile",
    errno.ENAMETOOLONG: "use a shorter name",
    errno.ELOOP: "check what the path leads to",
    errno.EEXIST: "check what the path leads to",
    errno.EMFILE: "close other programs, or raise the limit: ulimit -n 4096",
    errno.ENOMEM: "work on less at once, or use a machine with more memory",
    errno.ECONNRESET: "check the network and run the same command again",
    errno.EIO: "the disk or its connection fails: check it, or choose another place",
    errno.EBUSY: "run the same command again; if that does not help, choose another place",
}


@pytest.mark.parametrize("code", SYSTEM, ids=errno.errorcode.get)
def test_what_the_system_says_has_a_remedy_for_the_hands(code):
    assert remedy_of(OSError(code, os.strerror(code))) == SYSTEM[code]


def test_every_remedy_for_what_the_system_says_is_provoked():
    tree = ast.parse((ROOT / "stylegan_jax/errors.py").read_text())
    function = next(each for each in tree.body if isinstance(each, ast.FunctionDef) and each.name == "remedy_of")
    said = {ast.literal_eval(each.value) for each in ast.walk(function) if isinstance(each, ast.Return) and each.value}
    assert said == set(SYSTEM.values())
