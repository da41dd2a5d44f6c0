"""Trains and exports the shipped pair for `scripts/make_demo_models`. Every step goes on where it stopped.

The pair in the package was made so, its toons a little otherwise at the end: their card says how. Seen of the base at
64×64: proxy-FID 5.5 after 20 thousand images, 4.0 after 40, 2.4 after 80, 2.1 after 120, 1.88 after 160, 1.76 after
200, 1.66 after 240. Where a run's folder is lost, go on `--from` the shipped models, which have G_ema and D.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
MODELS = ROOT / "stylegan_jax" / "models"
# The two cores as two devices, 1.2 to 1.3 times as fast as one. No path length: it doubles the time of a G step.
SHARED = "--mirror --batch 8 --mbstd-group-size 4 --mbstd-chunks 2 --devices 2 --pl-weight 0 --ada-kimg 100"
SHARED += " --style-mixing 0.5"
# Trained this briefly, noise is speckle and no texture: its strengths stay 0.
STILL = "--freeze noise_strength"
# In the fine-tune mapping and affine layers stay the base's: one w means one face. So do ToRGB and the biases of the
# upper blocks, by which the base's upper layers meet in a blend what they know: after 20 thousand images swap 16 has
# .90 of the lesser parent's saturation and sharpness, without these two .68 and .87 (after 40: .47 and .79), and the
# toons themselves are no worse for it (proxy-FID 14.5 and 14.8). With the biases of all blocks: .86, .77 and 16.4.
KEPT = "--freeze blends"
# Yet the longer it trains, the worse its blends (after 68: .67 and .86). So from then on four iterations of ten judge
# swap 16 with the base in place of the toons themselves: after 20 thousand more .83 and .83, after 40 .88 and .95. Swap
# 8 and 32 stay pale by that (.76, .72), and come back where all three are judged in turn: after 60 thousand .99, .85,
# after 300 thousand .97, .92, while proxy-FID goes on falling (6.6, 5.8, 3.8). But swap 8 loses its eyes by that: the
# base draws them, and the drawings' D knows no such eyes. So the coarsest blocks go back to .55 of the way from the
# base and stay there, and the others learn to draw on them, with blends at 16 and 32 (the shipped ones: .96, .90, .89).
BLENDED = "--blend-with {runs}/portraits --blend-share 0.4 --blend-swap 16 --augment-p 0.22"
IN_TURN = "--blend-with {runs}/portraits --blend-share 0.45 --blend-swap 8,16,16,32 --augment-p 0.28"
NEARER = ["--alpha", "4=0.45 8=0.45 16=0 32=0 64=0"]  # of the base in the toons
ON_THEM = "--freeze-g 4,8 --blend-with {runs}/portraits --blend-share 0.45 --blend-swap 16,16,32 --augment-p 0.3"
SMALL = "--channel-base 1024 --channel-max 128 --z-dim 128 --w-dim 128 --conv-clamp 0 --num-fp16-res 0"
TOONS = "--lr 0.002 --ema-kimg 10 --r1-gamma 0.2 --seed 43"

# name → (images, what else the command says). Coarse layers first, at a quarter of the pixels; then the whole size.
STAGES = {
    "portraits32": (
        "portraits",
        f"--resolution 32 {SMALL} {STILL} --ema-kimg 10 --ema-rampup 0.05 --r1-gamma 0.03 --seed 41 --kimg 130",
    ),
    "portraits": (
        "portraits",
        f"--from {{runs}}/portraits32 --resolution 64 {STILL} --ema-kimg 10 --r1-gamma 0.1 --seed 42 --kimg 240",
    ),
    "toons-alone": ("toons", f"--from {{runs}}/portraits {KEPT} {TOONS} --blend-share 0 --kimg 68"),
    "toons-at-16": ("toons", f"--from {{runs}}/toons-alone {KEPT} {BLENDED} {TOONS} --kimg 80"),
    "toons-in-turn": ("toons", f"--from {{runs}}/toons-at-16 {KEPT} {IN_TURN} {TOONS.replace('43', '45')} --kimg 300"),
    "toons": ("toons", f"--from {{runs}}/nearer.safetensors {KEPT} {ON_THEM} {TOONS.replace('43', '51')} --kimg 74"),
}
WATCHING = "--tick 5 --snapshot-ticks 4 --score-images 800"
SHIPPED = ("portraits", "toons")
SMOKE = f"--resolution 32 {SMALL.replace('1024', '256')} {STILL} --ema-kimg 5 --ema-rampup 0.05 --r1-gamma 0.05"
SMOKE += " --seed 1 --kimg 1.6"
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
        if name == "toons" and (code := bring_nearer(runs)):
            return code
        code = train(images / folder, runs / name, f"{SHARED} {WATCHING} {flags.format(runs=runs)}")
        if code:
            return code
    for name in SHIPPED:
        export(runs / name, MODELS / f"{name}.safetensors")
    return 0


def train(images: Path, run: Path, flags: str) -> int:
    """One stage as a command of its own."""
    run.parent.mkdir(parents=True, exist_ok=True)
    return told("stylegan_jax", "train", str(images), "--out", str(run), *flags.split())


def bring_nearer(runs: Path) -> int:
    """The toons with their coarsest blocks part of the way back to the base's, and with their own D."""
    if (runs / "nearer.safetensors").exists():
        return 0
    models = [str(runs / "toons-in-turn"), str(runs / "portraits")]
    return told("interp.blend", *models, *NEARER, "--out", str(runs / "nearer.safetensors"))


def told(module: str, *arguments: str) -> int:
    """A command, shown and run; its exit code."""
    command = [sys.executable, "-m", module, *arguments]
    print("$ python", *command[1:], flush=True)
    return subprocess.run(command, check=False).returncode


def export(run: Path, path: Path) -> None:
    """The run's latest G_ema and D in float16, with what made them."""
    from stylegan_jax.storage import checkpoint, rundir

    model = checkpoint.load(rundir.latest_snapshot(run), networks=["D", "G_ema"])
    half = {
        network: {name: leaf.astype(np.float16) for name, leaf in leaves.items()}
        for network, leaves in model.networks.items()
    }
    told = {**model.lineage, "source": path.name, "after_training": "float16"}
    path.parent.mkdir(parents=True, exist_ok=True)
    print(checkpoint.save(checkpoint.Model(model.config, half, told), path, overwrite=True))


def smoke_test(images: Path, runs: Path) -> int:
    """Some hundred iterations at 32 pixels; proxy-FID must end lower than it began."""
    run = runs / "smoke"
    code = train(images / "toons", run, f"{SHARED} {SMOKE_WATCHING} {SMOKE}")
    if code:
        return code
    from stylegan_jax.storage import rundir

    lines = [json.loads(line) for line in (run / rundir.METRICS).read_text().splitlines()]
    scores = [line["proxy-FID"] for line in lines if "proxy-FID" in line]
    print(f"proxy-FID {scores[0]:.2f} → {scores[-1]:.2f}")
    return 0 if scores[-1] < scores[0] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
