"""The command: what it refuses before it serves anything, and how it ends."""

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from interp.studio.__main__ import studio
from stylegan_jax.commands import cli
from tests.golden_data import ROOT


@pytest.fixture
def models(folder):
    return [str(folder / f"{name}.safetensors") for name in "ab"]


def refused(capsys, *words):
    assert cli.run(studio, "python -m interp.studio", [*words, "--no-browser"]) == 2
    return capsys.readouterr().err


def test_a_port_in_use_is_said(capsys, models):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        said = refused(capsys, *models, "--port", str(taken.getsockname()[1]))
    assert re.fullmatch(r"error: --port \d+: cannot be used \(.+\) — choose another\n", said)


def test_a_missing_extra_is_named(capsys, models, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert 'python -m pip install "stylegan-jax[studio]"' in refused(capsys, *models)


def test_a_file_in_the_place_of_the_folder_is_said(capsys, models):
    assert "is a file — name a folder" in refused(capsys, *models, "--out", models[0])


def test_models_that_do_not_fit_are_refused(capsys, folder):
    words = [str(folder / f"{name}.safetensors") for name in ("a", "small")]
    assert "A blend needs one architecture" in refused(capsys, *words)


def test_ws_of_another_shape_are_refused(capsys, models, tmp_path):
    import numpy as np

    np.save(tmp_path / "w.npy", np.zeros((18, 512), np.float32))
    assert "w.npy" in refused(capsys, *models, "--w", str(tmp_path / "w.npy"))


def test_ctrl_c_ends_it_quietly(models, tmp_path):
    words = [sys.executable, "-m", "interp.studio", *models, "--no-browser", "--port", "0"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        words, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    address = re.findall(r"http\S+", process.stdout.readline())[0]
    with urllib.request.urlopen(address) as page:
        assert page.status == 200
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 0
    assert process.stdout.read() == "Ctrl-C ends it\n"
    process.stdout.close()
    assert not list(tmp_path.iterdir())
