"""The GPU day in small, on whatever is there: `scripts/gpu_day --smoke`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stylegan_jax.storage import checkpoint

ROOT = Path(__file__).resolve().parent.parent
MOST_FILES, LARGEST = 8, 16 * 2**20


def gpu_day(*arguments, **environment):
    command = ["bash", str(ROOT / "scripts" / "gpu_day"), *map(str, arguments)]
    env = {**os.environ, "PYTHON": sys.executable, **environment}
    return subprocess.run(command, env=env, capture_output=True, text=True, check=True)


@pytest.mark.slow
def test_it_trains_both_models_goes_on_when_run_again_and_leaves_few_small_files(tmp_path):
    random = np.random.RandomState(0)
    for name in ("portraits", "toons"):
        folder = tmp_path / "images" / name
        folder.mkdir(parents=True)
        for i in range(40):
            Image.fromarray(random.randint(0, 255, (16, 16, 3)).astype(np.uint8)).save(folder / f"{i}.png")
    packed, out, work = tmp_path / "packed", tmp_path / "out", tmp_path / "work"
    gpu_day("--pack", tmp_path / "images", "--images", packed)
    for calls in (1, 2):
        gpu_day("--smoke", "--images", packed, "--out", out, "--work", work)
        found = json.loads((out / "gpu_day.json").read_text())
        assert [look["kimg"] for look in found["looks"]] == [
            c * 3 * 4 * 4 / 1000 for c in range(1, calls + 1) for _ in "12"
        ]
    assert {"swap 8", "proxy-FID"} <= set(found["looks"][1])
    assert {row["dtype"] for row in found["sampling"]} == {"float32", "bfloat16"}
    for name in ("portraits", "toons"):
        assert set(checkpoint.load(out / f"{name}.safetensors").networks) == {"G", "D", "G_ema"}
    base, fine_tuned = (
        checkpoint.load(out / f"{name}.safetensors").networks["G_ema"] for name in ("portraits", "toons")
    )
    assert not np.array_equal(base["synthesis.b8.conv0.weight"], fine_tuned["synthesis.b8.conv0.weight"])
    files = [path for path in out.rglob("*") if path.is_file()]
    assert len(files) <= MOST_FILES
    assert max(path.stat().st_size for path in files) < LARGEST
