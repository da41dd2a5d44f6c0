"""Looks at models in training from a thread of its own, on the CPU: files, sheets, scores. The GPU never waits."""

from argparse import Namespace
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax
import numpy as np

from interp import schedules
from interp.mix import blend
from stylegan_jax.networks.layers import Weights
from stylegan_jax.pictures import images
from stylegan_jax.sampler.run import sample
from stylegan_jax.scores import appearance
from stylegan_jax.scores.score import Score
from stylegan_jax.storage import checkpoint
from stylegan_jax.storage.checkpoint import Model
from stylegan_jax.train.config import TrainConfig

CPU = jax.local_devices(backend="cpu")[0]
SWAPS = (8, 16, 32)
KEPT = 3  # snapshots in one file, which must stay under 16 MiB
FILES = 2


class Observer:
    """Writes what came of each look into the folder of the day."""

    def __init__(self, options: Namespace, report: Any):
        self._options, self._report, self._scores = options, report, {}
        self._base: Model | None = None
        self._thread = ThreadPoolExecutor(1)
        self._last: Future[None] | None = None
        self._kept: list[tuple[int, dict[str, np.ndarray]]] = []

    def __enter__(self) -> "Observer":
        return self

    def __exit__(self, *error: object) -> None:
        self._thread.shutdown()
        if self._last is not None and self._last.exception() is not None:
            self._report.log(f"looking failed: {self._last.exception()!r}")

    def compare_with(self, config: TrainConfig, state: Path) -> None:
        """From now on, blends with the G_ema of a saved state are looked at too, and snapshots are kept."""
        with np.load(state) as leaves:
            ema = {key.removeprefix("G_ema."): leaves[key] for key in leaves.files if key.startswith("G_ema.")}
        self._thread.submit(setattr, self, "_base", Model(config.model, {"G_ema": ema}, {"source": state.stem}))

    def look(self, name: str, config: TrainConfig, data: Any, networks: Mapping[str, Weights], nimg: int) -> None:
        """Queues one look at host copies of G, D and G_ema."""
        self._last = self._thread.submit(self._look, name, config, data, networks, nimg)

    def _look(self, name: str, config: TrainConfig, data: Any, networks: Mapping[str, Weights], nimg: int) -> None:
        half = {n: {k: np.asarray(v, np.float16) for k, v in leaves.items()} for n, leaves in networks.items()}
        lineage = {"source": f"{name}.safetensors", "nimg": nimg, "seed": config.seed, "data": data.description}
        checkpoint.save(Model(config.model, half, lineage), self._options.out / f"{name}.safetensors", overwrite=True)
        model = Model(
            config.model, {"G_ema": {key: np.asarray(leaf) for key, leaf in networks["G_ema"].items()}}, lineage
        )
        if self._base is not None:
            self._keep(nimg, half["G_ema"])
        with jax.default_device(CPU):
            found = self._seen(name, data, model)
        self._report.add("looks", {"name": name, "kimg": nimg / 1000, **found})
        self._report.log(f"{name}: {nimg / 1000:.0f} kimg looked at: {found}")

    def _keep(self, nimg: int, ema: Weights) -> None:
        """The last few snapshots of the fine-tune, in files of three."""
        self._kept.append((nimg, {key: np.asarray(leaf) for key, leaf in ema.items()}))
        self._kept = self._kept[-KEPT * FILES :]
        for part in range(FILES):
            those = self._kept[part * KEPT : (part + 1) * KEPT]
            if those:
                flat = {f"{at}/{key}": leaf for at, leaves in those for key, leaf in leaves.items()}
                np.savez(self._options.out / f"snapshots{part}.npz", **flat)  # type: ignore[arg-type]

    def _seen(self, name: str, data: Any, model: Model) -> dict[str, Any]:
        n = 32 if self._options.smoke else 800
        score = self._scores.setdefault(name, Score(data, n, model.config.generator.img_resolution))
        scores = score(lambda seeds: fakes(model, seeds))
        found: dict[str, Any] = {key: round(value, 3) for key, value in scores.items() if key != "features"}
        own = fakes(model, range(64), 0.7)
        found["dead 0-63 psi 0.7"] = np.flatnonzero(appearance.dead(own)).tolist()
        found["dead 0-63 psi 1"] = np.flatnonzero(appearance.dead(fakes(model, range(64)))).tolist()
        rows = [own[:8], own[8:16], own[16:24], own[24:32]]
        if self._base is not None:
            parent = fakes(self._base, range(64), 0.7)
            rows = [own[8:16], own[16:24], own[24:32], parent[:8]]
            for swap in SWAPS:
                if swap in model.config.generator.resolutions:
                    mixed = fakes(blend(self._base, model, schedules.swap(swap), mapping="base"), range(64), 0.7)
                    found[f"swap {swap}"] = [round(x, 3) for x in appearance.blend_quality(mixed, parent, own)]
                    rows.append(mixed[:8])
            rows.append(own[:8])
        images.write_png(self._options.out / f"{name}.png", images.grid(np.concatenate(rows), 8), overwrite=True)
        return found


def fakes(model: Model, seeds: range, psi: float = 1.0) -> np.ndarray:
    """uint8 images of G_ema, made on the CPU."""
    return np.concatenate(list(sample(model, seeds, truncation_psi=psi, batch=16, devices=[CPU])))
