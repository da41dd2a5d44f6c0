import numpy as np
import pytest
from PIL import Image

from stylegan_jax.pictures import video


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
@pytest.mark.parametrize("fps", [1, 24, 30, 50])
def test_an_animation_is_as_long_as_its_frames(tmp_path, suffix, fps):
    frames = [np.full((4, 4, 3), 10 * (i % 25), np.uint8) for i in range(2 * fps)]
    path = tmp_path / f"x{suffix}"
    with open(path, "wb") as file:
        video.write(file, iter(frames), suffix=suffix, fps=fps, note="")
    delays = []
    with Image.open(path) as animation:
        for i in range(animation.n_frames):  # pyright: ignore
            animation.seek(i)
            animation.load()
            delays.append(animation.info["duration"])
    assert len(delays) == 2 * fps and sum(delays) == 2000 and max(delays) - min(delays) <= 10
