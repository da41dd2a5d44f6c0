import pytest

from stylegan_jax.commands import cli, models
from stylegan_jax.storage.downloads import addresses, modelcache
from stylegan_jax.storage.downloads.public import PUBLIC
from tests.model_server import cut_after, serving


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("STYLEGAN_JAX_TIMEOUT", "0.5")
    with serving() as server:
        server.files |= {"a.pkl": b"a" * 2_000_000, "b.pkl": b"b" * 1_000_000}
        yield server


def fetch(url):
    address = addresses.find(url)
    assert address is not None
    return modelcache.fetch(address)


def run(*arguments):
    return cli.run(models.models, "stylegan-jax models", arguments)


def test_names_and_downloads_are_listed(server, capsys):
    fetch(server.url("a.pkl"))
    server.ranges, server.bad = False, cut_after(500_000)
    assert cli.run(lambda: fetch(server.url("b.pkl")) and None, "fetch", []) == 2
    capsys.readouterr()
    assert run() == 0
    lines = capsys.readouterr().out.splitlines()
    assert "  portraits" in lines and any(line.startswith("  ffhq-1024-f ") for line in lines)
    assert any(line.startswith(f"  {server.url('a.pkl')}  2.0 MB  sha256 ") for line in lines)
    assert f"  {server.url('b.pkl')}  unfinished: 0.5 MB of 1.0 MB" in lines
    assert lines[-1] == f"{modelcache.root()}: 2.5 MB"


def test_downloads_are_cleared_by_address_and_all_at_once(server, capsys):
    for name in ("a.pkl", "b.pkl"):
        fetch(server.url(name))
    assert run("--clear", server.url("a.pkl")) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"{modelcache.root()}: 2.0 MB freed"
    assert [entry.record.name for entry in modelcache.entries()] == ["b.pkl"]
    assert run("--clear", "all") == 0
    assert modelcache.entries() == []
    run()
    assert "nothing was downloaded yet" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["afhqcat-512", "https://h/x.pkl", "x.pkl"])
def test_what_was_not_downloaded_cannot_be_cleared(server, name, capsys):
    assert run("--clear", name) == 2
    line = f"error: --clear {name}: nothing of it was downloaded — stylegan-jax models lists what was\n"
    assert capsys.readouterr().err == line


def test_a_public_model_is_fetched_by_name_and_cleared_by_it(server, monkeypatch, capsys):
    import dataclasses

    monkeypatch.setitem(PUBLIC, "afhqcat-512", dataclasses.replace(PUBLIC["afhqcat-512"], address=server.url("a.pkl")))
    assert fetch("afhqcat-512").name == "a.pkl"
    run()
    assert "cats (here)" in capsys.readouterr().out
    assert run("--clear", "afhqcat-512") == 0 and modelcache.entries() == []
