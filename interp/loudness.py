"""How loud a sound is at every frame of a film."""

import contextlib
import importlib
import importlib.util
import math
import wave
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from stylegan_jax.errors import InputError, shown
from stylegan_jax.storage import inputs

_BLOCK = 1 << 16  # samples that are read at a time
_SPANS = 960  # a second: whole numbers of them for the usual frame rates
_LONGEST = 3600  # seconds that are listened to, which is as long as a film may be
_SLOWEST, _FASTEST = 1000, 768_000  # samples a second, of any sound that is meant
_SMOOTH = 0.2  # seconds: the width of the window that levels are averaged in
_PLAIN = "save it as a 16-bit WAV"
_KINDS = "save it as a 16-bit WAV, or python -m pip install soundfile, which reads most kinds"


class Loudness(NamedTuple):
    """Sums of squares of all samples in short spans of time, and how long the sound is."""

    squares: Float[np.ndarray, " s"]
    samples: Float[np.ndarray, " s"]
    seconds: float

    def levels(self, count: int, fps: int) -> Float[np.ndarray, " f"]:
        """The level of each frame, the loudest 1: the root of the mean square around it; 0 beyond the end."""
        first = np.arange(count + 1) * self.rate / fps
        edges = np.minimum(np.round(first).astype(np.int64), len(self.squares))
        sums = [np.concatenate([[0.0], np.cumsum(each)]) for each in (self.squares, self.samples)]
        energy, heard = (total[edges[1:]] - total[edges[:-1]] for total in sums)
        level = np.sqrt(energy / np.maximum(heard, 1))
        window = np.hanning(2 * math.ceil(_SMOOTH * fps / 2) + 3)[1:-1]
        smooth = np.convolve(np.pad(level, len(window) // 2, "edge"), window / window.sum(), "valid")
        return (smooth / max(smooth.max(), 1e-9)).astype(np.float32)

    @property
    def rate(self) -> float:
        """Spans a second."""
        return len(self.squares) / self.seconds


def listen(path: str) -> Loudness:
    """The loudness of a sound, of its first hour; InputError for a file that is none that can be read here."""
    inputs.require_regular_file(path)
    try:
        with _opened(path) as (rate, length, blocks):
            if not _SLOWEST <= rate <= _FASTEST:
                raise ValueError(f"{rate} samples in a second")
            most = min(length, rate * _LONGEST)
            spans = max(1, math.ceil(most * _SPANS / rate))
            squares, samples, at = np.zeros(spans), np.zeros(spans), 0
            for block in blocks:
                where = (np.arange(at, min(at + len(block), most)) * _SPANS) // rate
                if len(where) == 0:
                    break
                part = slice(int(where[0]), int(where[-1]) + 1)
                squares[part] += np.bincount(where - where[0], np.mean(np.square(block[: len(where)]), 1))
                samples[part] += np.bincount(where - where[0])
                at += len(where)
    except (wave.Error, EOFError, ValueError, RuntimeError) as error:
        remedy = _PLAIN if importlib.util.find_spec("soundfile") else _KINDS
        raise InputError(f"is no sound that can be read ({shown(str(error), 100)})", remedy, file=path) from error
    if at == 0:
        raise InputError("is silent: it holds no samples", _PLAIN, file=path)
    return Loudness(squares, samples, spans / _SPANS)


Opened = tuple[int, int, Iterator[Float[np.ndarray, "n c"]]]
"""Samples a second, how many there are at most, and their blocks."""


@contextlib.contextmanager
def _opened(path: str) -> Iterator[Opened]:
    """A sound, by the package soundfile where that is installed, else by Python's own reader of WAV files."""
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(inputs.open_regular(path))
        if importlib.util.find_spec("soundfile"):
            soundfile: Any = importlib.import_module("soundfile")
            sound = stack.enter_context(soundfile.SoundFile(file))
            yield sound.samplerate, sound.frames, sound.blocks(_BLOCK, dtype="float64", always_2d=True)
            return
        size = inputs.require_regular_file(path).st_size
        sound = stack.enter_context(wave.open(file, "rb"))
        width = sound.getsampwidth() * sound.getnchannels()
        yield sound.getframerate(), min(sound.getnframes(), size // width), _blocks(sound, _BLOCK // width + 1)


def _blocks(sound: wave.Wave_read, count: int) -> Iterator[Float[np.ndarray, "n c"]]:
    width, channels = sound.getsampwidth(), sound.getnchannels()
    while data := sound.readframes(count):
        whole = len(data) // (width * channels) * width * channels
        yield _floats(np.frombuffer(data[:whole], np.uint8).reshape(-1, width)).reshape(-1, channels)
        if whole < len(data):
            return


def _floats(raw: Any) -> Float[np.ndarray, " n"]:
    """Samples of 1 to 4 bytes, little-endian, in −1 … 1; those of one byte have no sign."""
    if raw.shape[1] == 1:
        return raw[:, 0] / 127.5 - 1
    wide = np.zeros((len(raw), 4), np.uint8)
    wide[:, 4 - raw.shape[1] :] = raw
    return wide.view("<i4")[:, 0] / 2.0**31
