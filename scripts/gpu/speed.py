"""How fast this machine samples: config-f generators at 256 and 1024, every case until the time is over."""

import os
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import sample_runs
from sample_runs import Case

CASES = [
    *(Case(1024, batch, "bfloat16", "plain") for batch in (8, 32)),
    *(Case(256, batch, "bfloat16", "plain") for batch in (32, 8)),
    Case(1024, 1, "bfloat16", "plain"),
    Case(1024, 8, "float32", "plain"),
    Case(1024, 8, "tf32", "plain"),
    Case(256, 32, "float32", "plain"),
    Case(256, 1, "bfloat16", "plain"),
    Case(1024, 8, "float16", "plain"),
    Case(256, 32, "float32", "prepared"),
    Case(256, 8, "float32", "plain"),
    Case(256, 1, "float32", "plain"),
    Case(1024, 1, "float32", "plain"),
    Case(1024, 8, "bfloat16", "prepared"),
]
SMALL = [Case(16, batch, dtype, plan) for batch, dtype, plan in ((1, "float32", "plain"), (2, "bfloat16", "prepared"))]


def machine() -> dict[str, Any]:
    """What it is, and its two ceilings."""
    device = jax.devices()[0]
    found: dict[str, Any] = {"device": device.device_kind, "jax": jax.__version__, "cpus": os.cpu_count()}
    if device.platform == "cpu":
        return found
    x = jax.random.normal(jax.random.key(0), (8192, 8192), jnp.bfloat16)
    product, copy = jax.jit(lambda a: a @ a), jax.jit(lambda a: a + 1)
    big = jnp.ones(2**29, jnp.float32)
    found["bf16 TFLOP/s"] = round(2 * 8192**3 / median(lambda: product(x).block_until_ready(), 5) / 1e12)
    found["copy GB/s"] = round(2 * big.nbytes / median(lambda: copy(big).block_until_ready(), 5) / 1e9)
    return found


def median(work: Callable[[], Any], runs: int) -> float:
    """Seconds, after one run that does not count."""
    work()
    return float(np.median([sample_runs.timed(work) for _ in range(runs)]))


def measure(options: Namespace, report: Any) -> None:
    """Compiles side by side, times one after the other, in the order of interest."""
    cases = SMALL if options.smoke else CASES
    models = {case.resolution: sample_runs.random_model(case.config) for case in cases}
    with ThreadPoolExecutor(1 if options.smoke else 6) as pool:
        ready = [(case, pool.submit(sample_runs.prepared_program, models[case.resolution], case)) for case in cases]
        jobs = [(case, future) for case, future in ready]
        for case, future in jobs:
            left = options.until - report.seconds
            if left < 5:
                future.cancel()
                continue
            try:
                program, arguments, seconds = future.result(timeout=left)
            except Exception as error:  # one case that fails must not cost the others
                report.add("sampling", {**case.row, "failed": repr(error)[:300]})
                continue
            row = {**case.row, **timed_case(case, program, arguments), "compile s": round(seconds, 1)}
            report.add("sampling", row)
            report.log(f"sampling: {row}")
            del program, arguments
    if options.until - report.seconds > 20:
        attempt(report, "alpha", lambda: moving_alpha(options))
    if options.until - report.seconds > 40 and not options.smoke:
        attempt(report, "bulk", lambda: bulk(options))


def timed_case(case: Case, program: Callable, arguments: tuple) -> dict[str, float]:
    """Milliseconds alone (each batch waited for) and images per second in a row (nothing waited for)."""
    alone = median(lambda: program(*arguments).block_until_ready(), 9)
    many = max(4, int(0.5 / alone))
    begun = time.perf_counter()
    jax.block_until_ready([program(*arguments) for _ in range(many)])
    return {"ms": alone * 1e3, "img/s": many * case.batch / (time.perf_counter() - begun)}


def attempt(report: Any, key: str, work: Callable[[], Any]) -> None:
    """Notes what `work` returns, or why it failed."""
    try:
        found = work()
    except Exception as error:
        found = {"failed": repr(error)[:500]}
    report.note(key, found)
    report.log(f"{key}: {found}")


def moving_alpha(options: Namespace) -> dict[str, Any]:
    """A blend whose α changes with every frame, against one that does not."""
    return sample_runs.alpha_case(Case(16 if options.smoke else 256, 8, "float32", "plain"), 5)


def bulk(options: Namespace) -> list[dict[str, Any]]:
    """The command on the trained base, bfloat16: images per second to npy and PNG, start included."""
    rows = []
    for form in ("npy", "png"):
        n, place = 4096, options.work / f"bulk-{form}"
        command = [sys.executable, "-m", "stylegan_jax", "sample", str(options.out / "portraits.safetensors")]
        command += ["--seeds", f"0-{n - 1}", "--batch", "64", "--dtype", "bfloat16", "--format", form, "--overwrite"]
        environment = {**os.environ, "XLA_PYTHON_CLIENT_MEM_FRACTION": "0.2"}
        begun = time.perf_counter()
        done = subprocess.run(
            [*command, "--out", str(place)], env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        rows.append({"format": form, "images": n, "s": round(time.perf_counter() - begun, 2), "rc": done.returncode})
        if done.returncode:
            rows[-1]["failed"] = done.stderr[-300:]
    return rows
