"""Speed of a training step: images per second, peak memory, and the share of the matmul rate that its arithmetic gets.

scripts/bench train [RESOLUTION [CHANNEL_BASE [BATCH]]], by default 64 1024 8: the configuration of the shipped models.
"""

import dataclasses
import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

from stylegan_jax.commands import cli

SETTINGS = {"channel_max": 128, "z_dim": 128, "w_dim": 128, "mbstd_group_size": 4}
PHASES = ("Gmain", "Greg", "Dmain", "Dreg")


def main(resolution: int = 64, channel_base: int = 1024, batch: int = 8) -> None:
    """Prints a table, and the same as one line of JSON."""
    cli.set_up_jax()
    from stylegan_jax.train.official import official

    config = official("auto", {**SETTINGS, "channel_base": channel_base, "batch": batch}, resolution=resolution)
    config = dataclasses.replace(config, mbstd_chunks=1, augment_p=0.2)
    figures = {"matmul rate (GF/s)": matmul_rate() / 1e9, **times(config)}
    shares = {"Gmain": 1, "Dmain": 1, "Greg": 1 / config.g_reg_interval, "Dreg": 1 / config.d_reg_interval}
    step = sum(figures[f"{name} (ms)"] * share for name, share in shares.items()) / 1e3
    work = sum(figures[f"{name} (GF)"] * share for name, share in shares.items()) * 1e9
    figures["img/s"] = batch / step
    figures["share of the matmul rate"] = work / step / (figures["matmul rate (GF/s)"] * 1e9)
    figures["peak memory (GB)"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    for name, value in figures.items():
        print(f"{name:<28} {value:10.3f}")
    print(json.dumps(figures))


def matmul_rate(size: int = 2048) -> float:
    """Operations per second of one large float32 product."""
    import jax
    import jax.numpy as jnp

    x = jnp.ones((size, size))
    product = jax.jit(lambda a: a @ a)
    return 2 * size**3 / fastest(lambda: product(x))


def times(config: Any) -> dict[str, float]:
    """Milliseconds of each phase, and the operations that its convolutions and products need (XLA's count)."""
    import jax
    import jax.numpy as jnp

    from stylegan_jax.train.loop import augmentation, mesh_of
    from stylegan_jax.train.phases import Phases
    from stylegan_jax.train.state import initial_state

    phases, state = Phases(config, mesh_of(config, 1), augmentation(config)), initial_state(config)
    size = (config.batch, *2 * (config.generator.img_resolution,), config.generator.img_channels)
    real, c = jnp.zeros(size, jnp.uint8), jnp.zeros((config.batch, 0))
    found: dict[str, float] = {}
    for name in PHASES:
        inputs = phases.draw(0, name, c)
        more = {"Gmain": (inputs,), "Greg": (inputs,), "Dmain": (inputs, real, c), "Dreg": (inputs.augment, real, c)}
        jitted = dict(zip(PHASES, (phases.g_main, phases.g_reg, phases.d_main, phases.d_reg), strict=True))[name]
        compiled = jitted.lower(state, *more[name]).compile()

        def run(compiled: Any = compiled, arguments: tuple = more[name]) -> None:
            nonlocal state
            state, _ = compiled(state, *arguments)
            jax.block_until_ready(state)

        found[f"{name} (ms)"] = fastest(run) * 1e3
        found[f"{name} (GF)"] = (compiled.cost_analysis() or {}).get("flops", 0) / 1e9
    return found


def fastest(work: Callable[[], Any], repeats: int = 7) -> float:
    """Seconds of the fastest run: what others on the machine take away is not ours."""
    import jax

    jax.block_until_ready(work())
    seconds = []
    for _ in range(repeats):
        begun = time.perf_counter()
        jax.block_until_ready(work())
        seconds.append(time.perf_counter() - begun)
    return min(seconds)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
