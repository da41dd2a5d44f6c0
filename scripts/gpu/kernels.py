"""Which kernels the time goes to."""

import glob
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax


def kernel_times(work: Callable[[], Any], folder: Path, most: int = 50) -> tuple[Any, list[str]]:
    """(result, lines "milliseconds count name" of the device's busiest kernels); an empty list where none are told."""
    shutil.rmtree(folder, ignore_errors=True)
    with jax.profiler.trace(str(folder)):
        result = jax.block_until_ready(work())
    spent: Counter[str] = Counter()
    count: Counter[str] = Counter()
    for path in glob.glob(f"{folder}/**/*.xplane.pb", recursive=True):
        for plane in jax.profiler.ProfileData.from_file(path).planes:
            if "GPU" not in plane.name:
                continue
            for line in plane.lines:
                if "Stream" not in line.name:
                    continue
                for event in line.events:
                    spent[event.name] += int(event.duration_ns)
                    count[event.name] += 1
    total = sum(spent.values())
    rows = [f"{ns / 1e6:9.2f} ms {count[name]:6d} {name[:90]}" for name, ns in spent.most_common(most)]
    return result, [f"{total / 1e6:9.2f} ms in all, {sum(count.values())} kernels", *rows]
