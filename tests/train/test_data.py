import io
import json
import os
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stylegan_jax.errors import InputError
from stylegan_jax.train.data import cache
from stylegan_jax.train.data.dataset import Dataset
from stylegan_jax.train.data.order import Order
from tests import golden_data
from tests.pictures.test_images import BAD

PARAMS = "misc/sampler_params.json"


@pytest.mark.parametrize("number", range(7))
def test_the_order_is_that_of_the_official_sampler_for_every_replica(number):
    params = json.loads(golden_data.golden(PARAMS).read_text())[number]
    stored, replicas = golden_data.load_npz("misc/sampler.npz"), params["num_replicas"]
    order = Order(params["dataset_len"], seed=params["seed"], window=params["window_size"], shuffle=params["shuffle"])
    taken = order.take(0, 60 * replicas)
    for rank in range(replicas):
        np.testing.assert_array_equal(taken[rank::replicas], stored[f"{number}.rank{rank}"])


def test_the_counter_is_the_whole_state_of_the_order():
    taken = Order(37, seed=2).take(0, 1000)
    resumed = Order(37, seed=2)
    for counter, count in ((640, 32), (672, 8), (0, 5), (999, 1)):
        np.testing.assert_array_equal(resumed.take(counter, count), taken[counter : counter + count])


def picture(size=(20, 16), mode="RGB", seed=0):
    values = np.random.RandomState(seed).randint(0, 256, (size[1], size[0], 3)).astype(np.uint8)
    return Image.fromarray(values).convert(mode)


def folder_of(tmp_path, **pictures):
    folder = tmp_path / "images"
    for name, image in pictures.items():
        path = folder / f"{name.replace('__', '/')}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path)
    return folder


def opened(path, tmp_path, resolution=16, **options):
    return Dataset.open(path, resolution=resolution, cache=tmp_path, **options)


def test_images_are_cropped_to_their_centre_and_resized_as_the_official_tool_does(tmp_path):
    wide, tall, exact = picture((40, 30), seed=1), picture((16, 22), seed=2), picture((16, 16), seed=3)
    data = opened(folder_of(tmp_path, a=wide, b=tall, c=exact), tmp_path)
    expected = wide.crop((5, 0, 35, 30)).resize((16, 16), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(data.image(0), np.asarray(expected))
    np.testing.assert_array_equal(data.image(1), np.asarray(tall)[3:19])
    np.testing.assert_array_equal(data.image(2), np.asarray(exact))


def test_mirror_images_follow_the_images_themselves(tmp_path):
    data = opened(folder_of(tmp_path, a=picture(seed=1), b=picture(seed=2)), tmp_path, mirror=True)
    assert len(data) == 4
    np.testing.assert_array_equal(data.image(3), data.image(1)[:, ::-1])
    assert "2 images and their mirror images" in data.summary


def test_batches_follow_the_order_and_bring_their_labels(tmp_path):
    folder = folder_of(tmp_path, **{f"i{k}": picture(seed=k) for k in range(5)})
    (folder / "dataset.json").write_text(json.dumps({"labels": [[f"i{k}.png", k % 3] for k in range(5)]}))
    data = opened(folder, tmp_path, labels=True, mirror=True, seed=4)
    indices = Order(10, seed=4).take(0, 23)
    pixels, labels = data.batch(16, 7)
    np.testing.assert_array_equal(pixels, np.stack([data.image(i) for i in indices[16:].tolist()]))
    np.testing.assert_array_equal(labels, np.eye(3)[indices[16:] % 5 % 3])
    np.testing.assert_array_equal(labels, data.labels[indices[16:]])
    assert data.c_dim == 3


def test_vectors_are_labels_too(tmp_path):
    folder = folder_of(tmp_path, sub__a=picture(), sub__b=picture())
    table = {"labels": [["sub\\a.png", [0.5, 1]], ["sub/b.png", [2, 3]], ["gone.png", [4, 5]]]}
    (folder / "dataset.json").write_text(json.dumps(table))
    assert opened(folder, tmp_path, labels=True).labels.tolist() == [[0.5, 1], [2, 3]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "has no labels"),
        ({"labels": None}, "has no labels"),
        ({"labels": []}, r"no label for 1 images: a\.png"),
        ({"labels": [["a.png"]]}, "does not read"),
        ({"other": 1}, "does not read"),
        (["a.png", 1], "does not read"),
        ({"labels": [["a.png", -1]]}, "does not give every image"),
        ({"labels": [["a.png", 1 << 40]]}, "does not give every image"),
        ({"labels": [["a.png", "cat"]]}, "does not give every image"),
        ({"labels": [["a.png", [[1], [2]]]]}, "does not give every image"),
        ({"labels": [["a.png", [1e999]]]}, "does not give every image"),
    ],
)
def test_labels_that_are_no_labels_are_input_errors(tmp_path, content, message):
    folder = folder_of(tmp_path, a=picture())
    if content is not None:
        (folder / "dataset.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=message):
        opened(folder, tmp_path, labels=True)


def png(image):
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def zip_of(tmp_path, **members):
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/"), content)
    return tmp_path / "images.zip"


def test_a_zip_gives_the_same_as_the_folder_it_was_made_of(tmp_path):
    folder = folder_of(tmp_path, a__x=picture(seed=1), b=picture((50, 40), seed=2))
    path = zip_of(tmp_path, **{"b.png": png(picture((50, 40), seed=2)), "a/x.png": png(picture(seed=1))})
    in_zip, in_folder = (opened(place, tmp_path) for place in (path, folder))
    np.testing.assert_array_equal(in_zip.images.pixels, in_folder.images.pixels)
    assert in_zip.images.names == in_folder.images.names == ["a/x.png", "b.png"]
    assert in_zip.description["sha256"] == in_folder.description["sha256"]


def test_names_that_point_outside_a_zip_are_left_out_and_nothing_is_unpacked(tmp_path):
    bad = {"../evil.png": png(picture()), "/abs.png": png(picture()), "C:\\x.png": png(picture())}
    path = zip_of(tmp_path, **bad, **{"good.png": png(picture()), "__MACOSX/._good.png": b"x"})
    data = opened(path, tmp_path)
    assert data.images.names == ["good.png"]
    assert set(data.images.left_out.values()) == {"its name points outside the zip"}
    assert "1 images, 3 left out" in data.summary
    assert not list(tmp_path.parent.rglob("evil.png"))


def test_a_damaged_member_of_a_zip_is_left_out(tmp_path):
    path = zip_of(tmp_path, **{"a.png": png(picture()), "b.png": png(picture(seed=1))})
    content = bytearray(path.read_bytes())
    content[content.index(b"IDAT") + 40] ^= 1
    path.write_bytes(content)
    data = opened(path, tmp_path)
    assert data.images.names == ["b.png"]
    assert "CRC" in data.images.left_out["a.png"]


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_image_is_left_out_and_counted(tmp_path, case):
    folder = folder_of(tmp_path, good=picture())
    (folder / "bad.png").write_bytes(BAD[case])
    data = opened(folder, tmp_path)
    assert data.images.names == ["good.png"]
    assert list(data.images.left_out) == ["bad.png"]
    assert "1 left out (bad.png: " in data.summary


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "1", "CMYK"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_every_colour_mode_becomes_the_channels_of_the_model(tmp_path, mode, channels):
    (tmp_path / "images").mkdir()
    suffix = "jpg" if mode == "CMYK" else "png"
    picture((16, 16), "RGBA" if mode == "LA" else mode).convert(mode).save(tmp_path / "images" / f"a.{suffix}")
    assert opened(tmp_path / "images", tmp_path, channels=channels).image(0).shape == (16, 16, channels)


def test_sixteen_bits_are_scaled_and_exif_turns_before_the_crop(tmp_path):
    (tmp_path / "images").mkdir()
    Image.fromarray(np.full((16, 16), 60000, np.uint16)).save(tmp_path / "images" / "deep.png")
    turned = picture((16, 40))
    turned.getexif()[0x0112] = 6
    turned.save(tmp_path / "images" / "turned.png", exif=turned.getexif())
    data = opened(tmp_path / "images", tmp_path)
    assert np.unique(data.image(0)).tolist() == [233]
    np.testing.assert_array_equal(data.image(1), np.rot90(np.asarray(turned), -1)[:, 12:28])


def test_smaller_images_are_enlarged_and_counted_and_tiny_ones_left_out(tmp_path):
    folder = folder_of(tmp_path, small=picture((12, 9)), tiny=picture((40, 7)), good=picture())
    data = opened(folder, tmp_path)
    assert data.images.names == ["good.png", "small.png"]
    assert data.images.left_out == {"tiny.png": "40×7 pixels are too few"}
    assert data.summary.endswith("1 smaller than 16 pixels, enlarged")


def test_one_image_is_a_data_set(tmp_path):
    data = opened(folder_of(tmp_path, a=picture()), tmp_path)
    np.testing.assert_array_equal(data.batch(5, 2)[0], np.stack([data.image(0)] * 2))


def test_an_image_that_vanishes_after_listing_is_left_out(tmp_path, monkeypatch):
    folder = folder_of(tmp_path, a=picture(), b=picture())
    reading = cache.images.reading

    def vanishing(source, channels):
        if Path(source).name == "a.png":
            Path(source).unlink()
        return reading(source, channels)

    monkeypatch.setattr(cache.images, "reading", vanishing)
    data = opened(folder, tmp_path)
    assert data.images.left_out == {"a.png": "no such file"}


def test_an_image_that_vanishes_during_training_does_no_harm(tmp_path):
    folder = folder_of(tmp_path, a=picture())
    data = opened(folder, tmp_path)
    (folder / "a.png").unlink()
    assert data.batch(0, 3)[0].shape == (3, 16, 16, 3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "no such folder"),
        (lambda path: path.mkdir(), "holds no images"),
        (lambda path: path.write_bytes(b"PK\x03\x04 broken"), "no folder and no zip"),
        (lambda path: path.write_bytes(b""), "no folder and no zip"),
        (lambda path: path.write_bytes(zip_of(path.parent).read_bytes()), "holds no images"),
    ],
)
def test_a_place_without_images_is_an_input_error(tmp_path, make, message):
    make(tmp_path / "place")
    with pytest.raises(InputError, match=rf"place: .*{message}.* — "):
        opened(tmp_path / "place", tmp_path)


def test_a_set_of_which_nothing_is_usable_is_an_input_error_and_leaves_no_cache(tmp_path):
    folder = folder_of(tmp_path, tiny=picture((3, 3)))
    with pytest.raises(InputError, match=r"none of its 1 images can be used; tiny\.png: 3×3 pixels are too few"):
        Dataset.open(folder, resolution=16, cache=tmp_path / "images" / "..")
    assert sorted(os.listdir(tmp_path)) == ["images"]


def test_resized_images_are_kept_until_an_image_changes(tmp_path, monkeypatch):
    folder = folder_of(tmp_path, a=picture(seed=1))
    first = opened(folder, tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(cache, "_build", lambda *_: pytest.fail("built again"))
        np.testing.assert_array_equal(opened(folder, tmp_path).image(0), first.image(0))
    assert isinstance(first.images.pixels, np.memmap)
    picture(seed=2).save(folder / "a.png")
    assert not np.array_equal(opened(folder, tmp_path).image(0), first.image(0))


def test_without_a_home_the_images_are_kept_for_the_process_only(monkeypatch, tmp_path):
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    (tmp_path / "file").touch()
    monkeypatch.setattr(cache.tempfile, "tempdir", str(tmp_path))
    assert cache.cache_folder().parent == tmp_path


def test_names_that_cannot_be_printed_are_spelt_out(tmp_path):
    folder = folder_of(tmp_path, good=picture())
    (folder / "two\nlines.png").write_bytes(b"")
    assert "two\\nlines.png: " in opened(folder, tmp_path).summary


def test_an_image_that_the_system_could_not_read_is_not_left_out_for_good(tmp_path, monkeypatch):
    folder = folder_of(tmp_path, a=picture(seed=1), b=picture(seed=2))
    reading = cache.images.reading

    def crowded(path, *rest):
        if path.name == "b.png":
            raise InputError("cannot be read", "wait", file=path) from OSError(24, "Too many open files")
        return reading(path, *rest)

    monkeypatch.setattr(cache.images, "reading", crowded)
    with pytest.raises(OSError, match=r"Too many open files: 'b\.png'"):
        opened(folder, tmp_path)
    monkeypatch.undo()
    assert len(opened(folder, tmp_path)) == 2


def test_images_are_cropped_by_one_process_while_the_others_wait(tmp_path, monkeypatch, capsys):
    folder = folder_of(tmp_path, a=picture(seed=1))
    build, built = cache._build, []

    def slow(*arguments):
        built.append(1)
        time.sleep(0.3)
        build(*arguments)

    monkeypatch.setattr(cache, "_build", slow)
    with ThreadPoolExecutor(2) as pool:
        sets = list(pool.map(lambda _: opened(folder, tmp_path), range(2)))
    assert len(built) == 1 and len(sets[0]) == len(sets[1]) == 1
    assert "waiting for another process" in capsys.readouterr().err
