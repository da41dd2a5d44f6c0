import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from stylegan_jax.errors import InputError
from stylegan_jax.storage.downloads import addresses, modelcache, transfers
from tests.golden_data import ROOT
from tests.model_server import cut_after, serving, stall

DATA = bytes(range(1, 256)) * 20_000  # 5 MB


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("STYLEGAN_JAX_TIMEOUT", "30")
    return tmp_path / "cache" / "stylegan-jax" / "models"


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setenv("STYLEGAN_JAX_TIMEOUT", "0.6")


@pytest.fixture
def server():
    with serving() as server:
        server.files["ffhq.pkl"] = DATA
        yield server


def fetch(server, path="ffhq.pkl"):
    address = addresses.find(server.url(path))
    assert address is not None
    return modelcache.fetch(address)


def refusal(server, path="ffhq.pkl"):
    began = time.monotonic()
    with pytest.raises(InputError) as refused:
        fetch(server, path)
    assert time.monotonic() - began < 4
    assert str(refused.value).startswith(server.url(path)) and "\n" not in str(refused.value)
    return str(refused.value)


def files(cache):
    return sorted(file.name for file in cache.rglob("*") if file.is_file() and not file.name.endswith(".lock"))


def test_a_file_is_fetched_once_and_then_only_asked_about(server, cache, capsys):
    assert fetch(server).read_bytes() == DATA and fetch(server).name == "ffhq.pkl"
    assert [request.get("If-None-Match") for request in server.asked] == [None, '"one"']
    assert files(cache) == [".record.json", "ffhq.pkl"]
    said = capsys.readouterr()
    assert said.out == "" and said.err == f"downloading {server.url('ffhq.pkl')} (5.1 MB)\n"
    (entry,) = modelcache.entries()
    assert entry.whole and entry.record.size == len(DATA) and len(str(entry.record.sha256)) == 64


def test_a_server_without_versions_is_believed_while_the_size_is_the_same(server):
    server.tag = None
    fetch(server)
    server.files["ffhq.pkl"] = DATA[::-1]
    assert fetch(server).read_bytes() == DATA
    server.files["ffhq.pkl"] = b"shorter"
    assert fetch(server).read_bytes() == b"shorter"


def test_a_download_that_was_killed_at_its_end_needs_no_more_bytes(impatient, server):
    server.bad = cut_after(2_000_000, stall)
    refusal(server)
    (partial,) = modelcache.root().glob("*/*.unfinished")
    partial.write_bytes(DATA)
    asked = len(server.asked)
    assert fetch(server).read_bytes() == DATA and len(server.asked) == asked


def test_a_changed_file_is_fetched_again(server):
    fetch(server)
    server.files["ffhq.pkl"], server.tag = b"other", '"two"'
    assert fetch(server).read_bytes() == b"other"


def test_without_a_server_what_is_here_is_used_and_said(server, capsys):
    place = fetch(server)
    server.bad = lambda request: request.answer(503)
    assert fetch(server) == place
    assert "the server cannot serve it now (503); the copy of 20" in capsys.readouterr().err
    server.shutdown()
    server.server_close()
    assert fetch(server).read_bytes() == DATA
    assert "cannot be reached (" in capsys.readouterr().err


def test_a_damaged_copy_is_fetched_anew_or_refused_where_it_cannot_be(server):
    place = fetch(server)
    place.write_bytes(DATA[:-1] + b"x")
    assert fetch(server).read_bytes() == DATA
    place.write_bytes(DATA[:-1] + b"x")
    server.bad = lambda request: request.answer(500)
    assert "its copy here is damaged, and a new one is not to be had: the server cannot serve it now" in refusal(server)


def test_a_broken_transfer_goes_on_where_it_stopped(server):
    server.bad = cut_after(3_000_000)
    assert fetch(server).read_bytes() == DATA
    assert [request.get("Range") for request in server.asked] == [None, "bytes=3000000-"]


@pytest.mark.parametrize("modified", [None, "Mon, 01 Jun 2020 10:00:00 GMT"])
def test_the_next_run_goes_on_where_this_one_was_stalled(impatient, server, cache, modified):
    server.tag, server.modified = (None, modified) if modified else (server.tag, None)
    server.bad = cut_after(2_000_000, stall)
    assert "no answer for 0.6 s — check the network, then run the same command again to go on" in refusal(server)
    assert files(cache) == [".unfinished.json", "ffhq.pkl.unfinished"] and not modelcache.entries()[0].whole
    server.bad = None
    assert fetch(server).read_bytes() == DATA
    assert (server.asked[-1]["Range"] == "bytes=2000000-" and server.asked[-1]["If-Range"] == modified) or '"one"'
    assert files(cache) == [".record.json", "ffhq.pkl"]


@pytest.mark.parametrize("fault", ["changed", "no ranges", "no version", "weak version", "past the end", "other part"])
def test_what_cannot_go_on_begins_anew(impatient, server, fault):
    if fault == "no version":
        server.tag = None
    if fault == "weak version":
        server.tag = 'W/"one"'
    server.bad = cut_after(2_000_000, stall)
    refusal(server)
    server.bad = None
    server.files["ffhq.pkl"] = DATA[::-1]
    if fault != "no version":
        server.tag = '"two"'
    if fault == "no ranges":
        server.files["ffhq.pkl"], server.tag, server.ranges = DATA, '"one"', False
    if fault == "past the end":
        server.bad = lambda request: request.answer(416) if "Range" in request.headers else request.serve()
    if fault == "other part":  # a server that knows ranges but not If-Range
        head = {"Content-Range": "bytes 2000000-5099999/5100000"}
        server.bad = lambda request: (
            request.answer(206, b"x" * 3_100_000, head) if "Range" in request.headers else request.serve()
        )
    assert fetch(server).read_bytes() == server.files["ffhq.pkl"]


def test_a_server_that_never_sends_the_rest_is_given_up(server):
    server.ranges, server.bad = False, cut_after(1000)
    message = refusal(server)
    assert "— run the same command again to go on" in message and ("ended after" in message or "broke" in message)
    assert len(server.asked) == 2


def test_a_server_that_drips_is_given_up(impatient, server):
    def drip(request):
        request.answer(200, b"", {"Content-Length": "1000"})
        for _ in range(30):
            request.wfile.write(b".")
            request.wfile.flush()
            time.sleep(0.1)

    server.bad = drip
    assert "bytes in 1 s — run the same command again to go on" in refusal(server)


def test_a_server_that_says_nothing_is_given_up(impatient, server):
    server.bad = stall
    assert "no answer for 0.6 s" in refusal(server)


def test_redirects_are_followed_to_http_alone(server):
    where = {"/a": server.url("ffhq.pkl"), "/b": "file:///etc/hostname", "/c": server.url("c"), "/d": "ftp://h/x"}
    server.bad = lambda request: (
        request.answer(302, b"", {"Location": where[request.path]}) if request.path in where else request.serve()
    )
    assert fetch(server, "a").read_bytes() == DATA
    assert "redirects to what is neither http nor https" in refusal(server, "b")
    assert "redirects without end" in refusal(server, "c")
    assert "redirects to what is neither http nor https" in refusal(server, "d")


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, "the server refuses it (401) — check the address: it may need a login"),
        (403, "the server refuses it (403)"),
        (404, "no such file on the server (404) — check the address"),
        (418, "the server answers 418"),
        (429, "the server cannot serve it now (429) — wait a little, then run the same command again to go on"),
        (500, "the server cannot serve it now (500)"),
    ],
)
def test_refusals_are_told_apart_and_leave_nothing(server, cache, status, message):
    server.bad = lambda request: request.answer(status, b"no")
    assert message in refusal(server)
    assert files(cache) == []


def test_a_web_page_is_called_one(server, cache):
    server.files["ffhq.pkl"] = b"\xef\xbb\xbf\n <!DOCTYPE html><html>quota exceeded</html>"
    assert "is a web page, not a model (login, quota, or the page around the file?) — open" in refusal(server)
    assert "ffhq.pkl" not in files(cache)
    place = server.files["good.pkl"] = b"good"
    assert fetch(server, "good.pkl").read_bytes() == place


def test_a_page_in_place_of_the_file_does_not_replace_the_good_one(server, capsys):
    place = fetch(server)
    server.bad = lambda request: request.answer(200, b"<html>hotel wifi: log in</html>", {"ETag": '"wifi"'})
    assert fetch(server) == place and place.read_bytes() == DATA
    assert "is a web page" in capsys.readouterr().err


def test_an_unreachable_host_or_no_host_is_told_in_one_line():
    for url, message in {
        "http://127.0.0.1:9/x.pkl": "cannot be reached (",
        "http://nosuchhost.invalid/x.pkl": "cannot be reached (",
        "https://h..x/x.pkl": "is no address",
    }.items():
        address = addresses.find(url)
        with pytest.raises(InputError, match="^" + url) as refused:
            modelcache.fetch(address) if address else None
        assert message in str(refused.value) and "\n" not in str(refused.value)


def test_what_is_compressed_though_nobody_asked_is_unpacked(server):
    import gzip

    head = {"Content-Encoding": "gzip"}
    server.bad = lambda request: request.answer(200, gzip.compress(DATA), head)
    assert fetch(server).read_bytes() == DATA


FETCH = """
import sys
from stylegan_jax.storage.downloads import addresses, modelcache
print(modelcache.fetch(addresses.find(sys.argv[1])).read_bytes() == bytes(range(1, 256)) * 20_000)
"""


def started(server):
    command = [sys.executable, "-c", FETCH, server.url("ffhq.pkl")]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_killed_download_is_never_taken_for_whole_and_goes_on(server, cache):
    server.bad = cut_after(2_000_000, stall)
    process = started(server)
    while not (partials := list(cache.glob("*/*.unfinished"))) or partials[0].stat().st_size < 2_000_000:
        time.sleep(0.02)
        assert process.poll() is None
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert files(cache) == [".unfinished.json", "ffhq.pkl.unfinished"]
    server.bad = None
    assert fetch(server).read_bytes() == DATA
    assert server.asked[-1]["Range"] == "bytes=2000000-"


def test_processes_that_want_the_same_file_fetch_it_once(server):
    server.bad = lambda request: (time.sleep(0.3), request.serve())
    ended = [process.communicate() for process in [started(server) for _ in range(3)]]
    assert [out for out, _ in ended] == ["True\n"] * 3
    assert sum("downloading" in err for _, err in ended) == 1
    assert [request.get("If-None-Match") for request in server.asked] == [None, '"one"', '"one"']


def test_threads_that_want_the_same_file_fetch_it_once(server):
    found = []
    threads = [threading.Thread(target=lambda: found.append(fetch(server).read_bytes() == DATA)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 4


def test_a_full_disk_is_no_fault_of_the_address(server, monkeypatch, cache):
    class Full:
        def __init__(self, file):
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self.file.close()

        def write(self, data):
            raise OSError(28, "No space left on device")

    real = open
    monkeypatch.setattr(modelcache, "open", lambda *a: Full(real(*a)) if "ab" in a else real(*a), raising=False)
    with pytest.raises(OSError, match="No space left on device") as refused:
        fetch(server)
    assert str(cache) in refused.value.filename


def test_a_user_without_a_cache_is_told_what_to_set(server, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null/nowhere")
    assert "no place to keep what is downloaded — set XDG_CACHE_HOME to a folder of yours" in refusal(server)


def test_what_is_cleared_is_gone_and_may_be_fetched_again(server, cache):
    fetch(server)
    modelcache.clear(modelcache.entries()[0])
    assert files(cache) == [] and modelcache.entries() == []
    assert fetch(server).read_bytes() == DATA


def test_patience_comes_from_the_environment(monkeypatch):
    for text, seconds in {"5": 5.0, "soon": transfers.PATIENCE, "0": 0.1}.items():
        monkeypatch.setenv("STYLEGAN_JAX_TIMEOUT", text)
        assert transfers.patience() == seconds
