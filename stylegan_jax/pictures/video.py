"""Moving pictures: MP4 by PyAV (the extra `video`), animated WebP or GIF by Pillow."""

import importlib.util
from collections.abc import Iterable
from typing import Any, BinaryIO

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from stylegan_jax.errors import InputError

SUFFIXES = (".mp4", ".webp", ".gif")
_ENCODERS = ("libx264", "libopenh264", "mpeg4")
Frame = UInt8[np.ndarray, "h w 3"]


def default_suffix() -> str:
    """MP4 where PyAV is there, else WebP."""
    return ".mp4" if importlib.util.find_spec("av") else ".webp"


def check_suffix(suffix: str) -> None:
    """Raises InputError for a suffix that is none of `SUFFIXES`, or needs PyAV where it is absent."""
    if suffix not in SUFFIXES:
        known = ", ".join(SUFFIXES if default_suffix() == ".mp4" else SUFFIXES[1:])
        raise InputError(f"{suffix or 'a name without a suffix'} is no form of film", f"use {known}")
    if suffix == ".mp4" and not importlib.util.find_spec("av"):
        raise InputError(".mp4 needs PyAV", "python -m pip install av, or give the film the suffix .webp")


def write(file: BinaryIO, frames: Iterable[Frame], *, suffix: str, fps: int, note: str) -> None:
    """Writes all frames; `note` goes into the file's comment."""
    if suffix == ".mp4":
        _write_mp4(file, frames, fps, note)
    else:
        _write_animation(file, frames, suffix, fps, note)


def _write_mp4(file: BinaryIO, frames: Iterable[Frame], fps: int, note: str) -> None:
    av: Any = importlib.import_module("av")

    encoder = next(name for name in _ENCODERS if name in av.codecs_available)
    with av.open(file, "w", format="mp4") as container:
        container.metadata["comment"] = note
        stream: Any = container.add_stream(encoder, rate=fps)
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": "17"} if encoder == "libx264" else {}
        for i, pixels in enumerate(frames):
            even = np.ascontiguousarray(pixels[: len(pixels) // 2 * 2, : pixels.shape[1] // 2 * 2])
            if i == 0:
                stream.height, stream.width = even.shape[:2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="rgb24")))
        container.mux(stream.encode())


def _write_animation(file: BinaryIO, frames: Iterable[Frame], suffix: str, fps: int, note: str) -> None:
    first, *others = (Image.fromarray(pixels) for pixels in frames)
    options: dict[str, Any] = {"save_all": True, "append_images": others, "duration": round(1000 / fps), "loop": 0}
    if suffix == ".gif":
        first.save(file, "GIF", comment=note.encode()[:255], **options)
    else:
        first.save(file, "WEBP", quality=85, method=4, xmp=note.encode(), **options)
