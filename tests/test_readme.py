"""The README's commands, in the order printed, in one folder, on small models and few images."""

import os
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import stylegan_jax as sj
from stylegan_jax.psp import PspConfig
from tests.convert import test_psp as psp_file
from tests.golden_data import ROOT
from tests.tiny_models import tiny_model

FEWER = {
    r"--seeds \d+-\d+": "--seeds 0-8",
    r"--distributed --out gs://bucket/faces": "--part 0/1 --out bucket-faces",
    r"(stylegan_jax train .*)": r"\1 --kimg 0.016 --batch 8 --snapshot-ticks 1 --tick 0.008 --score-images 0",
    r"swap=16|--swap 16|--swap 32|--smooth 32": lambda found: re.sub(r"\d+", "8", found[0]),
    r"band=64-256": "band=8-16",
    r"((?:interp.toonify|stylegan_jax project|stylegan_jax encode) .*)": r"\1 --no-align",
    r"((?:interp.toonify(?!.*--fast)|stylegan_jax project) .*)": r"\1 --steps 3",
    r"(stylegan_jax train-encoder .*)": r"\1 --kimg 0.004 --batch 2",
    r"film (.*)": r"film \1 --fps 4 --seeds 0-1",
    r"--swap 2\.\.64": "--swap 4..8",
}
"""What would take long, or wants more than small models have, in small."""
ELSEWHERE = ("scripts/", "python -m pip install", "python -m interp.studio")  # tests of their own


def commands():
    """Every indented line of the README that is a command, without its remark."""
    lines = [line[4:].split("  #")[0].strip() for line in (ROOT / "README.md").read_text().splitlines()]
    indented = [
        line
        for line, raw in zip(lines, (ROOT / "README.md").read_text().splitlines(), strict=True)
        if raw[:4] == "    "
    ]
    return [line for line in indented if line.startswith(("python", "stylegan-jax")) and not line.startswith(ELSEWHERE)]


@pytest.mark.slow
def test_the_commands_of_the_readme_run_in_their_order(tmp_path):
    for seed, name in enumerate(("ffhq", "toon", "metfaces")):
        sj.save(tiny_model(seed), tmp_path / f"{name}.pkl")
    config = tiny_model().config.generator
    np.savez(tmp_path / "projected_w.npz", w=np.zeros((1, config.num_ws, config.w_dim), np.float32))
    encoder = PspConfig(config.num_ws, channels=(16, 32, 48, config.w_dim), units=(1, 1, 1, 1))
    psp_file.saved(tmp_path / "e4e.pt", psp_file.tree(config=encoder, model=tiny_model(0)))
    (tmp_path / "pictures").mkdir()
    Image.new("RGB", (90, 120), (200, 150, 99)).save(tmp_path / "me.jpg")
    for i in range(9):
        Image.new("RGB", (20, 20), (20 * i, 0, 99)).save(tmp_path / "pictures" / f"{i}.png")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    found = commands()
    assert len(found) > 20
    for command in found:
        for long, short in FEWER.items():
            command = re.sub(long, short, command)
        words = [sys.executable, *shlex.split(command)[1:]]
        done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}\n{done.stdout[-300:]}{done.stderr[-2000:]}"
        last = done.stdout.strip().splitlines()[-1].strip()
        says_where = "--describe" in command or any((tmp_path / word.rstrip(":")).exists() for word in last.split())
        assert says_where, f"{command}\nends with {last!r}"


@pytest.mark.slow
def test_the_python_of_the_readme_runs(tmp_path):
    for seed, name in enumerate(("ffhq.pkl", "toon.pkl")):
        sj.save(tiny_model(seed), tmp_path / name)
    program = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[0]
    program = program.replace(", 16)", ", 8)")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
