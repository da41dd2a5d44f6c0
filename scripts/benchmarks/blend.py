"""Time and memory of a blend: of 30 M parameters in memory, and from file to file with two 1024-pixel models.

Memory is read from /proc, so that part needs Linux.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from stylegan_jax.storage.safetensors import aligned

RUNS = 15
SOFT = ("--smooth", "16", "--width", "1")
HARD = ("--swap", "16")
CHILD = """
import sys
from stylegan_jax.commands import cli
cli.set_up_jax()
import jax, numpy, orbax.checkpoint.experimental.v1
import interp.mix, interp.replay
from interp.blend import blend
jax.devices()
peak = lambda: next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))
before = peak()
assert cli.run(blend, "blend", sys.argv[1:]) == 0
print(peak() - before)
"""


def main() -> None:
    """Prints a table, and the same as one line of JSON."""
    with tempfile.TemporaryDirectory() as folder:
        figures = {**in_memory(), **file_to_file(Path(folder))}
    for name, value in figures.items():
        print(f"{name:<44} {value:10.3f}")
    print(json.dumps(figures))


def in_memory() -> dict[str, float]:
    """Times of blending two trees, as multiples of copying as much: reading two trees and writing one."""
    import jax

    from interp.arithmetic import mix_trees
    from interp.mix import apply_shares

    trees = [random_tree(seed) for seed in (0, 1)]
    bytes_of_one = sum(leaf.nbytes for leaf in trees[0].values())
    shares = {name: (0.3,) for name in trees[0]}
    alphas = {name: np.array(alpha, np.float32) for name, alpha in shares.items()}
    base, other = jax.device_put(trees)
    source, target = np.ones(bytes_of_one, np.uint8), np.ones(bytes_of_one, np.uint8)
    seconds = fastest(
        {
            "copy": lambda: np.copyto(target, source),
            "pure core": lambda: jax.block_until_ready(mix_trees(base, [other], alphas)),
            "arrays of models": lambda: apply_shares(trees, shares),
        }
    )
    copied = 2 * bytes_of_one / seconds.pop("copy")
    ideal = 3 * bytes_of_one / copied
    return {
        "parameters (M)": bytes_of_one / 4e6,
        "copy rate, read + write (GB/s)": copied / 1e9,
        "two trees read, one written (ms)": ideal * 1e3,
        **{f"{name} (ms)": each * 1e3 for name, each in seconds.items()},
        **{f"{name} (multiple)": each / ideal for name, each in seconds.items()},
    }


def random_tree(seed: int) -> dict[str, np.ndarray]:
    """The trained tensors of a 1024-pixel generator, as the loaders allocate them."""
    from stylegan_jax.config import GeneratorConfig
    from stylegan_jax.names import generator_layout, is_buffer, resolution_of

    rng, tree = np.random.default_rng(seed), {}
    for name, shape in generator_layout(GeneratorConfig(img_resolution=1024)).items():
        if resolution_of(name) and not is_buffer(name):
            tree[name] = aligned(shape, np.float32)
            tree[name][...] = rng.standard_normal(shape, np.float32)
    return tree


def fastest(runs: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Seconds of the fastest of several runs of each, by turns, after a warm-up."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(RUNS + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            times[name] += [time.perf_counter() - start] if turn else []
    return {name: min(each) for name, each in times.items()}


def file_to_file(folder: Path) -> dict[str, float]:
    """Peak memory above that after imports, as a multiple of the two models' bytes, and seconds, of the command."""
    write_models(folder)
    size = sum((folder / name).stat().st_size for name in ("base.safetensors", "transfer.safetensors"))
    figures: dict[str, float] = {"two models (MB)": size / 1e6}
    for form in ("out.safetensors", "out"):
        for kind, schedule in (("hard", HARD), ("soft", SOFT)):
            pair = ("--base", str(folder / "base.safetensors"), "--transfer", str(folder / "transfer.safetensors"))
            command = [*pair, *schedule, "--no-sheet", "--out", str(folder / form), "--overwrite"]
            start = time.perf_counter()
            done = subprocess.run(
                [sys.executable, "-c", CHILD, *command], stdout=subprocess.PIPE, text=True, check=True
            )
            name = f"{kind} to {'.safetensors' if form.endswith('s') else 'Orbax'}"
            figures[f"{name}: peak memory (multiple)"] = int(done.stdout.split()[-1]) / size
            figures[f"{name}: all in all (s)"] = time.perf_counter() - start
    return figures


def write_models(folder: Path) -> None:
    """Two random 1024-pixel models with a G_ema each."""
    from stylegan_jax.config import GeneratorConfig, ModelConfig
    from stylegan_jax.names import layout_of
    from stylegan_jax.storage import checkpoint

    config = ModelConfig(generator=GeneratorConfig(img_resolution=1024))
    for seed, name in enumerate(("base", "transfer")):
        rng = np.random.default_rng(seed)
        leaves = {n: rng.standard_normal(shape, np.float32) for n, shape in layout_of(config, "G_ema").items()}
        checkpoint.save(checkpoint.Model(config, {"G_ema": leaves}, {"source": name}), folder / f"{name}.safetensors")


if __name__ == "__main__":
    main()
