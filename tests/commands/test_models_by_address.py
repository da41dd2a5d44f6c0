import json
import os
import subprocess
import sys
from pathlib import Path

import fsspec
import numpy as np
import pytest

import convert
import stylegan_jax as sj
from convert.__main__ import main as convert_door
from interp.blend import blend
from interp.diagnose import diagnose
from interp.figures import figures
from interp.film import film
from interp.recipes import read as read_recipe
from stylegan_jax.commands import cli
from stylegan_jax.commands.sample import sample
from stylegan_jax.commands.train import train
from stylegan_jax.errors import InputError
from stylegan_jax.pictures import images
from stylegan_jax.storage import rundir
from stylegan_jax.storage.downloads import modelcache
from tests.golden_data import ROOT, golden
from tests.model_server import serving
from tests.tiny_models import tiny_model


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return [
        Path(sj.save(tiny_model(seed), folder / name)) for seed, name in enumerate(("ffhq.pkl", "toon.safetensors"))
    ]


@pytest.fixture
def server(models, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with serving() as server:
        server.files |= {file.name: file.read_bytes() for file in models}
        yield server


@pytest.fixture
def bucket(models):
    system = fsspec.filesystem("memory")
    for file in models:
        system.pipe_file(f"/bucket/{file.name}", file.read_bytes())
    yield system
    system.rm("/bucket", recursive=True)


def run(door, *arguments):
    return cli.run(door, "door", [str(argument) for argument in arguments])


def pair(server):
    return server.url("ffhq.pkl"), server.url("toon.safetensors")


def here():
    return sorted(os.listdir())


def test_load_takes_addresses_as_texts_and_as_paths(server, bucket):
    expected = tiny_model(0).networks["G_ema"]
    for address in (server.url("ffhq.pkl"), Path(server.url("ffhq.pkl")), "memory://bucket/ffhq.pkl"):
        model = sj.load(address)
        assert model.lineage["source"] == "ffhq.pkl" and len(model.lineage["sha256"]) == 64
        np.testing.assert_array_equal(model.networks["G_ema"]["synthesis.b4.const"], expected["synthesis.b4.const"])


def test_load_takes_files_on_hugging_face(server, monkeypatch, models):
    monkeypatch.setenv("HF_ENDPOINT", server.url("").rstrip("/"))
    monkeypatch.setenv("HF_TOKEN", "sesame")
    server.files["me/toons/resolve/main/toon.safetensors"] = models[1].read_bytes()
    assert sj.load("hf://me/toons/toon.safetensors").config.generator == tiny_model(1).config.generator
    assert server.asked[0]["Authorization"] == "Bearer sesame"
    with pytest.raises(InputError, match=r"^hf://me/toons/none\.pkl: no such file on the server \(404\)"):
        sj.load("hf://me/toons/none.pkl")


def test_a_token_stays_with_its_host(server, monkeypatch, models):
    with serving() as other:
        other.files["toon.safetensors"] = models[1].read_bytes()
        monkeypatch.setenv("HF_ENDPOINT", server.url("").rstrip("/"))
        monkeypatch.setenv("HF_TOKEN", "sesame")
        place = other.url("toon.safetensors").replace("127.0.0.1", "localhost")
        server.bad = lambda request: request.answer(302, b"", {"Location": place})
        sj.load("hf://me/toons/toon.safetensors")
        assert "Authorization" in server.asked[0] and "Authorization" not in other.asked[0]


def test_convert_writes_what_an_address_gives_into_this_folder(server, capsys):
    url = server.url("ffhq.pkl")
    assert run(convert_door, url) == 0
    assert capsys.readouterr().out.splitlines()[0].startswith(f"{url}: stylegan2-ada-pytorch") and here() == ["ffhq"]
    assert run(convert_door, url) == 0 and capsys.readouterr().out == "ffhq: up to date\n"
    assert run(convert_door, url, "x.safetensors") == 0
    assert sj.load("x.safetensors").lineage["source"] == "ffhq.pkl"
    capsys.readouterr()
    assert run(convert_door, url, "--describe") == 0 and capsys.readouterr().out.startswith(f"{url}: pickle")


def test_convert_takes_what_lies_in_a_bucket(server, bucket):
    assert run(convert_door, "memory://bucket/ffhq.pkl") == 0
    assert run(convert_door, "memory://bucket/toon.safetensors", "--to", "pkl") == 0
    assert here() == ["ffhq", "toon.pkl"]


def test_blend_keeps_addresses_in_its_recipe_and_replays_it(server, capsys):
    base, transfer = pair(server)
    arguments = ["--base", base, "--transfer", transfer, "--swap", "8", "--seeds", "0"]
    assert run(blend, *arguments) == 0
    assert here() == ["ffhq-x-toon-swap-8", "ffhq-x-toon-swap-8.png"]
    assert base in capsys.readouterr().out
    recipe = read_recipe("ffhq-x-toon-swap-8.png")
    assert [model.path for model in recipe.models] == [base, transfer]
    assert run(blend, "--recipe", "ffhq-x-toon-swap-8.png", "--out", "again.safetensors") == 0
    mixed, again = (sj.load(name).networks["G_ema"] for name in ("ffhq-x-toon-swap-8", "again.safetensors"))
    for name, leaf in mixed.items():
        np.testing.assert_array_equal(again[name], leaf, err_msg=name)


def test_blend_takes_further_models_and_shows_its_plan_from_addresses(server, capsys):
    base, transfer = pair(server)
    assert run(blend, "--base", base, "--add", f"{transfer}:swap=8", "--dry-run") == 0
    assert "toon.safetensors" in capsys.readouterr().out and here() == []


def test_diagnose_figures_film_sample_and_train_take_addresses(server, capsys):
    base, transfer = pair(server)
    assert run(diagnose, base, transfer) == 0
    assert capsys.readouterr().out.startswith("ffhq.pkl: ")
    assert run(figures, "strip", "--base", base, "--transfer", transfer, "--seeds", "0") == 0
    film_options = ["--seconds", "0.1", "--out", "a.webp", "--swap", "4..8", "--seeds", "0"]
    assert run(film, "--base", base, "--transfer", transfer, *film_options) == 0
    assert run(sample, base, "--seeds", "0", "--out", "faces") == 0
    assert here() == ["a.webp", "faces", "ffhq-x-toon-strip.png"]
    note = Path("faces/seed0000.png").read_bytes()
    assert b"/cache/" not in note


def test_signatures_of_addresses_are_neither_shown_nor_kept(server, capsys):
    base, transfer = (f"{url}?X-Amz-Signature=s3cret.1" for url in pair(server))
    assert run(diagnose, base, transfer, "--out", "d.png") == 0
    assert run(blend, "--base", base, "--transfer", transfer, "--swap", "8", "--seeds", "0") == 0
    shown = capsys.readouterr()
    assert here() == ["d.png", "ffhq-x-toon-swap-8", "ffhq-x-toon-swap-8.png"]
    written = [*Path().rglob("*"), *modelcache.root().glob("*/.record.json")]
    kept = [file.read_bytes() for file in written if file.is_file()]
    assert "s3cret" not in shown.out + shown.err and not any(b"s3cret" in data for data in kept)


def test_outputs_of_models_stay_on_this_machine(server, models, capsys):
    for door, arguments in {
        convert_door: [models[0], "gs://b/x.pkl"],
        blend: ["--base", models[0], "--transfer", models[1], "--swap", "8", "--out", "gs://b/x.pkl"],
    }.items():
        assert run(door, *arguments) == 2
        line = "error: gs://b/x.pkl: this output goes to a disk of this machine — name a path here\n"
        assert capsys.readouterr().err == line


@pytest.fixture
def data(tmp_path):
    """A folder of one image."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    images.write_png(folder / "a.png", np.zeros((16, 16, 3), np.uint8))
    return str(folder)


def test_train_begins_from_an_address(server, data, capsys):
    arguments = ["--out", "r", "--freeze", "nosuch"]  # refused after the model was read
    assert run(train, data, "--from", server.url("ffhq.pkl"), *arguments) == 2
    assert "nosuch" in capsys.readouterr().err and modelcache.entries()[0].record.name == "ffhq.pkl"


@pytest.mark.parametrize("door", [convert_door, sample, train])
def test_every_command_names_the_address_at_fault_in_one_line(server, data, door, capsys):
    url = server.url("none.pkl")
    more = {sample: ["--seeds", "0", "--out", "o"], train: ["--out", "r"]}.get(door, [])
    arguments = [data, "--from", url, *more] if door is train else [url, *more]
    assert run(door, *arguments) == 2
    assert capsys.readouterr().err == f"error: {url}: no such file on the server (404) — check the address\n"
    assert here() == []


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (lambda pkl: b"<html>quota</html>", "is a web page, not a model"),
        (lambda pkl: pkl[:-1000], "what the server sent is not the whole file — run the same command again"),
        (lambda pkl: golden("gen/s09_base64.pkl").read_bytes()[:200_000], "what the server sent is not the whole file"),
        (lambda pkl: b"", "is empty (0 bytes)"),
        (lambda pkl: b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer"),
        (lambda pkl: b'{"error": "gone"}', "is a JSON file"),
    ],
)
def test_what_is_no_whole_model_is_told_and_not_kept(server, data, message):
    url = server.url("ffhq.pkl")
    whole = server.files["ffhq.pkl"]
    server.files["ffhq.pkl"] = data(whole)
    with pytest.raises(InputError) as refused:
        sj.load(url)
    assert str(refused.value).startswith(f"{url}: ") and message in str(refused.value)
    assert not any(entry.whole for entry in modelcache.entries())
    server.files["ffhq.pkl"], server.tag = whole, '"two"'
    assert sj.load(url).config.generator == tiny_model().config.generator


def test_a_length_that_is_too_small_is_noticed(server):
    pkl = server.files["ffhq.pkl"]
    server.bad = lambda request: request.answer(200, pkl, {"Content-Length": str(len(pkl) - 100)})
    with pytest.raises(InputError, match="is not the whole file"):
        sj.load(server.url("ffhq.pkl"))
    server.bad = lambda request: request.answer(200, pkl, {"Content-Length": str(len(pkl) + 100)})
    with pytest.raises(InputError, match="run the same command again to go on"):
        sj.load(server.url("ffhq.pkl"))


def test_what_is_no_model_is_named_by_its_address(server):
    server.files["x.pkl"] = b"\x80\x04K\x01K\x02K\x03\x87."
    url = server.url("x.pkl")
    with pytest.raises(InputError) as refused:
        sj.load(url)
    assert str(refused.value).startswith(f"{url}: ") and "cache" not in str(refused.value)


def test_a_changed_object_is_read_again_and_a_lost_bucket_is_no_loss(server, bucket, models, capsys, monkeypatch):
    address = "memory://bucket/toon.safetensors"
    assert sj.load(address).config.generator == tiny_model(1).config.generator
    bucket.pipe_file("/bucket/toon.safetensors", Path(sj.save(tiny_model(1, w_dim=8), "t.safetensors")).read_bytes())
    assert sj.load(address).config.generator.w_dim == 8
    monkeypatch.setattr(type(bucket), "ukey", lambda *_: 1 / 0)
    assert sj.load(address).config.generator.w_dim == 8
    assert "cannot be read (division by zero); the copy of" in capsys.readouterr().err


def test_folders_in_buckets_are_models(server, bucket, tmp_path):
    folder = sj.save(tiny_model(3), tmp_path / "faces")
    bucket.put(str(folder), "/bucket/faces", recursive=True)
    for _ in range(2):
        assert sj.load("memory://bucket/faces").config.generator == tiny_model().config.generator
    (entry,) = modelcache.entries()
    assert entry.whole and entry.record.name == "faces"
    next(entry.folder.rglob("model.json")).write_text("{}")
    assert sj.load("memory://bucket/faces/").config.generator == tiny_model().config.generator


def test_a_training_run_in_a_bucket_is_its_latest_snapshot(server, bucket):
    bucket.pipe_file(f"/bucket/run/{rundir.MANIFEST}", b"{}")
    with pytest.raises(InputError, match=r"^memory://bucket/run: this training run has made no snapshot yet"):
        sj.load("memory://bucket/run")
    for kimg, seed in ((100, 1), (20, 2)):
        file = sj.save(tiny_model(seed), f"{kimg}.safetensors")
        bucket.put_file(str(file), f"/bucket/run/network-snapshot-{kimg:06d}.safetensors")
    assert sj.load("memory://bucket/run").lineage["source"] == "tiny-1"


def test_a_bucket_that_cannot_be_read_is_told_and_is_no_full_disk(server, bucket, monkeypatch, capsys):
    def refuse(*_):
        raise PermissionError("anonymous caller has no access")

    monkeypatch.setattr(type(bucket), "info", refuse)
    assert run(convert_door, "memory://bucket/ffhq.pkl") == 2
    assert "memory://bucket/ffhq.pkl: cannot be read (anonymous caller has no access)" in capsys.readouterr().err


def test_what_is_not_in_a_bucket_is_told(server, bucket, capsys):
    assert run(convert_door, "memory://bucket/none.pkl") == 2
    assert capsys.readouterr().err == "error: memory://bucket/none.pkl: no such file or folder — check the address\n"


@pytest.mark.parametrize(("scheme", "package"), [("gs", "gcsfs"), ("s3", "s3fs"), ("abfs", "adlfs")])
def test_the_package_that_is_missing_for_a_bucket_is_named(server, scheme, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    for address in (f"{scheme}://b/toon.pkl", Path(f"{scheme}://b/toon.pkl")):
        with pytest.raises(InputError) as refused:
            sj.load(address)
        expected = f"{scheme}://b/toon.pkl: {scheme}:// needs a package that is not installed — python -m pip install"
        assert str(refused.value) == f"{expected} {package}"


def test_reading_a_model_by_address_imports_no_jax(server):
    program = "import sys, convert; convert.read(sys.argv[1]); print([m for m in ('jax', 'flax') if m in sys.modules])"
    command = [sys.executable, "-W", "error", "-c", program, server.url("ffhq.pkl")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr


def test_a_public_name_is_a_model(server, monkeypatch):
    import dataclasses

    from stylegan_jax.storage.downloads.public import PUBLIC

    monkeypatch.setitem(PUBLIC, "afhqcat-512", dataclasses.replace(PUBLIC["afhqcat-512"], address=pair(server)[0]))
    assert sj.load("afhqcat-512").config.generator == tiny_model().config.generator
    assert run(convert_door, "afhqcat-512") == 0 and here() == ["afhqcat-512"]
    assert json.loads(next(modelcache.root().glob("*/.record.json")).read_text())["address"] == "afhqcat-512"
    assert convert.locate("afhqcat-512") == Path("afhqcat-512")  # which is here by now
