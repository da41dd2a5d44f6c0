"""Generators in other programs' checkpoints, and what may lie beside them."""

import argparse
import collections
import json
import pickle
import sys
import types
import zipfile

import numpy as np
import pytest

import convert
from convert import rosinality
from convert.__main__ import main
from convert.pickles import torch_file, unpickle
from convert.pickles.allowed import Budget
from stylegan_jax.commands import cli
from stylegan_jax.errors import InputError
from tests.tiny_models import tiny_model

MODEL = tiny_model(img_resolution=8)
W_AVG = MODEL.networks["G_ema"]["mapping.w_avg"]


def rosinality_table(model=MODEL, prefix=""):
    tree = rosinality._tree(model)
    return {f"{prefix}{name}": leaf for name, leaf in tree["g_ema"].items()}


def official_table(model=MODEL, prefix="", network="G_ema"):
    return {f"{prefix}{name}": leaf for name, leaf in model.networks[network].items()}


def saved(path, tree):
    with open(path, "wb") as file:
        torch_file.save_zip(file, tree)
    return path


def read(tmp_path, tree, **options):
    return convert.read(saved(tmp_path / "x.pt", tree), **options)


def same(found, model=MODEL, network="G_ema"):
    for name, leaf in model.networks[network].items():
        np.testing.assert_allclose(found.networks[network][name], leaf, rtol=1e-6, err_msg=name)


ENCODER = {"encoder.body.0.weight": np.ones((2, 2), np.float32)}
TREES = {
    "e4e": {"state_dict": {**ENCODER, **rosinality_table(prefix="decoder.")}, "latent_avg": W_AVG, "opts": {"a": 1}},
    "a mean w for each layer": {
        "state_dict": rosinality_table(prefix="net.decoder."),
        "latent_avg": np.stack([W_AVG] * 4),
    },
    "DataParallel": {"g_ema": rosinality_table(prefix="module."), "latent_avg": W_AVG},
    "mean w under the prefix": {"model": {**rosinality_table(prefix="generator."), "generator.latent_avg": W_AVG}},
    "deeper tables": {"a": {"b": {"generator": rosinality_table(), "latent_avg": W_AVG}}},
    "flat, with a prefix": {**rosinality_table(prefix="G_ema."), "latent_avg": W_AVG},
    "official in a table": {"state_dict": official_table()},
    "official below a prefix": {"model": {**ENCODER, **official_table(prefix="module.G_ema.")}},
    "official beside an encoder": {**ENCODER, **official_table()},
    "two generators with roles": {"g": official_table(tiny_model(1, img_resolution=8)), "g_ema": official_table()},
}


@pytest.mark.parametrize("title", TREES)
def test_a_generator_is_found_below_any_table_and_prefix(tmp_path, title):
    same(read(tmp_path, TREES[title]))


def test_generator_discriminator_and_average_keep_their_roles(tmp_path):
    model = tiny_model(img_resolution=8, discriminator=True)
    tree = {"g_ema": official_table(model, "module."), "d": official_table(model, "module.", "D")}
    found = read(tmp_path, tree)
    same(found, model)
    same(found, model, "D")


def test_the_report_keeps_the_names_of_the_file(tmp_path):
    path, report = saved(tmp_path / "x.pt", TREES["e4e"]), tmp_path / "r.json"
    assert cli.run(main, "convert", [str(path), str(tmp_path / "x.safetensors"), "--report", str(report)]) == 0
    rows = {row["target"]: row["source"] for row in json.loads(report.read_text())}
    assert rows["mapping.fc0.weight"] == "decoder.style.1.weight"
    assert rows["mapping.w_avg"] == "latent_avg"


def test_several_generators_are_listed_and_a_key_chooses(tmp_path, capsys):
    other = tiny_model(1, img_resolution=8)
    path = saved(tmp_path / "x.pt", {"face": official_table(), "nets": official_table(other, "toon.")})
    assert cli.run(main, "convert", [str(path), str(tmp_path / "a")]) == 2
    assert "x.pt: holds several generators: face, nets.toon — choose one" in capsys.readouterr().err
    assert cli.run(main, "convert", [str(path), str(tmp_path / "a.safetensors"), "--key", "nets.toon"]) == 0
    same(convert.read(tmp_path / "a.safetensors"), other)
    assert cli.run(main, "convert", [str(path), str(tmp_path / "b"), "--key", "cat"]) == 2
    assert "no generator called cat: face, nets.toon" in capsys.readouterr().err


def test_a_network_that_is_asked_for_by_its_role_needs_no_key(tmp_path):
    trees = {"g_ema": official_table(), "one": official_table(), "two": official_table()}
    same(read(tmp_path, trees, networks=["G_ema"]))


def test_what_lacks_a_tensor_is_no_generator(tmp_path):
    table = rosinality_table(prefix="decoder.")
    del table["decoder.conv1.conv.weight"]
    with pytest.raises(InputError, match=r"synthesis\.b4\.conv1\.weight: missing"):
        read(tmp_path, {"state_dict": table})


def test_an_unpacked_file_is_read_from_its_folder_and_its_part_names_it(tmp_path):
    with zipfile.ZipFile(saved(tmp_path / "x.pt", TREES["e4e"])) as archive:
        archive.extractall(tmp_path / "out")
    for folder in (tmp_path / "out" / "archive", tmp_path / "out"):
        same(convert.read(folder))
    with pytest.raises(InputError, match=r"unpacked torch archive.*pass its folder: .*archive$"):
        convert.read(tmp_path / "out" / "archive" / "data.pkl")
    (tmp_path / "alone.pkl").write_bytes((tmp_path / "out" / "archive" / "data.pkl").read_bytes())
    with pytest.raises(InputError, match=r"alone\.pkl: is the data\.pkl of an unpacked torch archive"):
        convert.read(tmp_path / "alone.pkl")


def load(tree, protocol=2):
    budget = Budget()
    return unpickle.load(memoryview(pickle.dumps(tree, protocol)), None, budget), list(budget.left_aside)


@pytest.mark.parametrize("protocol", range(6))
def test_containers_of_the_standard_library_are_read(protocol):
    namespace = argparse.Namespace(lr=0.1, inner=types.SimpleNamespace(a=1))
    counts, queue = collections.Counter("aab"), collections.deque([1, 2], maxlen=5)
    defaults = collections.defaultdict(list, {"a": [1]})
    tree = {"opts": namespace, "counts": counts, "queue": queue, "defaults": defaults, "cold": frozenset("ab")}
    found, aside = load(tree, protocol)
    assert (found["counts"], found["queue"], found["defaults"]) == ({"a": 2, "b": 1}, [1, 2], {"a": [1]})
    assert found["opts"].state["lr"] == 0.1 and found["opts"].state["inner"].state == {"a": 1}
    assert found["cold"] == {"a", "b"} and aside == []


@pytest.fixture
def elsewhere(monkeypatch):
    """A module that the reader's machine will not have, with a learning-rate scheduler."""
    module = types.ModuleType("project.schedulers")
    exec("class Warmup:\n  pass\nclass Options(dict):\n  pass\ndef run(): pass", module.__dict__)
    monkeypatch.setitem(sys.modules, "project", types.ModuleType("project"))
    monkeypatch.setitem(sys.modules, "project.schedulers", module)
    return module


@pytest.mark.parametrize("protocol", range(2, 6))
def test_other_objects_are_left_aside_and_named(elsewhere, protocol):
    scheduler, options = elsewhere.Warmup(), elsewhere.Options(a=1)
    scheduler.factors = [1, 2]
    found, aside = load({"x": np.ones(2, np.float32), "lr": scheduler, "options": options}, protocol)
    np.testing.assert_array_equal(found["x"], [1, 1])
    assert found["lr"].opaque and aside == ["project.schedulers.Warmup", "project.schedulers.Options"]


def test_an_object_beside_the_network_is_named_in_note_and_report(tmp_path, elsewhere, capsys):
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps({"state_dict": official_table(), "scheduler": elsewhere.Warmup()}, 4))
    report = tmp_path / "r.json"
    assert cli.run(main, "convert", [str(path), str(tmp_path / "y.safetensors"), "--report", str(report)]) == 0
    assert "note: left aside, unread: project.schedulers.Warmup" in capsys.readouterr().out
    assert json.loads(report.read_text())[-1]["source"] == "project.schedulers.Warmup"
    same(convert.read(tmp_path / "y.safetensors"))


def test_an_object_in_the_network_s_place_is_refused_by_name(elsewhere):
    with pytest.raises(InputError, match=r"asks for project\.schedulers\.Warmup"):
        load(elsewhere.Warmup())


def test_a_function_elsewhere_is_never_called(tmp_path, elsewhere):
    class Call:
        def __reduce__(self):
            return elsewhere.run, ()

    elsewhere.run.__module__ = "project.schedulers"
    with pytest.raises(InputError, match=r"asks for project\.schedulers\.run — nothing was run"):
        load({"x": Call()})


def test_containers_cost_what_they_hold():
    big = pickle.dumps([0] * 300_000, 2)[:-1]
    calls = b"q\x000" + b"ccollections\ndeque\nh\x00\x85R0" * 20_000
    with pytest.raises(InputError, match="instructions"):
        unpickle.load(memoryview(b"\x80\x02" + big[2:] + calls + b"N."))
