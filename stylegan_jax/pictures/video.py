"""Moving pictures: MP4 and WebM by PyAV (the extra `video`), animated WebP or GIF by Pillow."""

import contextlib
import importlib.util
import itertools
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from stylegan_jax.errors import InputError
from stylegan_jax.storage import inputs

SUFFIXES = (".mp4", ".webm", ".webp", ".gif")
WITH_SOUND = _BY_PYAV = SUFFIXES[:2]
MOST_IN_MEMORY = 1 << 30  # bytes of the pixels of an animation, which Pillow takes all at once
FASTEST_GIF = 50
"""Frames a second: viewers show those with a shorter delay slowly."""
_ENCODERS = {".mp4": ("libx264", "libopenh264", "mpeg4"), ".webm": ("libvpx-vp9",)}
_OPTIONS = {"libx264": {"crf": "17"}, "libvpx-vp9": {"crf": "24", "b:v": "0", "row-mt": "1", "cpu-used": "2"}}
_SOUNDS = {".mp4": ("aac", 44_100), ".webm": ("libopus", 48_000)}
Frame = UInt8[np.ndarray, "h w 3"]


def default_suffix() -> str:
    """MP4 where PyAV is there, else WebP."""
    return ".mp4" if importlib.util.find_spec("av") else ".webp"


def check_suffix(suffix: str) -> None:
    """Raises InputError for a suffix that is none of `SUFFIXES`, or needs PyAV where it is absent."""
    if suffix not in SUFFIXES:
        known = ", ".join(SUFFIXES if default_suffix() == ".mp4" else SUFFIXES[len(_BY_PYAV) :])
        raise InputError(f"{suffix or 'a name without a suffix'} is no form of film", f"use {known}")
    if suffix in _BY_PYAV and not importlib.util.find_spec("av"):
        raise InputError(f"{suffix} needs PyAV", "python -m pip install av, or give the film the suffix .webp")


def write(
    file: BinaryIO, frames: Iterable[Frame], *, suffix: str, fps: int, note: str, sound: str | None = None
) -> None:
    """Writes all frames; `note` goes into the file's comment, and the sound of a file into an MP4 or WebM."""
    if suffix in _BY_PYAV:
        _write_video(file, frames, suffix, fps, note, sound)
    else:
        _write_animation(file, frames, suffix, fps, note)


def _write_video(file: BinaryIO, frames: Iterable[Frame], suffix: str, fps: int, note: str, sound: str | None) -> None:
    av: Any = importlib.import_module("av")

    encoder = next(name for name in _ENCODERS[suffix] if name in av.codecs_available)
    with contextlib.ExitStack() as stack:
        heard = None if sound is None else stack.enter_context(_opened_sound(av, sound))
        container = stack.enter_context(av.open(file, "w", format=suffix[1:]))
        container.metadata["comment"] = note
        stream: Any = container.add_stream(encoder, rate=fps)
        stream.pix_fmt = "yuv420p"
        stream.options = _OPTIONS.get(encoder, {})
        name, rate = _SOUNDS[suffix]
        carried: Any = None if heard is None else container.add_stream(name, rate=rate)
        count = 0
        for pixels in frames:
            even = np.ascontiguousarray(pixels[: len(pixels) // 2 * 2, : pixels.shape[1] // 2 * 2])
            if count == 0:
                stream.height, stream.width = even.shape[:2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="rgb24")))
            count += 1
        container.mux(stream.encode())
        if sound is not None:
            for part in _resampled(av, carried, heard, count / fps, sound):
                container.mux(carried.encode(part))
            container.mux(carried.encode())


@contextlib.contextmanager
def _opened_sound(av: Any, path: str) -> Iterator[Any]:
    """A sound, or a film with one; InputError for a file that holds none."""
    with contextlib.ExitStack() as stack:
        with _readable(av, path):
            sound = stack.enter_context(av.open(stack.enter_context(inputs.open_regular(path))))
            if not sound.streams.audio:
                raise ValueError("no sound in it")
        yield sound


@contextlib.contextmanager
def _readable(av: Any, path: str) -> Iterator[None]:
    """InputError where PyAV cannot read a sound inside: it may know no decoder, or no such number of channels."""
    try:
        yield
    except (av.error.FFmpegError, ValueError) as error:
        raise InputError("is no sound that PyAV can read", "save it as a 16-bit WAV", file=path) from error


def _resampled(av: Any, stream: Any, heard: Any, seconds: float, path: str) -> Iterator[Any]:
    """As much of a sound as the film is long, as the stream takes it; InputError for what cannot be decoded."""
    with _readable(av, path):
        resampler = av.AudioResampler(format=stream.format, layout=stream.layout, rate=stream.rate)
        for frame in heard.decode(audio=0):
            if frame.time is not None and frame.time >= seconds:
                break
            yield from resampler.resample(frame)
        yield from resampler.resample(None)


def _delays(count: int, fps: int, unit: int) -> list[int]:
    """Milliseconds that each frame is shown, in whole units: rounded such that every frame begins in time."""
    begins = [round(frame * 1000 / fps / unit) * unit for frame in range(count + 1)]
    return [end - start for start, end in itertools.pairwise(begins)]


def _write_animation(file: BinaryIO, frames: Iterable[Frame], suffix: str, fps: int, note: str) -> None:
    first, *others = (Image.fromarray(pixels) for pixels in frames)
    delays = _delays(1 + len(others), fps, 10 if suffix == ".gif" else 1)
    duration = delays if others else delays[0]
    options: dict[str, Any] = {"save_all": True, "append_images": others, "duration": duration, "loop": 0}
    if suffix == ".gif":
        first.save(file, "GIF", comment=note.encode()[:255], **options)
    else:
        first.save(file, "WEBP", quality=85, method=4, xmp=note.encode(), **options)
