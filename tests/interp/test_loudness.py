import importlib.util
import wave

import numpy as np
import pytest

from interp.loudness import listen
from stylegan_jax.errors import InputError


def save(path, samples, *, rate=8000, width=2, channels=1):
    """A WAV of samples in −1 … 1."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        scaled = np.round(np.asarray(samples) * (2 ** (8 * width - 1) - 1)).astype("<i4")
        raw = scaled.view(np.uint8).reshape(-1, 4)[:, :width]
        file.writeframes((raw + 128 if width == 1 else raw).astype(np.uint8).tobytes())
    return str(path)


def burst(rate=8000):
    """Half a second of silence, one of noise, half a second of silence."""
    noise = np.random.RandomState(0).uniform(-0.4, 0.4, rate)
    return np.concatenate([np.zeros(rate // 2), noise, np.zeros(rate // 2)])


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("channels", [1, 2])
def test_levels_are_0_in_silence_and_1_where_it_is_loud(tmp_path, width, channels):
    heard = listen(save(tmp_path / "s.wav", np.repeat(burst(), channels), width=width, channels=channels))
    levels = heard.levels(48, 24)
    assert heard.seconds == pytest.approx(2, abs=0.01) and levels.dtype == np.float32 and levels.max() == 1
    assert levels[:8].max() < 0.05 and levels[-8:].max() < 0.05 and levels[18:30].min() > 0.9


def test_levels_follow_amplitude_and_are_smooth(tmp_path):
    rate = 8000
    swell = np.linspace(0, 0.9, 2 * rate) * np.sin(np.arange(2 * rate))
    levels = listen(save(tmp_path / "s.wav", swell)).levels(60, 30)
    assert levels[30] == pytest.approx(0.5, abs=0.05) and np.abs(np.diff(levels)).max() < 0.05


def test_beyond_its_end_a_sound_is_silent(tmp_path):
    levels = listen(save(tmp_path / "s.wav", burst()[:8000])).levels(96, 24)
    assert len(levels) == 96 and levels[40:].max() == 0


def test_silence_is_0_and_no_error(tmp_path):
    assert listen(save(tmp_path / "s.wav", np.zeros(800))).levels(3, 24).tolist() == [0, 0, 0]


@pytest.mark.skipif(bool(importlib.util.find_spec("soundfile")), reason="soundfile reads more")
@pytest.mark.parametrize("change", ["cut", "text", "no rate", "empty", "float"])
def test_what_is_no_sound_ends_in_one_line(tmp_path, change):
    path = tmp_path / "s.wav"
    save(path, burst())
    whole = bytearray(path.read_bytes())
    if change == "no rate":
        whole[24:28] = bytes(4)
    if change == "float":
        whole[20:22] = b"\3\0"
    path.write_bytes({"cut": bytes(whole[:30]), "text": b"RIFF and nothing", "empty": b""}.get(change, bytes(whole)))
    with pytest.raises(InputError) as refused:
        listen(str(path))
    assert str(refused.value).count("\n") == 0 and "s.wav" in str(refused.value) and refused.value.remedy


def test_a_sound_that_lies_about_its_length_costs_what_it_holds(tmp_path):
    path = tmp_path / "s.wav"
    save(path, burst())
    whole = bytearray(path.read_bytes())
    whole[40:44] = (0xFFFFFF00).to_bytes(4, "little")
    path.write_bytes(whole)
    assert listen(str(path)).seconds == pytest.approx(2, abs=0.01)


@pytest.mark.parametrize("rate", [1, 999, 768_001, 4_000_000_000])
def test_a_header_with_a_rate_that_no_sound_has_is_refused(tmp_path, rate):
    path = tmp_path / "s.wav"
    save(path, burst())
    whole = bytearray(path.read_bytes())
    whole[24:28] = rate.to_bytes(4, "little")
    path.write_bytes(whole)
    with pytest.raises(InputError, match="samples in a second"):
        listen(str(path))
