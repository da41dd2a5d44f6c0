"""What `scripts/bench sample` measures. Each part is a function of the cases and options; rows come back as dicts."""

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Row = dict[str, Any]
ALPHAS = (0.1, 0.35, 0.6, 0.85, 0.2)


@dataclasses.dataclass(frozen=True)
class Case:
    """One cell of the table; config-f (channel_base 32768) with random weights."""

    resolution: int
    batch: int
    dtype: str
    plan: str

    @property
    def config(self) -> Any:
        """Of the generator."""
        from stylegan_jax.config import GeneratorConfig

        return GeneratorConfig(img_resolution=self.resolution)

    @property
    def row(self) -> Row:
        """The columns that name it."""
        return {"px": self.resolution, "batch": self.batch, "dtype": self.dtype, "plan": self.plan}


def grid(cases: list[Case], options: Namespace) -> list[Row]:
    """Each case in a process of its own, so that its peak memory is its own; rates in the same process."""
    return [_alone("grid_case", case, options.runs) for case in cases]


def _alone(function: str, *arguments: Any, **environment: str) -> Row:
    """`function(*arguments)` of this module in a fresh process."""
    code = f"import json, sample_runs as s; from sample_runs import Case; print(json.dumps(s.{function}{arguments!r}))"
    if len(arguments) == 1:
        code = code.replace(",)", ")")
    paths = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    env = {**os.environ, **environment, "PYTHONPATH": paths}
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True, env=env)
    return json.loads(done.stdout.splitlines()[-1])


def grid_case(case: Case, runs: int) -> Row:
    """Times of one case."""
    from stylegan_jax.commands import cli
    from stylegan_jax.sampler import prepared

    cli.set_up_jax()
    import jax

    jax.devices()
    before = memory()
    model = random_model(case.config)
    program, arguments, seconds = prepared_program(model, case)
    program(*arguments).block_until_ready()
    product = matmul()
    rounds = [(timed(lambda: program(*arguments).block_until_ready()), timed(product)) for _ in range(runs)]
    median, second = (float(np.median(seconds)) for seconds in zip(*rounds, strict=True))
    peak, share = memory() - before, waited(model, case, program, arguments)
    rates = {"matmul GF/s": 2 * 2048**3 / second / 1e9, "copy GB/s": copy_rate()}
    work = 2 * case.batch * prepared.multiplications(case.config)
    return {
        **case.row,
        "ms": median * 1e3,
        "img/s": case.batch / median,
        "multiple": median / (work / rates["matmul GF/s"] / 1e9),
        **rates,
        "peak MiB": peak / 2**20,
        "compile s": seconds,
        "waited": share,
        "device": jax.devices()[0].device_kind,
    }


def prepared_program(model: Any, case: Case) -> tuple[Callable, tuple, float]:
    """(compiled synthesis on one device, its arguments, seconds of preparing and compiling or loading)."""
    from stylegan_jax.sampler import batching, programs

    options: Row = {"batch": case.batch, "devices": 1, "dtype": case.dtype, "plan": case.plan}
    how = batching.choose(case.config, **options)
    start, place = time.perf_counter(), programs.Placement(how)
    weights = place.prepare(place.replicate(model.networks["G_ema"]))
    ws = np.random.RandomState(0).standard_normal((case.batch, case.config.num_ws, 512)).astype(np.float32)
    arguments = weights, place.split(ws), place.split(np.arange(case.batch, dtype=np.uint32))
    program = programs.synthesis_program(case.config, how).lower(*arguments).compile()
    return program, arguments, time.perf_counter() - start


def waited(model: Any, case: Case, program: Callable, arguments: tuple, steps: int = 2) -> float:
    """Share of a sampling run in which the device had nothing to do: what exceeds the program's own time."""
    from stylegan_jax.sampler import run

    options: Row = {"batch": case.batch, "devices": 1, "dtype": case.dtype, "plan": case.plan}
    list(run.sample(model, range(case.batch), **options))
    alone = min(timed(lambda: program(*arguments).block_until_ready()) for _ in range(steps))
    stream = run.sample(model, range(case.batch * (steps + 1)), **options)
    next(stream)
    start = time.perf_counter()
    made = sum(1 for _ in stream)
    return max(0.0, 1 - alone * made / (time.perf_counter() - start))


def random_model(config: Any, seed: int = 0) -> Any:
    """A generator whose every tensor matters."""
    from stylegan_jax.config import ModelConfig
    from stylegan_jax.filters import setup_filter
    from stylegan_jax.names import generator_layout
    from stylegan_jax.storage.checkpoint import Model

    rng, leaves = np.random.default_rng(seed), {}
    for name, shape in generator_layout(config).items():
        leaf = rng.standard_normal(shape, np.float32)
        leaf = 1 + 0.1 * leaf if name.endswith("affine.bias") else leaf
        leaf = 0.1 * leaf if name.endswith(("noise_strength", "torgb.bias", "conv0.bias", "conv1.bias")) else leaf
        leaves[name] = setup_filter((1, 3, 3, 1)) if name.endswith("resample_filter") else np.asarray(leaf, np.float32)
    return Model(ModelConfig(generator=config), {"G_ema": leaves}, {"source": f"random-{seed}"})


def matmul() -> Callable[[], Any]:
    """A 2048³ float32 product on all cores; timed by turns with what is compared to it, for machines' speeds waver."""
    import jax
    import jax.numpy as jnp

    x, product = jnp.ones((2048, 2048)), jax.jit(lambda a: a @ a)
    product(x).block_until_ready()
    return lambda: product(x).block_until_ready()


def copy_rate() -> float:
    """GB/s read and written by copying 256 MiB; median of 9."""
    import jax
    import jax.numpy as jnp

    x, copy = jnp.ones(2**26), jax.jit(lambda a: a + 1)
    copy(x).block_until_ready()
    return float(2 * x.nbytes / np.median([timed(lambda: copy(x).block_until_ready()) for _ in range(9)]) / 1e9)


def memory() -> int:
    """Peak memory of this process in bytes: of the GPU where it has one."""
    import jax

    stats = jax.devices()[0].memory_stats() or {}
    if "peak_bytes_in_use" in stats:
        return stats["peak_bytes_in_use"]
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def timed(work: Callable[[], Any]) -> float:
    """Seconds."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def alpha(cases: list[Case], options: Namespace) -> list[Row]:
    """A blend whose α changes with every frame, against fixed weights, and the compilations it causes."""
    return [_alone("alpha_case", case, options.runs) for case in cases]


def alpha_case(case: Case, runs: int) -> Row:
    """A new α for every second call of a film's renderer, against the same α again."""
    from stylegan_jax.commands import cli

    cli.set_up_jax()
    from interp.alphas import resolve_sources
    from interp.rendering import Renderer
    from interp.schedules import constant

    models = [random_model(case.config, seed) for seed in (0, 1)]
    renderer = Renderer(models, ["base", "transfer"], batch=case.batch, plan=case.plan)  # type: ignore[arg-type]
    ws = np.random.RandomState(0).standard_normal((case.batch, case.config.num_ws, 512)).astype(np.float32)
    sources = resolve_sources([constant(0.5)], None, None, None)
    times: dict[str, list[float]] = {"moving": [], "still": []}
    for turn in range(runs + 1):
        for seconds in times.values():
            share = constant(ALPHAS[turn % len(ALPHAS)])
            seconds.append(timed(lambda: renderer.images([share], sources, ws)))  # noqa: B023
        compiled = sum(program._cache_size() for program in renderer.programs)  # type: ignore[attr-defined]
    moving, still = (float(np.median(seconds[1:])) for seconds in times.values())
    cost = {"fixed ms": still * 1e3, "α ms": moving * 1e3, "cost": moving / still - 1}
    return {**case.row, **cost, "compilations": compiled - len(renderer.programs)}


def devices(cases: list[Case], options: Namespace) -> list[Row]:
    """The same images on one device and on several virtual ones, at one per-device batch (CPU)."""
    rows = []
    for case in cases:
        single = _alone("devices_case", case, 1, options.runs)
        flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=2"
        double = _alone("devices_case", case, 2, options.runs, XLA_FLAGS=flags)
        rows.append({**case.row, "1 device img/s": single["img/s"], "2 devices img/s": double["img/s"]})
        rows[-1]["ratio"] = double["img/s"] / single["img/s"]
    return rows


def devices_case(case: Case, count: int, runs: int) -> Row:
    """Images per second of `sampler.sample` on so many devices, the same images in all."""
    from stylegan_jax.commands import cli
    from stylegan_jax.sampler import run

    cli.set_up_jax()
    model, n = random_model(case.config), 2 * case.batch * runs
    options: Row = {"batch": case.batch, "devices": count, "dtype": case.dtype, "plan": case.plan}
    list(run.sample(model, range(2 * case.batch), **options))
    return {"img/s": n / timed(lambda: list(run.sample(model, range(n), **options)))}


def precision(cases: list[Case], options: Namespace) -> list[Row]:
    """PSNR against float32 of the model named by --model, in each dtype; span [-1, 1]."""
    return _alone("precision_case", options.model, sorted({case.dtype for case in cases} | {"bfloat16", "float16"}))[
        "rows"
    ]


def precision_case(name: str, dtypes: list[str]) -> Row:
    """One row for each dtype."""
    from stylegan_jax.commands import cli

    cli.set_up_jax()
    import jax
    import jax.numpy as jnp

    import stylegan_jax
    from stylegan_jax.networks.generators import generator
    from stylegan_jax.sampler import latents

    model = stylegan_jax.load(name, networks=["G_ema"])
    config, weights = model.config.generator, model.networks["G_ema"]
    z = jnp.asarray(latents.z_from_seeds(range(4), config.z_dim))
    c = jnp.asarray(latents.labels(0 if config.c_dim else None, 4, config.c_dim))
    exact, rows = None, []
    for dtype in ["float32", *(d for d in dtypes if d != "float32")]:
        arrays = "float32" if dtype == "tf32" else dtype
        with jax.default_matmul_precision("tensorfloat32" if dtype == "tf32" else "highest"):
            made = np.asarray(jax.jit(generator(config, weights), static_argnames="dtype")(z, c, dtype=arrays))
        exact = made if exact is None else exact
        error = float(np.mean(np.square(made - exact)))
        rows.append(
            {"model": Path(name).name, "dtype": dtype, "PSNR dB": 10 * np.log10(4 / error) if error else "exact"}
        )
    return {"rows": rows}


def command(cases: list[Case], options: Namespace) -> list[Row]:
    """The bulk command (PNG) against the bare generator, and the first image of a cold process with a warm cache."""
    from stylegan_jax.storage import checkpoint

    rows = []
    for case in cases:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.safetensors"
            checkpoint.save(random_model(case.config), path)
            few, many = 1, 1 + case.batch * options.runs
            run = [sys.executable, "-m", "stylegan_jax", "sample", str(path), "--batch", str(case.batch)]
            seconds = [
                timed(lambda: subprocess.run([*run, "--seeds", f"0-{n - 1}", "--out", out], check=True))  # noqa: B023
                for n, out in ((few, f"{folder}/a"), (few, f"{folder}/b"), (many, f"{folder}/c"), (many, f"{folder}/d"))
            ]
        bare = _alone("grid_case", case, options.runs)["img/s"]
        rate = (many - few) / max(seconds[3] - seconds[1], 1e-9)
        rows.append({"px": case.resolution, "first image s": seconds[1], "command img/s": rate, "bare img/s": bare})
        rows[-1]["share"] = rate / bare
    return rows


PARTS: dict[str, Callable[[list[Case], Namespace], list[Row]]] = {
    "alpha": alpha,
    "devices": devices,
    "precision": precision,
    "command": command,
}
