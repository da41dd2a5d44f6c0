"""The networks under test: golden models as the converter reads them, programs that compile fast, layers on record."""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jaxtyping
import numpy as np
from flax import nnx

import convert
from stylegan_jax.networks import layers
from stylegan_jax.storage.checkpoint import Model
from tests.golden_data import golden

PAIRED = ("s01_skip32", "s02_auto64", "s03_cond32", "s04_orig32", "s05_resnet64")
PAIRED += ("s06_gray128", "s07_noavg32", "s08_sg3_64", "s09_base64", "s14_nhwc64")
"""The golden models with stored outputs of both networks."""


@functools.cache
def model(name: str) -> Model:
    """A golden model, by the name of its pickle."""
    jaxtyping.config.update("jaxtyping_disable", True)  # the reader's 200,000 calls have their types checked elsewhere
    try:
        return convert.read(golden(f"gen/{name}.pkl"))
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)


def compiled(function: Callable) -> Callable:
    """`jax.jit` under strict dtypes and without LLVM's optimiser: compiles up to three times faster, runs once."""
    program = jax.jit(function, compiler_options={"xla_backend_optimization_level": 0})
    return jax.numpy_dtype_promotion("strict")(program)


@contextlib.contextmanager
def recorded(network: nnx.Module) -> Iterator[dict[str, Any]]:
    """Collects what every part of `network` returns meanwhile: `synthesis.b8.conv0` → its last output."""
    paths = {id(module): ".".join(map(str, path)) for path, module in nnx.iter_modules(network)}
    outputs: dict[str, Any] = {}
    with contextlib.ExitStack() as stack:
        for kind in {type(module) for _, module in nnx.iter_modules(network)}:
            stack.callback(setattr, kind, "__call__", kind.__call__)
            kind.__call__ = _recording(kind.__call__, paths, outputs)
        yield outputs


def _recording(call: Callable, paths: dict[int, str], outputs: dict[str, Any]) -> Callable:
    @functools.wraps(call)
    def recording(self: nnx.Module, *args: Any, **kwargs: Any) -> Any:
        outputs[paths[id(self)]] = result = call(self, *args, **kwargs)
        return result

    return recording


def in_both_modes(trace: Callable[[], Any]) -> tuple[str, str]:
    """What `trace` returns in graph mode and in tree mode, which will become Flax's default."""

    def fresh() -> str:
        layers._graph.cache_clear()
        return str(trace())

    try:
        with nnx.set_graph_mode(True), nnx.set_graph_updates(True):
            graph_mode = fresh()
        with nnx.set_graph_mode(False), nnx.set_graph_updates(False):
            return graph_mode, fresh()
    finally:
        layers._graph.cache_clear()


def nchw(images: Any) -> np.ndarray:
    """Features or images as the goldens store them."""
    return np.moveaxis(np.asarray(images), -1, 1)


def nhwc(images: np.ndarray) -> np.ndarray:
    """Stored features or images as the networks take them."""
    return np.moveaxis(images, 1, -1)
