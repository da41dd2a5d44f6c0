"""The training loop: phases, ticks, snapshots, checkpoints, and a clean end whatever happens."""

import contextlib
import math
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from tqdm import tqdm

from stylegan_jax import compiling
from stylegan_jax.errors import InputError
from stylegan_jax.networks.generators import generator
from stylegan_jax.pictures import images
from stylegan_jax.sampler import latents
from stylegan_jax.scores.score import Score
from stylegan_jax.storage import checkpoint, rundir
from stylegan_jax.storage.checkpoint import Model
from stylegan_jax.train.augment import ada, pipes
from stylegan_jax.train.config import TrainConfig
from stylegan_jax.train.phases import AXIS, Phases
from stylegan_jax.train.saved import Checkpoints
from stylegan_jax.train.state import State, initial_state


@runtime_checkable
class Data(Protocol):
    """What the loop asks of a data set."""

    def __len__(self) -> int: ...

    @property
    def labels(self) -> np.ndarray:
        """Of every image, [n c_dim]."""
        ...

    def image(self, index: int) -> np.ndarray:
        """The pixels of one image."""
        ...

    def batch(self, counter: int, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Training images number `counter` … `counter` + n - 1 of the endless order, and their labels."""
        ...


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How a run is watched; none of it changes what is computed.

    Attributes:
      tick: thousands of images from one line of progress to the next.
      snapshot_ticks: ticks from one snapshot (model file, sheet, score) to the next.
      checkpoint_ticks: ticks from one checkpoint to the next: what a killed run loses.
      keep: how many checkpoints stay.
      score_images: how many images are scored for proxy-FID; 0 for none.
    """

    tick: float = 4.0
    snapshot_ticks: int = 50
    checkpoint_ticks: int = 10
    keep: int = 2
    score_images: int = 2000

    def iterations_per_tick(self, batch: int) -> int:
        """Iterations in a tick."""
        return max(1, round(self.tick * 1000 / batch))


def mesh_of(config: TrainConfig, devices: int | None = None) -> Mesh:
    """The local devices as one axis; InputError unless they divide the chunks of the batch."""
    local = jax.local_devices()
    count = len(local) if devices is None else devices
    if not 1 <= count <= len(local):
        raise InputError(f"--devices {count}: {len(local)} present", f"use 1 to {len(local)}")
    fits = [n for n in range(1, len(local) + 1) if _fits(config, n)]
    if count not in fits:
        what = f"{count} devices do not divide the {config.mbstd_chunks} chunks of the minibatch statistic"
        raise InputError(what, f"use --devices {' or '.join(map(str, fits))}, or another --mbstd-chunks")
    return Mesh(np.array(local[:count]), (AXIS,))


def _fits(config: TrainConfig, devices: int) -> bool:
    shrunk = config.batch // config.pl_batch_shrink if config.pl_weight else devices
    return config.mbstd_chunks % devices == 0 and shrunk % devices == 0


def augmentation(config: TrainConfig) -> Callable | None:
    """The augmentation of a configuration, as the phases call it; InputError for an unknown pipe."""
    if config.augment == "none":
        return None
    if config.augment_pipe not in pipes.PRESETS:
        raise InputError(f"no augmentation pipe {config.augment_pipe!r}", f"use {', '.join(pipes.PRESETS)}")
    pipe = pipes.PRESETS[config.augment_pipe]

    def apply(batch: Any, keys: Any, *, p: Any, axis_name: str) -> Any:
        return ada.apply(ada.sample(pipe, keys, p, batch.shape[1:]), batch, axis_name=axis_name)

    return apply


class Run:
    """One run in its folder: `go` trains until it is done or told to stop."""

    def __init__(
        self, out: Path, config: TrainConfig, data: Data, *, plan: Plan, mesh: Mesh, lineage: Mapping[str, Any]
    ):
        self.out, self.config, self.data, self.plan, self.lineage = out, config, data, plan, dict(lineage)
        self.phases = Phases(config, mesh, augmentation(config))
        self.checkpoints = Checkpoints(out / rundir.CHECKPOINTS, plan.keep)
        self.score = Score(data, plan.score_images, config.generator.img_resolution)
        self._show = jax.jit(lambda leaves, z, c: generator(config.generator, leaves)(z, c))

    def restore(self, fresh: Callable[[], State]) -> State:
        """The newest checkpoint, or a fresh state with its first snapshot."""
        like = jax.eval_shape(lambda: initial_state(self.config))
        state = self.checkpoints.load(like)
        if state is None:
            rundir.forget_metrics_after(self.out, -1)
            state = fresh()
        else:
            rundir.forget_metrics_after(self.out, int(state.iteration) * self.config.batch)
        return jax.device_put(state, self.phases.replicated)

    def go(self, state: State, report: Callable[[str], None] = tqdm.write) -> int:
        """Trains; returns 0 when done, or the exit code of the signal that asked for an end, everything saved.

        Raises InputError when a loss is no number; the last checkpoint is then from before.
        """
        batch, config = self.config.batch, self.config
        ticks = self.plan.iterations_per_tick(batch)
        labels = jax.device_put(np.asarray(self.data.labels, np.float32), self.phases.replicated)
        watch, iteration = Watch(int(state.iteration)), int(state.iteration)
        begun = iteration
        if iteration == 0:
            self.snapshot(state, report)
        with _signals() as asked, self._progress(iteration) as bar:
            while iteration < config.iterations and not asked.code:
                with compiling.expected() if iteration == begun else contextlib.nullcontext():
                    state, means = self.phases.iterate(state, iteration, *self._real(iteration), labels)
                watch.add(means)
                iteration += 1
                bar.update(batch / 1000)
                if iteration % ticks == 0 or iteration == config.iterations:
                    self.tick(state, watch, report)
                if iteration % (ticks * self.plan.snapshot_ticks) == 0 or iteration == config.iterations:
                    self.snapshot(state, report)
                if iteration % (ticks * self.plan.checkpoint_ticks) == 0:
                    self.check(state)
                    self.checkpoints.save(state)
            if asked.code:
                self.write_model(state)
            self.checkpoints.save(state)
            self.checkpoints.wait()
        return asked.code if iteration < config.iterations else 0

    def _progress(self, iteration: int) -> tqdm:
        kimg, done = self.config.kimg, iteration * self.config.batch / 1000
        return tqdm(total=kimg, initial=done, unit="kimg", desc="training", disable=None, leave=False)

    def _real(self, iteration: int) -> tuple[Any, Any]:
        """The real images and labels of an iteration, spread over the devices."""
        pixels, labels = self.data.batch(iteration * self.config.batch, self.config.batch)
        return jax.device_put((pixels, np.asarray(labels, np.float32)), self.phases.split)

    def check(self, state: State) -> None:
        """Raises InputError if a loss was no number, naming the iteration."""
        bad = int(state.bad_step)
        if bad >= 0:
            last = self.checkpoints.steps()
            what = f"a loss was no number at iteration {bad} ({bad * self.config.batch / 1000:g} kimg)"
            good = f"the last good checkpoint is of iteration {last[-1]}" if last else "there is no checkpoint yet"
            raise InputError(f"{what}; {good}", "begin anew --from this run with a lower --lr", file=self.out)

    def tick(self, state: State, watch: "Watch", report: Callable[[str], None]) -> None:
        """One line of progress, here and in metrics.jsonl."""
        means, speed = watch.take(int(state.iteration), self.config.batch)
        self.check(state)
        nimg = int(state.iteration) * self.config.batch
        left = (self.config.kimg * 1000 - nimg) / max(speed, 1e-9)
        line = {"nimg": nimg, "img_per_s": round(speed, 2), "augment_p": round(float(state.ada_p), 5), **means}
        rundir.append_metrics(self.out, line)
        losses = "  ".join(f"{key} {means[key]:.3f}" for key in ("G/loss", "D/loss") if key in means)
        shown = f"kimg {nimg / 1000:8.1f}  {speed:6.1f} img/s  augment {line['augment_p']:.3f}"
        report(f"{shown}  {losses}  left {_time(left)}")

    def snapshot(self, state: State, report: Callable[[str], None]) -> None:
        """A model file, a sheet of fixed seeds and, if there is a score, its line."""
        path = self.write_model(state)
        nimg = int(state.iteration) * self.config.batch
        sheet = images.grid(self.fakes(state, range(64)), 8)
        images.write_png(self.out / f"fakes{nimg // 1000:06d}.png", sheet, {"nimg": nimg}, overwrite=True)
        if self.plan.score_images:
            scores = self.score(lambda seeds: self.fakes(state, seeds))
            rundir.append_metrics(self.out, {"nimg": nimg, **scores})
            report("  ".join(f"{name} {value:.4g}" for name, value in scores.items() if name != "features"))
        report(str(path))

    def write_model(self, state: State) -> Path:
        """The model file of this moment: G, D and G_ema. Raises InputError if a loss was no number."""
        self.check(state)
        nimg = int(state.iteration) * self.config.batch
        leaves = {n: {k: np.array(v) for k, v in getattr(state, n).items()} for n in ("G", "D", "G_ema")}
        model = Model(self.config.model, leaves, {**self.lineage, "nimg": nimg, "seed": self.config.seed})
        return checkpoint.save(model, rundir.snapshot_path(self.out, nimg), overwrite=True)

    def fakes(self, state: State, seeds: Any, batch: int = 32) -> np.ndarray:
        """uint8 images of G_ema, untruncated, with stored noise; labels are those of the data set in turn."""
        numbers, parts = list(seeds), []
        for begin in range(0, len(numbers), batch):
            part = numbers[begin : begin + batch]
            padded = part + [0] * (batch - len(part))
            z = latents.z_from_seeds(padded, self.config.generator.z_dim)
            c = np.asarray(self.data.labels, np.float32)[np.array(padded) % len(self.data)]
            parts.append(
                np.asarray(images.to_uint8(self._show(state.G_ema, jnp.asarray(z), jnp.asarray(c))))[: len(part)]
            )
        return np.concatenate(parts)


class Watch:
    """Means of what the phases report, and the speed, since the last look."""

    def __init__(self, iteration: int):
        self._begun, self._at, self._found = time.monotonic(), iteration, []

    def add(self, means: Mapping[str, Any]) -> None:
        """Takes the statistics of one iteration, and waits for those before, so that work does not pile up."""
        if self._found:
            jax.block_until_ready(self._found[-1])
        self._found.append(means)

    def take(self, iteration: int, batch: int) -> tuple[dict[str, float], float]:
        """(means by name, images per second), and starts anew."""
        keys = dict.fromkeys(key for means in self._found for key in means)
        means = {k: float(np.mean([float(m[k]) for m in self._found if k in m])) for k in keys}
        speed = (iteration - self._at) * batch / max(time.monotonic() - self._begun, 1e-9)
        self.__init__(iteration)
        return {k: round(v, 6) if math.isfinite(v) else None for k, v in means.items()}, speed  # type: ignore[misc]


@dataclass
class Asked:
    """Which exit code a signal asked for; 0 while there was none."""

    code: int = 0


@contextlib.contextmanager
def _signals() -> Iterator[Asked]:
    """SIGTERM asks for an end with code 75, Ctrl-C with 130; both are heard between iterations."""
    asked, codes = Asked(), {signal.SIGTERM: 75, signal.SIGINT: 130}

    def hear(number: int, frame: FrameType | None) -> None:
        asked.code = codes[signal.Signals(number)]

    try:
        before = {number: signal.signal(number, hear) for number in codes}
    except ValueError:  # not in the main thread
        before = {}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _time(seconds: float) -> str:
    minutes = int(seconds / 60)
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    return f"{days} d {hours} h" if days else f"{hours} h {minutes:02d} min"
