"""The golden cases of the official operations, shared by the tests of `networks.ops` and `networks.resampling`."""

import functools
import json

import numpy as np
import pytest

from stylegan_jax.filters import setup_filter
from tests.golden_data import assert_close, golden, load_npz
from tests.golden_networks import compiled, nchw, nhwc

FILE = "ops/ops.npz"
CASES: dict[str, dict] = json.loads(golden("ops/ops_params.json").read_text())


@functools.cache
def stored() -> dict[str, np.ndarray]:
    return load_npz(FILE)


def cases(*operations):
    """Parametrises a test over the golden cases of these operations."""
    return pytest.mark.parametrize("case", [case for case in CASES if case.split(".")[0] in operations])


def inputs(case):
    """The stored inputs of a case, images as NHWC."""
    found = {key.rsplit(".", 1)[1]: value for key, value in stored().items() if key.startswith(f"{case}.in.")}
    return {key: nhwc(value) if key == "x" else value for key, value in found.items()}


def taps(case):
    """The filter of a case, made ready."""
    spec = CASES[case].get("filter_taps", CASES[case].get("resample_filter"))
    return None if spec is None else setup_filter(np.asarray(spec))


def options(case, *names):
    return {name: CASES[case][name] for name in names if name in CASES[case]}


@functools.cache
def outputs(operation, *kinds):
    """What `operation` makes of all golden cases of these kinds, in one program: compiling 98 would take a minute."""
    arrays = {case: inputs(case) for case in CASES if case.split(".")[0] in kinds}
    return compiled(lambda arrays: {case: operation(case, **given) for case, given in arrays.items()})(arrays)


def check(case, output):
    assert_close(nchw(output), FILE, f"{case}.y", stored())
