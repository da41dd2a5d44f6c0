"""The studio's updates: how many a second while a handle is dragged, against the generator alone, and what grows.

scripts/bench studio [BASE TRANSFER] [--updates 300] [--whole]
scripts/bench studio --config-f 256 --updates 20
scripts/bench studio --updates 10000                          the soak

A client asks for one update after the other, as the page does, over its WebSocket; then the generator runs in this
process, alone. Before the clock starts and memory is watched it asks for a tenth as many: allocators fill for some
hundred updates. Reads /proc, so the memory is said on Linux alone.
"""

import argparse
import contextlib
import json
import re
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from stylegan_jax.commands import cli


def main(argv: list[str] | None = None) -> None:
    """Prints a line for each measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=["portraits", "toons"])
    parser.add_argument("--updates", type=int, default=300)
    parser.add_argument("--config-f", type=int, metavar="R", help="two generators of random weights instead")
    parser.add_argument("--whole", action="store_true", help="as when the hand rests: no previews, exact pictures")
    options = parser.parse_args(argv)
    cli.set_up_jax()
    with tempfile.TemporaryDirectory() as folder:
        models = random_models(options.config_f, Path(folder)) if options.config_f else options.models
        with studio(models, folder) as (address, process):
            found = dragged(address, process.pid, options.updates, moving=not options.whole)
        found["generator alone, ms"] = alone(models)
    for name, value in found.items():
        print(f"{name:<28} {value:.4g}")


def random_models(resolution: int, folder: Path) -> list[str]:
    """Files of two config-f generators."""
    import stylegan_jax as sj
    from tests.tiny_models import tiny_model

    paths = []
    for seed in range(2):
        full: dict[str, Any] = {"img_resolution": resolution, "z_dim": 512, "w_dim": 512, "channel_max": 512}
        paths.append(str(sj.save(tiny_model(seed, **full, mapping_layers=8), folder / f"{seed}.safetensors")))
    return paths


@contextlib.contextmanager
def studio(models: list[str], folder: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A studio of these models, its address and its process."""
    words = [sys.executable, "-m", "interp.studio", *models, "--no-browser", "--port", "0", "--out", f"{folder}/studio"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield re.findall(r"http\S+", process.stdout.readline())[0], process
    finally:
        process.terminate()
        process.wait(10)


def dragged(address: str, pid: int, updates: int, *, moving: bool) -> dict[str, float]:
    """Drags the third handle up and down."""
    from websockets.sync.client import connect

    host, token = re.findall(r"http://([^/]+)/\?token=(.+)", address)[0]
    with connect(f"ws://{host}/live?token={token}", origin=f"http://{host}", max_size=None) as line:  # type: ignore
        state = json.loads(line.recv())["state"]

        def update(number: int, still: bool = False) -> dict[str, Any]:
            alpha = (1 + np.sin(number / 7)) / 2
            state["models"][1]["schedule"] = f"alpha=4=1 8=1 16={alpha:.4f} 32=0"
            line.send(json.dumps({"id": number, "state": state, "moving": moving and not still}))
            answer = line.recv()
            assert isinstance(answer, bytes), answer
            (length,) = struct.unpack(">I", answer[:4])
            return json.loads(answer[4 : 4 + length])

        for number in range(max(20, updates // 10)):  # the allocator's caches fill for some hundred updates
            update(number, still=number < 5)  # compiles; notices how long a picture takes
        before, begun = resident(pid), time.perf_counter()
        drawn = [update(number)["ms"] for number in range(updates)]
        seconds = time.perf_counter() - begun
        return {
            "updates": float(updates),
            "updates a second": updates / seconds,
            "of an update, ms": 1000 * seconds / updates,
            "of that drawing, ms": float(np.median(drawn)),
            "memory grew, MB": (resident(pid) - before) / 1e6,
        }


def resident(pid: int) -> int:
    """Bytes of memory that a process holds."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096
    except OSError:
        return 0


def alone(models: list[str]) -> float:
    """Median milliseconds of the sampler for one image of a blend."""
    import jax

    import stylegan_jax
    from interp.alphas import resolve_sources
    from interp.rendering import Renderer
    from interp.schedules import smooth
    from stylegan_jax.sampler.run import map_seeds

    loaded = [stylegan_jax.load(model, networks=["G_ema"]) for model in models]
    renderer, schedule = Renderer(loaded, models), smooth(16, 1)
    ws = map_seeds(loaded[0], [0])
    times = []
    for _ in range(30 if loaded[0].config.generator.img_resolution < 256 else 7):
        begun = time.perf_counter()
        jax.block_until_ready(renderer.images([schedule], resolve_sources([schedule], None, None, None), ws))
        times.append(time.perf_counter() - begun)
    return 1000 * float(np.median(times))


if __name__ == "__main__":
    main()
