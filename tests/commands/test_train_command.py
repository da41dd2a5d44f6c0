"""`python -m stylegan_jax train` as a user runs it: from an official pickle, with odd pictures, killed, resumed."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

import stylegan_jax
from stylegan_jax.storage import rundir
from tests.golden_data import golden

pytestmark = pytest.mark.slow
SHORT = {"batch": 8, "mbstd-chunks": 1, "devices": 1, "tick": 0.016, "checkpoint-ticks": 1, "score-images": 0}


@pytest.fixture
def pictures(tmp_path):
    """A hundred pictures, two of them no pictures at all and four of unusual kinds."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    random = np.random.RandomState(0)
    for i in range(94):
        Image.fromarray(random.randint(0, 256, (40, 36, 3), np.uint8)).save(folder / f"{i:03}.png")
    good = Image.fromarray(random.randint(0, 256, (32, 32, 3), np.uint8))
    for i, mode in enumerate(["CMYK", "L", "P", "RGBA"]):
        good.convert(mode).save(folder / f"mode{i}.{'jpg' if mode == 'CMYK' else 'png'}")
    (folder / "text.png").write_text("no picture")
    good.save(folder / "cut.jpg")
    (folder / "cut.jpg").write_bytes((folder / "cut.jpg").read_bytes()[:300])
    return folder


def command(pictures, out, *more):
    """As a user types it; `more` stands instead of what it repeats."""
    usual = {"--from": str(golden("gen/s01_skip32.pkl")), "--kimg": "0.064"}
    usual |= {f"--{flag}": str(value) for flag, value in SHORT.items()}
    others = [word for flag, value in usual.items() if flag not in more for word in (flag, value)]
    return [sys.executable, "-m", "stylegan_jax", "train", str(pictures), "--out", str(out), *others, *more]


def train(pictures, out, *more):
    done = subprocess.run(command(pictures, out, *more), capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def leaves(run):
    """Every array of the last checkpoint, by its place in the state."""
    import orbax.checkpoint.experimental.v1 as ocp

    return ocp.load(max((run / rundir.CHECKPOINTS).iterdir()))


def test_an_official_pickle_is_fine_tuned_on_a_folder_with_odd_pictures(pictures, tmp_path):
    fixed = ("--augment", "fixed", "--augment-p", "0.3", "--freeze-d", "2", "--framing", "ffhq")
    code, said = train(pictures, tmp_path / "run", *fixed)
    assert code == 0, said
    assert stylegan_jax.load(tmp_path / "run").lineage["framing"] == "ffhq"
    assert "98 images" in said and "2 left out" in said and "text.png" in said and "frozen: " in said
    before, after = (stylegan_jax.load(path) for path in (golden("gen/s01_skip32.pkl"), tmp_path / "run"))
    assert before.config.generator == after.config.generator
    moved = [k for k, v in after.networks["G"].items() if not np.array_equal(v, before.networks["G"][k])]
    assert "synthesis.b32.conv1.weight" in moved and "mapping.fc0.weight" in moved


def test_a_run_that_is_killed_goes_on_and_ends_bit_identically(pictures, tmp_path):
    assert train(pictures, tmp_path / "whole")[0] == 0
    killed = subprocess.Popen(command(pictures, tmp_path / "parts"), stdout=subprocess.DEVNULL)
    until = time.monotonic() + 300
    while not (tmp_path / "parts" / rundir.CHECKPOINTS / "000000004").exists():
        assert time.monotonic() < until and killed.poll() is None
        time.sleep(0.05)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    code, said = train(pictures, tmp_path / "parts")
    assert code == 0 and "going on at" in said, said
    whole, parts = leaves(tmp_path / "whole"), leaves(tmp_path / "parts")
    assert whole.keys() == parts.keys() and len(whole) > 100
    for key in whole:
        np.testing.assert_array_equal(whole[key], parts[key], err_msg=key)


def test_a_run_goes_on_after_its_folder_its_data_and_its_model_were_renamed(pictures, tmp_path):
    source = tmp_path / "a.pkl"
    source.write_bytes(golden("gen/s01_skip32.pkl").read_bytes())
    more = ["--from", str(source), "--kimg"]
    assert train(pictures, tmp_path / "run", *more, "0.016")[0] == 0
    moved = [path.rename(tmp_path / f"moved-{path.name}") for path in (pictures, tmp_path / "run", source)]
    code, said = train(moved[0], moved[1], "--from", str(moved[2]), "--kimg", "0.032")
    assert code == 0 and "going on at 0.016 kimg" in said, said


def test_sigterm_is_answered_at_once_and_saves_even_while_the_programs_are_compiled(pictures, tmp_path):
    with subprocess.Popen(command(pictures, tmp_path / "run"), stdout=subprocess.PIPE, text=True) as asked:
        assert asked.stdout is not None
        for line in asked.stdout:
            if line.rstrip().endswith("network-snapshot-000000.safetensors"):  # what comes next is the first iteration
                break
        time.sleep(2)
        asked.send_signal(signal.SIGTERM)
        begun = time.monotonic()
        lines = [line for line in asked.stdout if not line.startswith("compiling")]
    assert time.monotonic() - begun < 300
    assert lines[0].startswith("SIGTERM: saving after "), lines
    assert asked.returncode == 75
    assert int(leaves(tmp_path / "run")["iteration"]) == 1
