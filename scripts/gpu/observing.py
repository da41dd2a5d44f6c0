"""Looks at models in training from a thread of its own, on the CPU: files, sheets, scores. The GPU never waits."""

from argparse import Namespace
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import jax
import numpy as np

from stylegan_jax import appearance, checkpoint, images, latents
from stylegan_jax.generator import generator
from stylegan_jax.layers import Weights
from stylegan_jax.names import resolution_of
from stylegan_jax.train.config import TrainConfig
from stylegan_jax.train.score import Score

SWAPS = (8, 16, 32)
KEPT = 3  # snapshots in one file, which must stay under 16 MiB
FILES = 2


class Observer:
    """Writes what came of each look into the folder of the day."""

    def __init__(self, options: Namespace, report: Any):
        self._options, self._report, self._scores, self._programs = options, report, {}, {}
        self._base: dict[str, np.ndarray] | None = None
        self._thread = ThreadPoolExecutor(1)
        self._last: Future[None] | None = None
        self._kept: list[tuple[int, dict[str, np.ndarray]]] = []

    def __enter__(self) -> "Observer":
        return self

    def __exit__(self, *error: object) -> None:
        self._thread.shutdown()
        if self._last is not None and self._last.exception() is not None:
            self._report.log(f"looking failed: {self._last.exception()!r}")

    def look(self, name: str, config: TrainConfig, data: Any, networks: Mapping[str, Weights], nimg: int) -> None:
        """Queues one look at host copies of G, D and G_ema."""
        self._last = self._thread.submit(self._look, name, config, data, networks, nimg)

    def _look(self, name: str, config: TrainConfig, data: Any, networks: Mapping[str, Weights], nimg: int) -> None:
        half = {n: {k: np.asarray(v, np.float16) for k, v in leaves.items()} for n, leaves in networks.items()}
        lineage = {"source": f"{name}.safetensors", "nimg": nimg, "seed": config.seed, "data": data.description}
        model = checkpoint.Model(config.model, half, lineage)
        checkpoint.save(model, self._options.out / f"{name}.safetensors", overwrite=True)
        ema = {key: np.asarray(leaf) for key, leaf in networks["G_ema"].items()}
        if name == "portraits":
            self._base = ema
        else:
            self._keep(nimg, half["G_ema"])
        with jax.default_device(jax.local_devices(backend="cpu")[0]):
            found = self._seen(name, config, data, ema)
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

    def _seen(self, name: str, config: TrainConfig, data: Any, ema: Weights) -> dict[str, Any]:
        score = self._scores.setdefault(
            name, Score(data, 32 if self._options.smoke else 800, config.generator.img_resolution)
        )
        found = {
            k: round(v, 3) for k, v in score(lambda seeds: self._fakes(config, ema, seeds)).items() if k != "features"
        }
        own = self._fakes(config, ema, range(64), 0.7)
        found["dead 0-63 psi 0.7"] = np.flatnonzero(appearance.dead(own)).tolist()
        found["dead 0-63 psi 1"] = np.flatnonzero(appearance.dead(self._fakes(config, ema, range(64)))).tolist()
        rows = [own[:8], own[8:16], own[16:24], own[24:32]]
        if name != "portraits" and self._base is not None:
            parent = self._fakes(config, self._base, range(64), 0.7)
            rows = [own[8:16], own[16:24], own[24:32], parent[:8]]
            for swap in SWAPS:
                mixed = {k: leaf if alpha_of_swap(k, swap) else self._base[k] for k, leaf in ema.items()}
                blend = self._fakes(config, mixed, range(64), 0.7, mapping=self._base)
                found[f"swap {swap}"] = [round(x, 3) for x in appearance.blend_quality(blend, parent, own)]
                rows.append(blend[:8])
            rows.append(own[:8])
        images.write_png(self._options.out / f"{name}.png", images.grid(np.concatenate(rows), 8), overwrite=True)
        return found

    def _fakes(
        self, config: TrainConfig, ema: Weights, seeds: range, psi: float = 1.0, mapping: Weights | None = None
    ) -> np.ndarray:
        """uint8 images on the CPU, in batches of 16; w from `mapping` if it is given."""
        if config.generator not in self._programs:
            self._programs[config.generator] = jax.jit(_program(config))
        program, parts = self._programs[config.generator], []
        for begin in range(0, len(seeds), 16):
            part = [seeds[min(begin + i, len(seeds) - 1)] for i in range(16)]
            z = latents.z_from_seeds(part, config.generator.z_dim)
            made = program(dict(ema), dict(mapping or ema), z, np.float32(psi))
            parts.append(np.asarray(images.to_uint8(made)))
        return np.concatenate(parts)[: len(seeds)]


def alpha_of_swap(name: str, swap: int) -> bool:
    """Whether a tensor of a blend is the fine-tune's: the paper's rule."""
    resolution = resolution_of(name)
    return resolution is not None and resolution <= swap


def _program(config: TrainConfig):
    def run(weights: Weights, mapping: Weights, z: Any, psi: Any) -> Any:
        network, source = generator(config.generator, weights), generator(config.generator, mapping)
        w = latents.broadcast(source.mapping(z, None), config.generator.num_ws)
        return network.synthesis(latents.truncate(w, source.mapping.w_avg[...], psi, None))

    return run
