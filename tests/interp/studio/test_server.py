"""The server: who may ask, what is answered, and that it lives on whatever it is sent."""

import io
import json
import struct

import numpy as np
import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from interp.studio.guard import Guard
from interp.studio.server import Server
from stylegan_jax.pictures import images
from tests.interp.studio.conftest import state_of

TOKEN = "of-this-run"
KEY = {"X-Token": TOKEN}
HERE = "http://127.0.0.1:7865"


@pytest.fixture
def client(painter, saver, library, monkeypatch):
    monkeypatch.chdir(saver.folder.parent)
    app = Server(painter, saver, library.beginning(), Guard(TOKEN)).app
    with TestClient(app, base_url=HERE, raise_server_exceptions=False) as client:
        yield client


def live(client, **headers):
    return client.websocket_connect(
        f"/live?token={TOKEN}", headers={"origin": HERE, "host": "127.0.0.1:7865", **headers}
    )


def unpacked(data):
    """What a frame says, and its pictures."""
    (length,) = struct.unpack(">I", data[:4])
    said, at, files = json.loads(data[4 : 4 + length]), 4 + length, []
    for picture in said["pictures"]:
        files.append(images.read(io.BytesIO(data[at : at + picture["bytes"]])))
        at += picture["bytes"]
    assert at == len(data)
    return said, files


def asked(socket, state, **more):
    socket.send_text(json.dumps({"id": 7, "state": state.to_json(), **more}))
    return unpacked(socket.receive_bytes())


def test_a_frame_answers_a_question(client, painter, state):
    with live(client) as socket:
        welcome = socket.receive_json()
        assert welcome["models"] == ["a.safetensors", "b.safetensors"]
        said, files = asked(socket, state, show=["blend", "base"])
    assert said["id"] == 7 and [picture["role"] for picture in said["pictures"]] == ["blend"] * 2 + ["base"] * 2
    frame = painter.frame(state, ["blend", "base"])
    for found, expected in zip(files, [*frame.pictures["blend"], *frame.pictures["base"]], strict=True):
        np.testing.assert_array_equal(found, expected)
    assert said["alphas"] == [[1.0, 1.0, 0.0]] and said["resolutions"] == [4, 8, 16]
    assert said["sources"] == {"mapping": "transfer", "noise": "transfer", "w_avg": "transfer"}
    assert said["command"].endswith("b.safetensors --swap 8 --seeds 0-1")


def test_the_page_is_for_who_has_the_token(client):
    assert client.get("/").status_code == 403
    assert client.get("/?token=wrong").status_code == 403
    found = client.get(f"/?token={TOKEN}")
    assert found.status_code == 200 and "<title>stylegan-jax studio" in found.text
    assert "default-src 'self'" in found.headers["content-security-policy"]
    assert client.get("/page/studio.js").status_code == 200


@pytest.mark.parametrize("name", ["../server.py", "..%2f..%2fserver.py", "index.html", "nothing.js", "%00"])
def test_nothing_but_pieces_of_the_page_is_served(client, name):
    assert client.get(f"/page/{name}").status_code == 404


def test_another_site_gets_no_answer(client):
    for headers in ({"origin": "http://evil.example"}, {"origin": "null"}, {"host": "evil.example:7865"}):
        with pytest.raises(WebSocketDisconnect), live(client, **headers):
            pass
        assert client.post("/save", headers={**KEY, **headers}, json={}).status_code == 403
        assert client.put("/drop?name=x.pkl", headers={**KEY, **headers}, content=b"x").status_code == 403
    for path in ("/save", "/film", "/keyframes"):
        assert client.post(path, json={}).status_code == 403
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/live?token=wrong"):
        pass


BAD = [
    "",
    "{",
    "[]",
    "7",
    "[" * 60_000,
    '{"id": -1, "state": {}}',
    '{"id": 1}',
    '{"id": 1, "state": []}',
    '{"id": 1, "state": {"models": 7}}',
    '{"id": 1, "state": {"models": [{"path": "/etc/passwd"}, {"path": "b.safetensors", "schedule": "swap=8"}]}}',
    '{"id": 1e999, "state": {}}',
    '{"id": 1, "state": {}, "exec": "rm -r"}',
]


@pytest.mark.parametrize("text", BAD, ids=[text[:30] for text in BAD])
def test_a_bad_question_is_answered_in_a_line_and_the_next_one_is_fine(client, state, text):
    with live(client) as socket:
        socket.receive_json()
        socket.send_text(text)
        assert set(socket.receive_json()) == {"id", "error"}
        assert asked(socket, state)[0]["id"] == 7


@pytest.mark.parametrize(
    "changes",
    [
        {"seeds": "0-999"},
        {"seeds": "9-1"},
        {"seeds": "x"},
        {"psi": 1e20},
        {"class_idx": 3},
        {"mapping": "transfer9"},
        {"mapping": "0.5"},
        {"kinds": ["nothing=1"]},
        {"w": ["/etc/passwd"]},
        {"networks": "D"},
    ],
    ids=repr,
)
def test_a_state_that_cannot_be_shown_is_answered_in_a_line(client, state, changes):
    with live(client) as socket:
        socket.receive_json()
        socket.send_text(json.dumps({"id": 1, "state": {**state.to_json(), **changes}}))
        message = socket.receive()
        assert "bug" not in message.get("text", "")
        assert asked(socket, state)[0]["id"] == 7


def test_an_edit_never_names_a_file_to_be_opened(client, folder, state, tmp_path):
    np.save(tmp_path / "age.npy", np.ones((1, 16), np.float32))
    with live(client) as socket:
        socket.receive_json()
        for more in (
            {"edits": [f"{tmp_path / 'age.npy'}=1"]},
            {"edits": ["age=1"], "directions": [str(tmp_path / "age.npy")]},
        ):
            socket.send_text(json.dumps({"id": 1, "state": {**state.to_json(), **more}}))
            assert "no such direction" in socket.receive_json()["error"]


def test_a_failure_of_ours_is_a_line_too(client, painter, state, monkeypatch, capsys):
    monkeypatch.setattr(painter, "frame", lambda *_, **__: 1 / 0)
    with live(client) as socket:
        socket.receive_json()
        socket.send_text(json.dumps({"id": 1, "state": state.to_json()}))
        assert "ZeroDivisionError" in socket.receive_json()["error"]
    assert "Traceback" in capsys.readouterr().err


def test_what_is_saved_can_be_fetched_and_nothing_else(client, saver, state):
    said = client.post("/save", headers=KEY, json={"state": state.to_json(), "what": "picture"}).json()
    (file,) = said["files"]
    assert file == {"name": "a-x-b-swap-8-picture.png", "shown": "studio/a-x-b-swap-8-picture.png"}
    found = client.get(f"/saved/{file['name']}?token={TOKEN}")
    assert found.content == (saver.folder / file["name"]).read_bytes()
    assert client.get(f"/saved/{file['name']}").status_code == 403
    (saver.folder / "other.txt").write_text("not of the page")
    for name in ("other.txt", "..%2f..%2fetc%2fpasswd", "%2fetc%2fpasswd"):
        assert client.get(f"/saved/{name}?token={TOKEN}").status_code == 404


def test_a_film_tells_how_far_it_is(client, saver, state):
    ends = {"first": state.to_json(), "last": state_of("alpha=0", seeds="0-1").to_json(), "seconds": 0.25}
    lines = [json.loads(line) for line in client.post("/film", headers=KEY, json=ends).text.splitlines()]
    assert lines[0] == {"done": 1, "of": 6}
    assert (saver.folder / lines[-1]["files"][0]["name"]).is_file()
    wrong = client.post("/film", headers=KEY, json={**ends, "last": state_of("alpha=0", seeds="1").to_json()})
    assert "2 pictures against 1" in json.loads(wrong.text.splitlines()[-1])["error"]
    assert client.post("/film", headers=KEY, json={**ends, "seconds": 1e9}).status_code == 400


def test_kept_states_become_keyframes(client, saver, state):
    asked = {"states": [state.to_json(), state_of("alpha=0", seeds="0-1").to_json()], "seconds": 2}
    (file,) = client.post("/keyframes", headers=KEY, json=asked).json()["files"]
    assert (saver.folder / file["name"]).read_text().startswith("frames:")
    assert client.post("/keyframes", headers=KEY, json={**asked, "states": [state.to_json()]}).status_code == 400


def test_a_dropped_model_can_be_shown(client, folder, saver, state):
    data = (folder / "c.safetensors").read_bytes()
    said = client.put("/drop?name=../../c.safetensors", headers=KEY, content=data).json()
    assert said["kind"] == "model" and said["what"] in said["models"]
    assert [path.name for path in (saver.folder / "dropped").iterdir()] == ["c.safetensors"]
    shown = state.to_json()
    shown["models"][1]["path"] = said["what"]
    with live(client) as socket:
        socket.receive_json()
        socket.send_text(json.dumps({"id": 1, "state": shown}))
        assert unpacked(socket.receive_bytes())[0]["id"] == 1


@pytest.mark.parametrize(
    "name", ["toon.pkl", "toon.safetensors", "me.npz", "picture.png", "recipe.yaml", "x", ".pkl", "", "."]
)
def test_a_dropped_file_that_is_nothing_is_a_line_and_leaves_nothing(client, saver, name):
    found = client.put("/drop", params={"name": name}, headers=KEY, content=b"nothing of the kind")
    assert found.status_code == 400 and "error" in found.json()
    assert not list(saver.folder.rglob("*.*"))


def test_a_file_that_is_too_large_is_cut_off(client, saver, monkeypatch):
    monkeypatch.setattr("interp.studio.server.LARGEST_DROP", 1000)
    found = client.put("/drop?name=toon.pkl", headers=KEY, content=b"x" * 2000)
    assert "toon.pkl: is too large to be dropped" in found.json()["error"]
    assert not list((saver.folder / "dropped").iterdir())


def test_a_full_disk_is_a_line(client, saver, state, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device", str(saver.folder / "x.png"))

    monkeypatch.setattr("interp.studio.saving.images.write_png", full)
    found = client.post("/save", headers=KEY, json={"state": state.to_json(), "what": "picture"})
    assert "No space left on device — free some space" in found.json()["error"]


def test_twenty_pages_are_answered(client, state):
    sockets = [live(client) for _ in range(20)]
    try:
        opened = [socket.__enter__() for socket in sockets]
        for socket in opened:
            socket.receive_json()
            socket.send_text(json.dumps({"id": 3, "state": state.to_json()}))
        assert {unpacked(socket.receive_bytes())[0]["id"] for socket in opened} == {3}
    finally:
        for socket in sockets:
            socket.__exit__(None, None, None)


def test_questions_that_were_overtaken_are_not_answered(client, painter, state, monkeypatch):
    import threading

    begun, go_on, drawn = threading.Event(), threading.Event(), []
    whole = painter.frame

    def slow(shown, *arguments, **options):
        drawn.append(shown.recipe.psi)
        begun.set()
        go_on.wait(10)
        return whole(shown, *arguments, **options)

    monkeypatch.setattr(painter, "frame", slow)
    with live(client) as socket:
        socket.receive_json()
        for number in range(50):
            socket.send_text(json.dumps({"id": number, "state": {**state.to_json(), "psi": number / 100}}))
            if number == 0:
                begun.wait(10)
        while client.portal is not None and not begun.is_set():
            pass
        go_on.set()
        last = -1
        while last != 49:
            last = unpacked(socket.receive_bytes())[0]["id"]
    assert len(drawn) < 10 and drawn[-1] == 0.49


def test_a_large_picture_that_moves_slowly_is_previewed_until_it_rests(client, state, monkeypatch):
    monkeypatch.setattr("interp.studio.live._PREVIEW_FROM", 16)
    monkeypatch.setattr("interp.studio.live._PATIENCE", 0.0)
    with live(client) as socket:
        socket.receive_json()
        sides = [asked(socket, state, moving=moving)[1][0].shape[0] for moving in (True, True, True, False)]
    assert sides == [16, 8, 8, 16]


def test_a_page_that_is_closed_while_it_is_answered_harms_nobody(client, painter, state, monkeypatch, capsys):
    for _ in range(5):
        with live(client) as socket:
            socket.receive_json()
            socket.send_text(json.dumps({"id": 1, "state": state.to_json()}))
    with live(client) as socket:
        socket.receive_json()
        assert asked(socket, state)[0]["id"] == 7
    assert "Traceback" not in capsys.readouterr().err
