"""Speed of projection: a step for one face and for many, compiling, memory, and the command from start to finish.

scripts/bench project [--model portraits] [--faces 1,4,16] [--steps 400] [--command] [--json project.json]
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from stylegan_jax.commands import cli


def main(argv: list[str] | None = None) -> None:
    """Prints a table; the same as JSON where `--json` says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="portraits")
    parser.add_argument("--faces", default="1,4,16")
    parser.add_argument("--loss", default="scattering")
    parser.add_argument("--steps", type=int, default=400, help="of the command")
    parser.add_argument("--runs", type=int, default=30, help="timed steps of each")
    parser.add_argument("--command", action="store_true", help="time `stylegan_jax project` for one face and for most")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(argv)
    counts = [int(each) for each in options.faces.split(",")]
    cli.set_up_jax()
    found = steps(options, counts)
    if options.command:
        found |= commands(options, counts)
    for name, value in found.items():
        print(f"{name:<44} {value:10.2f}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))


def steps(options: argparse.Namespace, counts: list[int]) -> dict[str, float]:
    """Milliseconds of a step by wall clock and by the processor's, by turns, and seconds until the first is done."""
    import jax
    import numpy as np

    import stylegan_jax
    from stylegan_jax.projection.descent import descend
    from stylegan_jax.projection.latentspace import latent_space
    from stylegan_jax.projection.losses import LOSSES
    from stylegan_jax.projection.project import settings_of
    from stylegan_jax.sampler import sample

    model = stylegan_jax.load(options.model, networks=["G_ema"])
    pictures, space = np.concatenate(list(sample(model, range(max(counts))))), latent_space(model)
    found: dict[str, float] = {}
    descents: dict[int, Any] = {}
    settings, loss = settings_of(steps=options.runs + 1), LOSSES[options.loss]()
    for n in counts:
        begun = time.perf_counter()
        descents[n] = descend(model, pictures[:n], loss, space, settings)
        jax.block_until_ready(next(descents[n]).loss)
        found[f"{n} faces: until the first step (s)"] = time.perf_counter() - begun
    times: dict[int, list[tuple[float, float]]] = {n: [] for n in counts}
    for _ in range(options.runs):
        for n, descent in descents.items():
            wall, busy = time.perf_counter(), time.process_time()
            jax.block_until_ready(next(descent).loss)
            times[n].append((time.perf_counter() - wall, time.process_time() - busy))
    for n, pairs in times.items():
        wall, busy = (1e3 * min(values) for values in zip(*pairs, strict=True))
        found |= {f"{n} faces: a step (ms)": wall, f"{n} faces: a step, processor time (ms)": busy}
    least, most = counts[0], counts[-1]
    found[f"step of {most} / of {least}"] = found[f"{most} faces: a step (ms)"] / found[f"{least} faces: a step (ms)"]
    found["peak memory (MB)"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    return found


def commands(options: argparse.Namespace, counts: list[int]) -> dict[str, float]:
    """Seconds of the command for few faces and for many, imports, reading and compiling included."""
    import numpy as np
    from PIL import Image

    import stylegan_jax

    model = stylegan_jax.load(options.model, networks=["G_ema"])
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for n in (counts[0], counts[-1]):
            place = Path(folder) / f"{n}"
            place.mkdir()
            for seed in range(n):
                pixels = np.asarray(stylegan_jax.sample(model, [seed])[0])
                Image.fromarray(pixels.squeeze()).save(place / f"{seed:02}.png")
            line = ["project", str(place), "--model", options.model, "--no-align", "--loss", options.loss]
            line += ["--steps", str(options.steps), "--out", f"{folder}/{n}.npz"]
            begun = time.perf_counter()
            subprocess.run([sys.executable, "-m", "stylegan_jax", *line], check=True, stdout=subprocess.DEVNULL)
            found[f"{n} faces: the command, {options.steps} steps (s)"] = time.perf_counter() - begun
    few, many = (found[f"{n} faces: the command, {options.steps} steps (s)"] for n in (counts[0], counts[-1]))
    return found | {f"command of {counts[-1]} / of {counts[0]}": many / few, "processors": float(os.cpu_count() or 0)}


if __name__ == "__main__":
    main()
