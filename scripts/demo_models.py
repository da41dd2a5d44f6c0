"""Trains and exports the shipped pair for `scripts/make_demo_models`. Every step goes on where it stopped."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
MODELS = ROOT / "stylegan_jax" / "models"
SHARED = "--mirror --batch 8 --mbstd-chunks 1 --mbstd-group-size 4 --pl-weight 0 --ada-kimg 100 --devices 1"
GROWING = "--ema-kimg 2.5 --ema-rampup 0.05"
SMALL = "--channel-base 1024 --channel-max 128 --z-dim 128 --w-dim 128 --conv-clamp 0 --num-fp16-res 0"

# name → (images, what else the command says). Coarse layers first, at a quarter of the pixels; then the whole size.
STAGES = {
    "portraits32": (
        "portraits",
        f"--resolution 32 {SMALL} {GROWING} --r1-gamma 0.05 --seed 1 --kimg 45.992",
    ),
    "portraits64": (
        "portraits",
        f"--from {{runs}}/portraits32 --resolution 64 {GROWING} --r1-gamma 0.15 --seed 2 --kimg 12.576",
    ),
    "portraits": (
        "portraits",
        "--from {runs}/portraits64 --ema-kimg 2.5 --r1-gamma 0.15 --ada-target 0.8 --seed 2 --kimg 8",
    ),
    "toons-begun": (
        "toons",
        "--from {runs}/portraits --ema-kimg 2.5 --r1-gamma 0.15 --ada-target 0.8 --seed 3 --kimg 3.344",
    ),
    "toons": ("toons", "--from {runs}/toons-begun --r1-gamma 0.15 --ada-target 0.8 --ema-kimg 0.8 --seed 4 --kimg 6"),
}
WATCHING = "--tick 1 --snapshot-ticks 8 --score-images 800"
SHIPPED = ("portraits", "toons")
SMOKE = f"--resolution 32 {SMALL.replace('1024', '256')} {GROWING} --r1-gamma 0.05 --seed 1 --kimg 1.6"
SMOKE_WATCHING = "--tick 0.4 --snapshot-ticks 4 --score-images 400"


def main(arguments: list[str]) -> int:
    """Runs the stages, or their small form; returns the exit code."""
    smoke = "--smoke" in arguments
    places = [argument for argument in arguments if argument != "--smoke"]
    if not 1 <= len(places) <= 2:
        print("usage: scripts/make_demo_models [--smoke] IMAGES [RUNS]", file=sys.stderr)
        return 2
    images, runs = Path(places[0]), Path(places[1] if len(places) > 1 else "out/runs")
    if smoke:
        return smoke_test(images, runs)
    for name, (folder, flags) in STAGES.items():
        code = train(images / folder, runs / name, f"{SHARED} {WATCHING} {flags.format(runs=runs)}")
        if code:
            return code
    for name in SHIPPED:
        export(runs / name, MODELS / f"{name}.safetensors")
    return 0


def train(images: Path, run: Path, flags: str) -> int:
    """One stage as a command of its own."""
    command = [sys.executable, "-m", "stylegan_jax.train", str(images), "--out", str(run), *flags.split()]
    print("$ python", *command[1:], flush=True)
    run.parent.mkdir(parents=True, exist_ok=True)
    return subprocess.run(command, check=False).returncode


def export(run: Path, path: Path, lineage: dict[str, Any] | None = None) -> None:
    """The run's latest G_ema in float16, with what made it (`lineage` replaces the run's own).

    Trained this briefly, the noise is speckle and not texture, so its strengths are set to 0.
    """
    from stylegan_jax import checkpoint, rundir

    model = checkpoint.load(rundir.latest_snapshot(run), networks=["G_ema"])
    half = {name: leaf.astype(np.float16) for name, leaf in model.networks["G_ema"].items()}
    quiet = {name: leaf * (not name.endswith("noise_strength")) for name, leaf in half.items()}
    told = {**(lineage or model.lineage), "source": path.name, "after_training": "float16, noise strengths set to 0"}
    path.parent.mkdir(parents=True, exist_ok=True)
    print(checkpoint.save(checkpoint.Model(model.config, {"G_ema": quiet}, told), path, overwrite=True))


def smoke_test(images: Path, runs: Path) -> int:
    """Some hundred iterations at 32 pixels; proxy-FID must end lower than it began."""
    run = runs / "smoke"
    code = train(images / "toons", run, f"{SHARED} {SMOKE_WATCHING} {SMOKE}")
    if code:
        return code
    from stylegan_jax import rundir

    lines = [json.loads(line) for line in (run / rundir.METRICS).read_text().splitlines()]
    scores = [line["proxy-FID"] for line in lines if "proxy-FID" in line]
    print(f"proxy-FID {scores[0]:.2f} → {scores[-1]:.2f}")
    return 0 if scores[-1] < scores[0] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
