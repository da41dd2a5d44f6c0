"""Training sets that would hang, fill the memory or speak to the terminal are refused, or their files left out."""

import json
import os
import time

import numpy as np
import pytest
from PIL import Image

from stylegan_jax.errors import InputError
from stylegan_jax.pictures import images, pool
from stylegan_jax.train.data.dataset import Dataset
from tests.pictures_and_zips import picture, zipped


def labelled(text, count=2):
    return zipped({**{f"{i}.png": picture() for i in range(count)}, "dataset.json": text})


def opened(path, tmp_path, **options):
    start = time.process_time()
    try:
        return Dataset.open(path, resolution=16, cache=tmp_path, **options)
    finally:
        assert time.process_time() - start < 5


@pytest.mark.parametrize(
    "text",
    [
        '{"labels":[' + "[]," * 20_000_000 + "[]]}",
        "[" * 50_000_000,
        f'{{"labels":[["0.png",1{"0" * 400}],["1.png",1]]}}',
        f'{{"labels":[["0.png",1{"0" * 5000}],["1.png",1]]}}',
        f'{{"labels":[["0.png",[1{"0" * 400}]],["1.png",[1]]]}}',
        '{"labels":[["0.png",[1e999]],["1.png",[1]]]}',
        f'{{"labels":[["0.png",{"[" * 900}{"]" * 900}],["0.png",{"[" * 900}{"]" * 900}]]}}',
        '{"labels":[["0.png","\\u001b"],["0.png","\\n"]]}',
    ],
    ids=["lists", "depth", "10^400", "10^5000", "vector", "inf", "nested", "escapes"],
)
def test_hostile_labels_are_refused(tmp_path, text):
    (tmp_path / "set.zip").write_bytes(labelled(text))
    with pytest.raises(InputError) as refusal:
        opened(tmp_path / "set.zip", tmp_path, labels=True)
    assert str(refusal.value).isprintable()


def test_a_class_far_beyond_the_others_is_refused_before_its_table_is_made(tmp_path):
    labels = [[f"{i}.png", 65_535 if i else 0] for i in range(1100)]
    (tmp_path / "set.zip").write_bytes(labelled(json.dumps({"labels": labels}), 1100))
    with pytest.raises(InputError, match="numbers 2 classes up to 65535"):
        opened(tmp_path / "set.zip", tmp_path, labels=True)


def test_pipes_and_devices_in_a_folder_are_left_out(tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "a.png").write_bytes(picture())
    os.mkfifo(folder / "b.png")
    (folder / "c.png").symlink_to("/dev/zero")
    os.mkfifo(folder / "dataset.json")
    assert sorted(opened(folder, tmp_path).images.left_out) == ["b.png", "c.png"]


def test_files_in_a_zip_that_unfold_are_left_out(tmp_path):
    bomb = b"BM" + bytes(100_000_000)
    (tmp_path / "set.zip").write_bytes(zipped({"a.png": picture(), "b.bmp": bomb}))
    assert "unpacks to" in opened(tmp_path / "set.zip", tmp_path).images.left_out["b.bmp"]


def test_images_of_digits_are_read_while_they_are_small(tmp_path):
    (tmp_path / "a.ppm").write_bytes(b"P3\n2 1\n255\n1 2 3 4 5 6")
    assert images.read(tmp_path / "a.ppm").tolist() == [[[1, 2, 3], [4, 5, 6]]]
    (tmp_path / "a.ppm").write_bytes(b"P3\n3000 3000\n255\n" + b"0 " * 27_000_000)
    with pytest.raises(InputError, match="too many"):
        images.read(tmp_path / "a.ppm")


def test_threads_share_the_memory_of_what_they_decode():
    share, most = pool.Share(100), []

    def take(size):
        with share.held(size):
            most.append(share._held)
            time.sleep(0.001)

    list(pool.in_order(take, [60, 60, 30, 300, 10] * 10, waiting=20, workers=8))
    assert max(most) == 300 and max(held for held in most if held != 300) <= 100


def test_lines_of_pixels_are_those_of_one_conversion(tmp_path, monkeypatch):
    rng = np.random.RandomState(0)
    Image.fromarray(rng.randint(0, 256, (50, 30, 4), np.uint8)).save(tmp_path / "a.png")
    whole = [images.read(tmp_path / "a.png", channels) for channels in (1, 3, 4)]
    monkeypatch.setattr(images, "_STRIP", 4 * 30 * 7)
    for channels, pixels in zip((1, 3, 4), whole, strict=True):
        np.testing.assert_array_equal(images.read(tmp_path / "a.png", channels), pixels)
