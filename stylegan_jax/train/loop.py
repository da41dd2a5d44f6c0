"""The training loop: ticks, snapshots, checkpoints, and a clean end whatever happens."""

import contextlib
import functools
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array
from tqdm import tqdm

from stylegan_jax.config import GeneratorConfig
from stylegan_jax.errors import InputError
from stylegan_jax.networks.generators import generator
from stylegan_jax.networks.layers import Weights
from stylegan_jax.pictures import images
from stylegan_jax.sampler import latents
from stylegan_jax.scores.features import in_batches
from stylegan_jax.scores.score import Score
from stylegan_jax.storage import checkpoint, rundir
from stylegan_jax.storage.checkpoint import Model
from stylegan_jax.train import advance, stopping
from stylegan_jax.train.augment import ada, pipes
from stylegan_jax.train.config import TrainConfig
from stylegan_jax.train.phases import AXIS, Phases
from stylegan_jax.train.request import Records
from stylegan_jax.train.saved import Checkpoints
from stylegan_jax.train.state import State, initial_state

Compared = Callable[[Weights], tuple[dict[str, float], np.ndarray]]
"""A G_ema → scores of its blends by name, and a sheet of them."""


def mesh_of(config: TrainConfig, devices: int | None = None) -> Mesh:
    """Local devices as one axis: `devices` of them, by default as many as divide the batch's chunks.

    Raises InputError for a number that is not present, or does not divide them and the batch of path lengths.
    """
    local = jax.local_devices()
    if devices is not None and not 1 <= devices <= len(local):
        raise InputError(f"--devices {devices}: {len(local)} present", f"use 1 to {len(local)}")
    shrunk = config.batch // config.pl_batch_shrink if config.pl_weight else 0  # of Greg; 0 divides by any
    fits = [n for n in range(1, len(local) + 1) if config.mbstd_chunks % n == 0 and shrunk % n == 0]
    count = fits[-1] if devices is None else devices
    if count not in fits:
        also = f" and the {shrunk} images of a path-length step" if shrunk % count else ""
        what = f"{count} devices do not divide the {config.mbstd_chunks} chunks of the minibatch statistic{also}"
        raise InputError(what, f"use --devices {' or '.join(map(str, fits))}, or another --mbstd-chunks")
    return Mesh(np.array(local[:count]), (AXIS,))


def augmentation(config: TrainConfig) -> Callable | None:
    """The augmentation of a configuration, as the phases call it; InputError for an unknown pipe."""
    if config.augment == "none":
        return None
    if config.augment_pipe not in pipes.PRESETS:
        what = f"--augment-pipe {config.augment_pipe}: no such pipe"
        raise InputError(what, f"use {', '.join(pipes.PRESETS)}")
    pipe = pipes.PRESETS[config.augment_pipe]

    def apply(batch: Any, keys: Any, *, p: Any, axis_name: str) -> Any:
        return ada.apply(ada.sample(pipe, keys, p, batch.shape[1:]), batch, axis_name=axis_name)

    return apply


class Run:
    """One run in its folder: `go` trains until it is done or told to stop.

    Args:
      compare: of a fine-tune, takes `fakes` and returns what shows and scores its blends with its base.
      resident: whether the data set lies on the device (see `advance.choose`).
    """

    def __init__(
        self,
        out: Path,
        config: TrainConfig,
        data: advance.Data,
        *,
        records: Records,
        mesh: Mesh,
        lineage: Mapping[str, Any],
        compare: Callable[[Callable[..., np.ndarray]], Compared] | None = None,
        resident: advance.How = "auto",
    ):
        self.out, self.config, self.data, self.lineage = out, config, data, dict(lineage)
        self.every = records.every(config.batch, mesh.devices.flat[0].platform)
        self.phases = Phases(config, mesh, augmentation(config))
        self.checkpoints = Checkpoints(out / rundir.CHECKPOINTS, records.keep)
        self.score = Score(data, records.score_images, config.generator.img_resolution)
        self._resident: advance.How = resident
        self._ending = stopping.Ending()
        self._images = jax.jit(functools.partial(_images, config.generator))
        self._compared = compare(self.fakes) if compare and records.score_images else None

    def restore(self, fresh: Callable[[], State]) -> State:
        """The newest checkpoint, or a fresh state."""
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

        Raises InputError when a loss is no number; the last checkpoint is then from before. However it ends, no save
        is left unfinished.
        """

        def train(ending: stopping.Ending) -> int:
            self._ending = ending
            try:
                return self._train(state, report)
            except BaseException:
                with contextlib.suppress(Exception):  # what ended the run is what there is to say
                    self.checkpoints.wait()
                raise

        return stopping.run(train)

    def _train(self, state: State, report: Callable[[str], None]) -> int:
        config, ending, iteration = self.config, self._ending, int(state.iteration)
        if iteration == 0:
            self.snapshot(state, report)
            if ending.code:
                return ending.code  # nothing is lost, and programs would take minutes to compile
        ending.doing("the first iteration, whose programs are compiled now")
        move = advance.choose(self._resident, self.phases, self.data, state)
        watch, ticks = Watch(iteration), self.every.tick
        kimg = iteration * config.batch / 1000
        with tqdm(None, "training", config.kimg, unit="kimg", initial=kimg, disable=None, leave=False) as bar:  # type: ignore[arg-type]
            while iteration < config.iterations and not ending.code:
                begun = iteration
                if move.seconds:
                    ending.doing("the iterations that are running", 2 * move.seconds)
                until = min(iteration - iteration % ticks + ticks, config.iterations)
                state, iteration, stats = move(state, iteration, until)
                watch.add(stats)
                bar.update((iteration - begun) * config.batch / 1000)
                self._record(state, iteration, watch, report)
            ending.doing("the last model file and checkpoint")
            self.check(state)
            self.checkpoints.save(state)
            if ending.code:
                self.write_model(state)
            self.checkpoints.wait()
        return ending.code if iteration < config.iterations else 0

    def _record(self, state: State, iteration: int, watch: "Watch", report: Callable[[str], None]) -> None:
        """Whatever is due at this iteration: a tick, a snapshot, a checkpoint."""
        last = iteration == self.config.iterations
        if iteration % self.every.tick == 0 or last:
            self.tick(state, watch, report)
        if iteration % self.every.snapshot == 0 or last:
            self.snapshot(state, report)
        if iteration % self.every.checkpoint == 0:
            self._ending.doing("a checkpoint")
            self.check(state)
            self.checkpoints.save(state)

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
        losses = "  ".join(f"{key} {means[key]:.3f}" for key in ("G/loss", "D/loss") if means.get(key) is not None)
        shown = f"kimg {nimg / 1000:8.1f}  {speed:6.1f} img/s  augment {line['augment_p']:.3f}"
        report(f"{shown}  {losses}  left {_time(left)}")

    def snapshot(self, state: State, report: Callable[[str], None]) -> None:
        """A model file, a sheet of fixed seeds and, if there is a score, its line; only the file if the run ends."""
        self._ending.doing("a model file and a part of its sheet or score")
        path = self.write_model(state)
        nimg = int(state.iteration) * self.config.batch
        with contextlib.suppress(stopping.Stopped):
            sheet = images.grid(self.fakes(state.G_ema, range(64)), 8)
            images.write_png(self.out / f"fakes{nimg // 1000:06d}.png", sheet, {"nimg": nimg}, overwrite=True)
            if scores := self.score(lambda seeds: self.fakes(state.G_ema, seeds)):
                rundir.append_metrics(self.out, {"nimg": nimg, **scores})
                shown = [name for name in ("proxy-FID", "proxy-KID", "dead") if name in scores]
                report("  ".join(f"{name} {scores[name]:.4g}" for name in shown))
            if self._compared is not None:
                shares, sheet = self._compared(state.G_ema)
                rundir.append_metrics(self.out, {"nimg": nimg, **shares})
                images.write_png(self.out / f"blends{nimg // 1000:06d}.png", sheet, {"nimg": nimg}, overwrite=True)
                report("  ".join(f"{name} {share:.2f}" for name, share in shares.items()))
        report(str(path))

    def write_model(self, state: State) -> Path:
        """The model file of this moment: G, D and G_ema. Raises InputError if a loss was no number."""
        self.check(state)
        nimg = int(state.iteration) * self.config.batch
        leaves = {n: {k: np.array(v) for k, v in getattr(state, n).items()} for n in ("G", "D", "G_ema")}
        model = Model(self.config.model, leaves, {**self.lineage, "nimg": nimg, "seed": self.config.seed})
        return checkpoint.save(model, rundir.snapshot_path(self.out, nimg), overwrite=True)

    def fakes(self, weights: Weights, seeds: Any, psi: float = 1.0, batch: int = 32) -> np.ndarray:
        """uint8 images of a generator, with stored noise; labels are those of the data set in turn.

        Raises Stopped where the run shall end meanwhile.
        """
        labels, parts = np.asarray(self.data.labels, np.float32), []
        for numbers, count in in_batches(np.array(seeds), batch):
            self._ending.check()
            z, c = latents.z_from_seeds(numbers.tolist(), self.config.generator.z_dim), labels[numbers % len(self.data)]
            shown = self._images(weights, jnp.asarray(z), jnp.asarray(c), psi)
            parts.append(np.asarray(images.to_uint8(shown))[:count])
        return np.concatenate(parts)


def _images(config: GeneratorConfig, weights: Weights, z: Array, c: Array, psi: Array) -> Array:
    """Images of latents, truncated where the generator knows its mean w."""
    network = generator(config, weights)
    ws = latents.broadcast(network.mapping(z, c), config.num_ws)
    if config.w_avg_beta is not None:
        ws = latents.truncate(ws, network.mapping.w_avg[...], psi)
    return network.synthesis(ws)


LAZY = ("D/reg", "G/reg", "pl_penalty", "r1_penalty")
"""Statistics of lazy regularisation, which short ticks may be without."""


class Watch:
    """Means of what the phases report, and the speed, since the last look."""

    def __init__(self, iteration: int):
        self._begun, self._at, self._found = time.monotonic(), iteration, []

    def add(self, stats: Mapping[str, Any]) -> None:
        """Takes the statistics of one iteration, or arrays with those of several: NaN where one had them not."""
        self._found.append(stats)

    def take(self, iteration: int, batch: int) -> tuple[dict[str, float | None], float]:
        """(means by name, images per second), and starts anew; None where a mean is no number."""
        means: dict[str, float | None] = {}
        for key in dict.fromkeys(key for stats in self._found for key in stats):
            values = np.concatenate([np.ravel(stats[key]) for stats in self._found if key in stats]).astype(np.float64)
            values = values[~np.isnan(values)]
            if not values.size and key in LAZY:
                continue  # no iteration since the last look had it
            means[key] = round(float(values.mean()), 6) if np.isfinite(values).all() and values.size else None
        speed = (iteration - self._at) * batch / max(time.monotonic() - self._begun, 1e-9)
        self.__init__(iteration)
        return means, speed


def _time(seconds: float) -> str:
    minutes = int(seconds / 60)
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    return f"{days} d {hours} h" if days else f"{hours} h {minutes:02d} min"
