"""Trains the pair: portraits from nothing, toons from portraits. Each stage goes on from the state of the last call."""

import dataclasses
import time
from argparse import Namespace
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import jax
import numpy as np
from kernels import kernel_times
from observing import Observer

from stylegan_jax import names
from stylegan_jax.train import transfer
from stylegan_jax.train.config import TrainConfig
from stylegan_jax.train.data.dataset import Dataset
from stylegan_jax.train.loop import augmentation, mesh_of
from stylegan_jax.train.official import official
from stylegan_jax.train.phases import Phases
from stylegan_jax.train.resident import Cycles, Resident
from stylegan_jax.train.saved import of_leaves, to_leaves
from stylegan_jax.train.state import State, initial_state, start

SIZE: dict[str, Any] = {"resolution": 128, "channel_base": 4096, "channel_max": 160, "z_dim": 256, "w_dim": 256}
SIZE |= {"blend_swap": (16, 16, 32)}
SMALL: dict[str, Any] = {
    "resolution": 16,
    "blend_swap": (8,),
    "channel_base": 128,
    "channel_max": 8,
    "z_dim": 8,
    "w_dim": 8,
}
SHARED = {"mirror": True, "pl_weight": 0.0, "style_mixing": 0.5, "ada_kimg": 100.0, "mbstd_chunks": 1}
SHARED |= {"num_fp16_res": 0, "conv_clamp": None, "dtype": "bfloat16", "kimg": 1e6}
RECIPES: dict[str, dict[str, Any]] = {
    "portraits": {"seed": 21, "ema_kimg": 20.0, "ema_rampup": 0.05, "augment_p": 0.1},
    "toons": {"seed": 22, "ema_kimg": 10.0, "ema_rampup": None, "g_lr": 0.002, "d_lr": 0.002, "blend_share": 0.4},
}
PROFILED = 20  # the call whose kernels are timed
# One w means one face in both, and the base's upper layers meet in a blend what they know, which the blend with it
# that is trained now and then teaches the lower ones too: see demo_models.py.
FROZEN = {"portraits": ("noise_strength",), "toons": (transfer.BLENDS,)}


def train(options: Namespace, report: Any) -> None:
    """Both stages, until their times are over; the fine-tune is compiled while the base trains."""
    with ThreadPoolExecutor(1) as behind, Observer(options, report) as observer:
        stages = {name: Stage(name, options, report, observer) for name in RECIPES}
        later: Future[Cycles] | None = None
        for name, until in (("portraits", options.portraits_until), ("toons", options.toons_until)):
            stage = stages[name]
            if report.seconds < until:
                program = stage.compile() if later is None else later.result()
                if name == "portraits":
                    later = behind.submit(stages["toons"].compile)
                else:
                    observer.compare_with(stages["portraits"].config, stages["portraits"].saved)
                stage.run(program, stage.restore(stages["portraits"]), until)


class Stage:
    """One model in training."""

    def __init__(self, name: str, options: Namespace, report: Any, observer: Observer):
        self.name, self.options, self.report, self.observer = name, options, report, observer
        size = SMALL if options.smoke else SIZE
        self.data = Dataset.open(
            options.images / f"{name}.zip",
            resolution=size["resolution"],
            mirror=True,
            seed=RECIPES[name]["seed"],
            cache=options.work / "cache",
        )
        self.config = configuration(name, options)
        self.steps = 4 if options.smoke else 1024 // options.batch
        self.phases = Phases(self.config, mesh_of(self.config, 1), augmentation(self.config))
        self.resident = Resident.of(self.data, self.phases)
        self.saved = options.work / f"{name}.npz"
        report.note(f"{name} config", self.config.to_json())
        report.log(f"{name}: {self.data.summary}")

    def compile(self) -> Cycles:
        """The program of many iterations."""
        begun = time.monotonic()
        like = jax.eval_shape(lambda: initial_state(self.config))
        cycles = Cycles(self.phases, self.resident, like, self.steps)
        self.report.log(f"{self.name}: compiled in {time.monotonic() - begun:.1f} s")
        return cycles

    def restore(self, base: "Stage") -> State:
        """The state of the last call, or the beginning: of the base fresh weights, of the others the base's G_ema."""
        with jax.default_device(jax.local_devices(backend="cpu")[0]):  # its many small programs compile faster there
            if self.saved.exists():
                with np.load(self.saved) as leaves:
                    state = of_leaves(dict(leaves))
            elif base is self:
                state = initial_state(self.config)
            else:
                with np.load(base.saved) as leaves:
                    found = of_leaves(dict(leaves))
                state = start(self.config, found.G_ema, found.D, found.G_ema, partner=found.G_ema)
            state = jax.tree.map(np.array, state)
        return jax.device_put(state, self.phases.replicated)

    def run(self, program: Cycles, state: State, until: float) -> None:
        """Trains; saves and has itself looked at now and then, and at the end."""
        batch, iteration = self.config.batch, int(state.iteration)
        pending: dict[str, Any] | None = None
        calls, looked, told, at = 0, self.report.seconds, self.report.seconds, iteration
        pace = max(20.0, (until - self.report.seconds) / 5)
        while self.report.seconds < until and calls < self.options.calls:
            indices = self.data.order.take(iteration * batch, self.steps * batch).reshape(self.steps, batch)
            if self.options.profile and calls == PROFILED and self.name == "portraits":
                jax.block_until_ready(state)
                (state, means), table = kernel_times(lambda: program(state, indices), self.options.work / "profile")  # noqa: B023
                self.report.note("kernels", table)
                print(*table, sep="\n")
            else:
                state, means = program(state, indices)
            iteration, calls = iteration + self.steps, calls + 1
            if pending is not None:
                jax.block_until_ready(pending)  # one call waits while another runs
            pending, now = means, self.report.seconds
            if now - told > 10 or calls == 3:
                self.tell(state, means, (iteration - at) * batch / (now - told))
                told, at = self.report.seconds, iteration
            if now - looked > pace and until - now > 10:
                self.look(state, iteration)
                looked = self.report.seconds
        self.look(state, iteration)

    def tell(self, state: State, means: dict[str, Any], speed: float) -> None:
        """One line of progress; waits for the device."""
        line = {"name": self.name, "kimg": int(state.iteration) * self.config.batch / 1000, "img/s": round(speed)}
        line |= {
            "p": round(float(state.ada_p), 4),
            **{key: round(float(np.nanmean(values)), 4) for key, values in means.items()},
        }
        self.report.add("metrics", line)
        shown = {key: line.get(key) for key in ("kimg", "img/s", "p", "G/loss", "D/loss", "signs/real", "r1_penalty")}
        self.report.log(f"{self.name}: {shown}")
        if int(state.bad_step) >= 0:
            self.report.log(f"{self.name}: a loss was no number at iteration {int(state.bad_step)}")

    def look(self, state: State, iteration: int) -> None:
        """Keeps the state, and hands a copy to the observer."""
        leaves = {key: np.array(leaf) for key, leaf in to_leaves(state).items()}
        partial = self.saved.with_suffix(".partial.npz")
        np.savez(partial, **leaves)  # type: ignore[arg-type]
        partial.replace(self.saved)
        networks = names.split_networks({k: v for k, v in leaves.items() if k.startswith(("G.", "D.", "G_ema."))})
        self.observer.look(self.name, self.config, self.data, networks, iteration * self.config.batch)


def configuration(name: str, options: Namespace) -> TrainConfig:
    """The recipe of a model."""
    size = SMALL if options.smoke else SIZE
    changes = {"batch": options.batch, "mbstd_group_size": 4, **size, **SHARED, **RECIPES[name]}
    config = official("auto", changes, resolution=changes.pop("resolution"))
    frozen = transfer.frozen_names(config, words=FROZEN[name])
    return dataclasses.replace(config, frozen=frozen)
