"""How a job is cut into batches: images per device and step, devices, precision, plan."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp

from stylegan_jax.config import GeneratorConfig, size_at
from stylegan_jax.errors import InputError
from stylegan_jax.sampler import prepared

Device = Any  # jax.Device, which is no type to a type checker

NoiseMode = Literal["const", "random", "none"]
Parallel = Literal["shard_map", "pmap"]
Precision = Literal["float32", "tf32", "bfloat16", "float16"]

_CPU_STEP, _STEP = 1e9, 1e12
"""Multiplications that one step of a CPU, of another device may hold: some 50 ms."""


@dataclass(frozen=True, kw_only=True)
class Batching:
    """How batches run; equal ones share one compiled program.

    Attributes:
      batch: images per device and step. Float rounding follows the shape of the per-device batch, so images are
        the same on any number of devices as long as `batch` is.
      devices: the local devices that take part.
      parallel: `shard_map` (jit with the batch split) or the literal `pmap`; same images.
      noise: `const`, `none`, or `random` (drawn for each image from its seed).
      dtype: of the convolutions (tf32: float32 with short products, on GPUs that have them); the rest is float32.
      plan: the form of the generator; see `prepared`. Both give the same images but for single levels.
    """

    batch: int
    devices: tuple[Device, ...]
    parallel: Parallel = "shard_map"
    noise: NoiseMode = "const"
    dtype: Precision = "float32"
    plan: prepared.Plan = "plain"

    @property
    def placing(self) -> dict[str, Any]:
        """The arguments of `choose` that say where a batch runs."""
        return {"batch": self.batch, "devices": self.devices, "parallel": self.parallel}

    @property
    def options(self) -> dict[str, Any]:
        """The arguments of `choose` that lead here again."""
        return {**self.placing, "noise": self.noise, "dtype": self.dtype, "plan": self.plan}

    @property
    def array_dtype(self) -> Any:
        """Of the features."""
        return jnp.dtype("float32" if self.dtype == "tf32" else self.dtype)

    @property
    def form(self) -> prepared.Form:
        """Of the prepared weights."""
        return prepared.form_on(self.devices[0].platform, self.array_dtype)

    @property
    def step(self) -> int:
        """Images per step on all devices."""
        return self.batch * len(self.devices)


def choose(
    config: GeneratorConfig,
    *,
    batch: int | None = None,
    devices: int | Sequence[Device] | None = None,
    parallel: Parallel = "shard_map",
    noise: NoiseMode = "const",
    dtype: Precision = "float32",
    plan: prepared.Choice = "auto",
) -> Batching:
    """How to run a model: all local devices and a batch that suits one, unless said otherwise.

    Batch and plan follow the model and the kind of device, never how many images are wanted or by how many devices:
    the image of a seed is the same in every job. Raises InputError for more devices than there are, and for a batch
    below 1.
    """
    chosen = _devices(devices)
    if batch is None:
        batch = _fitting(config, chosen[0])
    if batch < 1:
        raise InputError(f"batch {batch} is not positive", "use 1 or more")
    return Batching(
        batch=batch, devices=chosen, parallel=parallel, noise=noise, dtype=dtype, plan=prepared.choose(plan, config)
    )


def _fitting(config: GeneratorConfig, device: Device) -> int:
    """A power of two that keeps a device busy, and no more: a job of one image pays for a whole step.

    A CPU is busy with one image but for small models, whose single operations cost more than their numbers. A GPU or
    TPU takes up to 64 where a quarter of its memory holds them.
    """
    work, most = (_CPU_STEP, 4) if device.platform == "cpu" else (_STEP, 64)
    fits = min(most, work / prepared.multiplications(config))
    limit = None if device.platform == "cpu" else (device.memory_stats() or {}).get("bytes_limit")
    if limit is not None:
        pixels = [math.prod(size_at(r, config.const_size)) for r in config.resolutions]
        largest = max(map(math.prod, zip(pixels, map(config.channels, config.resolutions), strict=True)))  # of a layer
        fits = min(fits, limit // 4 // (largest * 4 * 4))  # float32, four such layers alive
    return 1 << max(1, int(fits)).bit_length() - 1


def _devices(wanted: int | Sequence[Device] | None) -> tuple[Device, ...]:
    if wanted is None or isinstance(wanted, int):
        local = jax.local_devices()
        if wanted is not None and not 1 <= wanted <= len(local):
            raise InputError(f"devices: {wanted} devices asked for, {len(local)} present", f"use 1 to {len(local)}")
        return tuple(local[:wanted])
    return tuple(wanted)
