"""A folder of images with a manifest, so that an interrupted job goes on where it stopped."""

import json
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from jaxtyping import UInt8

from stylegan_jax import images, outputs
from stylegan_jax.errors import InputError

MANIFEST = "manifest.json"
_IN_FLIGHT = 64


class ImageFolder:
    """Writes named PNGs in the background; a context manager that waits for the last one.

    Args:
      path: made if it is missing.
      manifest: JSON data that says how the images are made. The folder is continued if its own is identical.
      overwrite: start anew over another manifest.

    Raises InputError if the folder holds images of another manifest, naming the first difference.
    """

    def __init__(self, path: str | Path, manifest: Mapping[str, Any], *, overwrite: bool = False):
        self.path, self.manifest = Path(path), json.loads(json.dumps(manifest))
        self._continued = self._check(overwrite)
        self._pool = ThreadPoolExecutor(thread_name_prefix="png")
        self._writing: list[Future[None]] = []

    def _check(self, overwrite: bool) -> bool:
        file = self.path / MANIFEST
        if self.path.exists() and not self.path.is_dir():
            raise InputError("is a file", "name a folder", file=self.path)
        if file.is_file() and not overwrite:
            found = _read(file)
            for key in sorted({*found, *self.manifest}):
                if found.get(key) != self.manifest.get(key):
                    what = f"holds images made with {key} {found.get(key)}, not {self.manifest.get(key)}"
                    raise InputError(what, "choose another folder, or pass --overwrite", file=self.path)
            return True
        if not overwrite and self.path.is_dir() and any(self.path.glob("*.png")):
            raise InputError(
                "holds images of unknown origin", "choose another folder, or pass --overwrite", file=self.path
            )
        self.path.mkdir(parents=True, exist_ok=True)
        with outputs.new_file(file, overwrite=True) as handle:
            handle.write(json.dumps(self.manifest, indent=1).encode())
        return False

    def missing(self, names: Iterable[str]) -> list[str]:
        """Those of `names` that are not there yet."""
        return [name for name in names if not (self._continued and (self.path / name).is_file())]

    def write(self, name: str, image: UInt8[np.ndarray, "h w c"], made_by: Mapping[str, Any] | None = None) -> None:
        """Encodes and writes one image; returns at once, but keeps at most some dozens waiting."""
        if len(self._writing) >= _IN_FLIGHT:
            self._writing.pop(0).result()
        note = {**self.manifest, **(made_by or {})}
        self._writing.append(
            self._pool.submit(images.write_png, self.path / name, image, note, level=1, overwrite=True)
        )

    def __enter__(self) -> "ImageFolder":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._pool.shutdown(wait=True, cancel_futures=kind is not None)
        if kind is None:
            for written in self._writing:
                written.result()


def _read(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text())
    except ValueError as error:
        raise InputError("is damaged", "remove the folder, or pass --overwrite", file=file) from error
    return found if isinstance(found, dict) else {}
