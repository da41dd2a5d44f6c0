"""How a job is cut into batches: images per device and step, devices, precision, plan."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp

from stylegan_jax import plans
from stylegan_jax.config import GeneratorConfig
from stylegan_jax.errors import InputError

Device = Any  # jax.Device, which is no type to a type checker

NoiseMode = Literal["const", "random", "none"]
Parallel = Literal["shard_map", "pmap"]
Precision = Literal["float32", "tf32", "bfloat16", "float16"]


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
      plan: the form of the generator; see `plans`. Both give the same images but for single levels.
    """

    batch: int
    devices: tuple[Device, ...]
    parallel: Parallel = "shard_map"
    noise: NoiseMode = "const"
    dtype: Precision = "float32"
    plan: plans.Plan = "plain"

    @property
    def array_dtype(self) -> Any:
        """Of the features."""
        return jnp.dtype("float32" if self.dtype == "tf32" else self.dtype)

    @property
    def form(self) -> plans.Form:
        """Of the prepared weights."""
        return plans.form_on(self.devices[0].platform, self.array_dtype)

    @property
    def step(self) -> int:
        """Images per step on all devices."""
        return self.batch * len(self.devices)


def choose(
    config: GeneratorConfig,
    n: int,
    *,
    batch: int | None = None,
    devices: int | Sequence[Device] | None = None,
    parallel: Parallel = "shard_map",
    noise: NoiseMode = "const",
    dtype: Precision = "float32",
    plan: plans.Choice = "auto",
) -> Batching:
    """How to run `n` images: all local devices and a batch that fits, unless said otherwise.

    On CPUs the default batch depends on the resolution and on `n` alone, never on their number, so that the images do
    not either; on GPUs and TPUs also on the memory of one. The plan that `auto` chooses follows `n` too, so let it
    count the whole job. Raises InputError for more devices than there are, and for a batch below 1.
    """
    chosen = _devices(devices)
    if batch is None:
        batch = min(_fitting(config, chosen[0]), 1 << max(0, n - 1).bit_length())
    if batch < 1:
        raise InputError(f"batch {batch} is not positive", "use 1 or more")
    return Batching(
        batch=batch, devices=chosen, parallel=parallel, noise=noise, dtype=dtype, plan=plans.choose(plan, config, n)
    )


def _fitting(config: GeneratorConfig, device: Device) -> int:
    """A power of two: on a CPU up to 16, elsewhere up to 64 where a quarter of the memory holds them."""
    usual = max(1, min(16, 2**22 // config.img_resolution**2))
    limit = None if device.platform == "cpu" else (device.memory_stats() or {}).get("bytes_limit")
    if limit is None:
        return usual
    largest = max(r * r * config.channels(r) for r in config.resolutions)  # numbers in one layer of one image
    return 1 << min(6, max(1, limit // 4 // (largest * 4 * 4)).bit_length() - 1)  # float32, four such layers alive


def _devices(wanted: int | Sequence[Device] | None) -> tuple[Device, ...]:
    if wanted is None or isinstance(wanted, int):
        local = jax.local_devices()
        if wanted is not None and not 1 <= wanted <= len(local):
            raise InputError(f"{wanted} devices asked for, {len(local)} present", f"use 1 to {len(local)}")
        return tuple(local[:wanted])
    return tuple(wanted)
