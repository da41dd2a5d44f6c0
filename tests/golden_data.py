"""The goldens: where they lie, how they are read, and how close a result must come to them."""

import functools
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
COMMITTED = ROOT / "tests" / "golden"
SHARED = ROOT.parent / "shared" / "golden"
ABSENT = "needs goldens beyond tests/golden, and ../shared/golden is absent"  # one reason, so that pytest folds it


def golden(relative_path: str) -> Path:
    """A golden file, the committed one if there is one; skips the test where it is absent, but fails under CI."""
    for folder in (COMMITTED, SHARED):
        if (folder / relative_path).is_file():
            return folder / relative_path
    if os.environ.get("CI") == "true":
        pytest.fail(f"golden/{relative_path} is neither in tests/golden nor in ../shared", pytrace=False)
    pytest.skip(ABSENT)


def load_npz(relative_path: str) -> dict[str, np.ndarray]:
    """All arrays of a golden `.npz`."""
    with np.load(golden(relative_path)) as file:
        return {key: file[key] for key in file.files}


def tolerance(relative_path: str, key: str, array: Any) -> float:
    """The largest absolute error allowed against `array`, which is stored under `key`.

    The key's own measured float32 noise counts ten times, never below 1e-6; without one, the file's worst noise
    relative to the RMS counts, or 1e-4 of the RMS. Gradients: 3e-4 of the RMS, 3e-3 where that RMS is under 1e-5.
    """
    rms = float(np.sqrt(np.mean(np.square(np.asarray(array, np.float64)))))
    if "grad" in key:
        return (3e-3 if rms < 1e-5 else 3e-4) * rms
    entry = manifest_entry(relative_path)
    noise = entry.get("fp32_noise", {}).get(_noise_key(key))
    if noise is not None:
        return max(10 * noise["max_abs"], 1e-6)
    worst = entry.get("fp32_noise_worst")
    return 1e-4 * rms if worst is None else 10 * worst["max_abs_over_rms"] * rms


def assert_close(actual: Any, relative_path: str, key: str, stored: dict[str, np.ndarray] | None = None) -> None:
    """Fails naming file, key, error and tolerance unless `actual` equals the golden array within its tolerance.

    `stored` is the already loaded file, for tests that compare many keys of one.
    """
    expected = (load_npz(relative_path) if stored is None else stored)[key]
    actual = np.asarray(actual)
    assert actual.shape == expected.shape, f"{relative_path}[{key}]: shape {actual.shape}, expected {expected.shape}"
    error = float(np.max(np.abs(actual.astype(np.float64) - expected), initial=0))
    allowed = tolerance(relative_path, key, expected)
    assert error <= allowed, f"{relative_path}[{key}]: max error {error:.3g} exceeds {allowed:.3g}"


def manifest_entry(relative_path: str) -> dict[str, Any]:
    """What the manifest says of a file: its measured float32 noise, and more where ../shared is there."""
    return {**_manifest(SHARED).get(relative_path, {}), **_manifest(COMMITTED).get(relative_path, {})}


@functools.cache
def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / "MANIFEST.json"
    return json.loads(path.read_text())["files"] if path.is_file() else {}


def _noise_key(key: str) -> str:
    """The entry of a key: blends are stored from ws and from z, operations as `.y`, some images halved as `_s2`."""
    return key.removeprefix("img_ws_").removeprefix("img_z_").removesuffix(".y").removesuffix("_s2")
