"""Trains the shipped encoder for `scripts/make_demo_encoder`, and shows it photographs that it has not seen."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENCODER = ROOT / "stylegan_jax" / "models" / "encoders" / "portraits.safetensors"
USUAL = ["--mirror", "--batch", "8", "--lr", "0.005", "--seed", "41", "--kimg", "100"]
HELD_BACK = 10  # every tenth photograph
LARGEST = 3_000_000  # bytes


def main(arguments: list[str]) -> int:
    """Trains, and encodes the photographs that were held back; returns the exit code."""
    if not arguments or arguments[0].startswith("-"):
        print("usage: scripts/make_demo_encoder IMAGES [FLAGS of train-encoder]", file=sys.stderr)
        return 2
    photographs = sorted(path for path in (Path(arguments[0]) / "portraits").iterdir() if path.suffix == ".png")
    ENCODER.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for i, path in enumerate(photographs):
            part = Path(folder) / ("held-back" if i % HELD_BACK == 0 else "portraits")
            part.mkdir(exist_ok=True)
            shutil.copy(path, part)
        flags = arguments[1:] or USUAL
        train = ["train-encoder", "portraits", "--images", f"{folder}/portraits", "--out", str(ENCODER), "--overwrite"]
        if code := run([*train, *flags]):
            return code
        assert ENCODER.stat().st_size <= LARGEST
        shown = ["--encoder", str(ENCODER), "--out", "out/held-back.npz", "--no-align", "--overwrite"]
        Path("out").mkdir(exist_ok=True)
        return run(["encode", f"{folder}/held-back", *shown])


def run(command: list[str]) -> int:
    """One of our commands."""
    print("$ python -m stylegan_jax", *command, flush=True)
    return subprocess.run([sys.executable, "-m", "stylegan_jax", *command], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
