"""Several processes that sample one set; slow, since each starts JAX anew."""

import os
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

from stylegan_jax.pictures import images
from stylegan_jax.storage import checkpoint
from tests.tiny_models import tiny_model

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return checkpoint.save(tiny_model(), tmp_path_factory.mktemp("model") / "tiny.safetensors")


def start(file, out, *arguments, devices=4, **environ):
    flags = f"--xla_force_host_platform_device_count={devices}"
    command = [
        sys.executable,
        "-W",
        "error",
        "-m",
        "stylegan_jax",
        "sample",
        file,
        "--out",
        out,
        "--batch",
        "2",
        *arguments,
    ]
    settings = {**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags, **environ}
    return subprocess.Popen(list(map(str, command)), env=settings, stderr=subprocess.PIPE, text=True)


def finish(process):
    error = process.communicate(timeout=120)[1]
    assert process.returncode == 0, error


def pixels(folder):
    return {path.name: images.read(path) for path in folder.glob("*.png")}


def assert_same(found, expected):
    assert sorted(found) == sorted(expected)
    for name, image in found.items():
        np.testing.assert_array_equal(image, expected[name], name)


@pytest.fixture(scope="module")
def whole(file, tmp_path_factory):
    """The set as one process makes it on one device."""
    out = tmp_path_factory.mktemp("whole")
    finish(start(file, out, "--seeds", "0-1999", devices=1))
    return pixels(out)


def test_a_part_that_was_killed_and_run_again_completes_the_set_of_one_process(file, whole, tmp_path):
    parts = [start(file, tmp_path / "x", "--seeds", "0-1999", "--part", f"{i}/2") for i in range(2)]
    while not (tmp_path / "x" / "seed1100.png").exists():  # threads finish those before it in any order
        assert parts[1].poll() is None
        time.sleep(0.002)
    os.kill(parts[1].pid, signal.SIGKILL)
    parts[1].communicate()
    made = {path: path.stat().st_mtime_ns for path in (tmp_path / "x").glob("seed1[0-9]*.png")}
    assert 50 < len(made) < 1000, "killed midway"
    finish(parts[0])
    finish(start(file, tmp_path / "x", "--seeds", "0-1999", "--part", "1/2"))
    assert_same(pixels(tmp_path / "x"), whole)
    assert {path: path.stat().st_mtime_ns for path in made} == made, "what was finished is left alone"
    assert not list((tmp_path / "x").glob(".*")), "nothing unfinished is left"


def test_processes_that_jax_distributed_knows_divide_the_work_and_all_finish(file, whole, tmp_path):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"localhost:{free.getsockname()[1]}"
    known = {"JAX_COORDINATOR_ADDRESS": address, "JAX_NUM_PROCESSES": "2"}
    seeds = ("--seeds", "0-99", "--distributed")
    processes = [start(file, tmp_path / "x", *seeds, devices=2, **known, JAX_PROCESS_ID=str(i)) for i in range(2)]
    for process in processes:
        finish(process)
    assert_same(pixels(tmp_path / "x"), {f"seed{i:04d}.png": whole[f"seed{i:04d}.png"] for i in range(100)})


def test_an_interrupted_command_leaves_no_half_file_and_says_so(file, tmp_path):
    own = signal.signal(signal.SIGINT, signal.default_int_handler)  # shells start background jobs deaf to Ctrl-C
    process = start(file, tmp_path / "x.zip", "--seeds", "0-9999")
    signal.signal(signal.SIGINT, own)
    images_so_far = tmp_path / ".x.zip.unfinished" / "images"
    while not images_so_far.exists() or images_so_far.stat().st_size == 0:  # JAX drops a Ctrl-C while it compiles
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    error = process.communicate(timeout=60)[1]
    assert (process.returncode, error) == (130, "interrupted\n")
    assert [path.name for path in tmp_path.iterdir()] == [".x.zip.unfinished"]


def test_a_second_run_compiles_nothing(file, tmp_path, monkeypatch):
    compiled, entries = tmp_path / "compiled", []
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(compiled))
    monkeypatch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    for name in ("a", "b"):
        finish(start(file, tmp_path / name, "--seeds", "0"))
        entries.append(sorted(path.name for path in compiled.glob("jit_run-*-cache")))
    assert len(entries[0]) == 2, "mapping and synthesis"
    assert entries[0] == entries[1]
