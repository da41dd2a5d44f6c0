import contextlib
import io
import json
import subprocess
import tarfile
import zipfile
from typing import Any

import numpy as np
import pytest

from stylegan_jax.errors import InputError
from stylegan_jax.pictures import containers, encoding
from stylegan_jax.pictures.archives import Archive
from stylegan_jax.pictures.imagefolder import ImageFolder
from stylegan_jax.pictures.naming import Pictures
from stylegan_jax.storage import remote
from stylegan_jax.storage.parts import Part

ALL = Part()
PIXELS = np.random.RandomState(0).randint(0, 256, (12, 8, 8, 3), np.uint8)


def pictures(count=12, **fields):
    return Pictures(count, lambda index: f"seed{index:04d}", 1 << 26, "digest", **fields)


def fill(place, *, part=ALL, stop=None, manifest=None, overwrite=False, kind: Any = Archive, **fields):
    """Saves the missing images, or those before number `stop`, where a kill is imitated; returns how many were made."""
    target = kind(place, pictures(**fields), manifest or {"psi": 1.0}, part=part, overwrite=overwrite)
    made = []
    with target.opened() as sink:
        for index in sink.save((i, PIXELS[i]) for i in sink.missing(part.share(12))):
            made.append(index)
            if index == stop:
                raise KeyboardInterrupt
    return made


def test_a_zip_is_the_official_data_set(tmp_path):
    fill(tmp_path / "x.zip", label=lambda index: index % 3)
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        assert archive.testzip() is None
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
        assert archive.namelist()[:2] == ["00000/img00000000.png", "00000/img00000001.png"]
        labels = json.loads(archive.read("dataset.json"))["labels"]
        found = encoding.decode(archive.read("00000/img00000011.png"), "png", 3)
    assert labels == [[f"00000/img{i:08d}.png", i % 3] for i in range(12)]
    np.testing.assert_array_equal(found, PIXELS[11])


def test_unlabelled_images_have_null_labels(tmp_path):
    fill(tmp_path / "x.zip")
    assert json.loads(zipfile.ZipFile(tmp_path / "x.zip").read("dataset.json")) == {"labels": None}


def test_a_tar_is_a_webdataset(tmp_path):
    fill(tmp_path / "x.tar", label=lambda index: 7, form="npy")
    with tarfile.open(tmp_path / "x.tar") as archive:
        assert archive.getnames()[:2] == ["000000000.npy", "000000000.json"]
        members = {member.name: (archive.extractfile(member) or io.BytesIO()).read() for member in archive}
    assert json.loads(members["000000011.json"]) == {"name": "seed0011", "label": 7}
    np.testing.assert_array_equal(np.load(io.BytesIO(members["000000011.npy"])), PIXELS[11])


@pytest.mark.parametrize("suffix", ["zip", "tar"])
def test_the_index_says_where_every_image_lies(tmp_path, suffix):
    fill(tmp_path / f"x.{suffix}", part=Part(1, 3))
    data, index = tmp_path / f"x-1-of-3.{suffix}", json.loads((tmp_path / f"x-1-of-3.{suffix}.json").read_text())
    assert index["made_by"]["psi"] == 1.0
    assert len(index["files"]) == 4
    for number, (start, size) in enumerate(index["files"].values(), 4):
        found = encoding.decode(data.read_bytes()[start : start + size], "png", 3)
        np.testing.assert_array_equal(found, PIXELS[number])


@pytest.mark.parametrize("suffix", ["zip", "tar"])
@pytest.mark.parametrize("moment", [0, 1, 2])
def test_a_kill_between_images_and_index_takes_none_for_others(tmp_path, monkeypatch, suffix, moment):
    place, other, publish, calls = tmp_path / f"x.{suffix}", {"psi": 0.5}, remote.publish, []

    def killed(file, path):
        calls.append(path)
        if len(calls) > moment:
            raise KeyboardInterrupt
        publish(file, path)

    fill(place)
    former = place.read_bytes()
    fill(tmp_path / f"wanted.{suffix}", manifest=other)
    with monkeypatch.context() as patched, contextlib.suppress(KeyboardInterrupt):
        patched.setattr(remote, "publish", killed)
        fill(place, manifest=other, overwrite=True)
    wanted = (tmp_path / f"wanted.{suffix}").read_bytes()
    assert place.read_bytes() == (former if moment == 0 else wanted)
    fill(place, manifest=other, overwrite=True)
    index = json.loads(place.with_name(f"{place.name}.json").read_text())
    assert index["made_by"]["psi"] == 0.5 and place.read_bytes() == wanted


def test_what_a_kill_left_beside_a_whole_archive_is_cleared(tmp_path):
    fill(tmp_path / "x.zip")
    left = tmp_path / ".x.zip.unfinished"
    left.mkdir()
    (left / "manifest.json").write_text("{}")
    assert fill(tmp_path / "x.zip") == []
    assert sorted(path.name for path in tmp_path.iterdir() if not path.name.endswith(".lock")) == [
        "x.zip",
        "x.zip.json",
    ]


@pytest.mark.parametrize("suffix", ["zip", "tar"])
def test_an_archive_that_was_interrupted_is_continued_to_the_same_bytes(tmp_path, suffix):
    fill(tmp_path / f"whole.{suffix}")
    with pytest.raises(KeyboardInterrupt):
        fill(tmp_path / f"x.{suffix}", stop=1)
    assert not (tmp_path / f"x.{suffix}").exists()
    assert fill(tmp_path / f"x.{suffix}")[0] > 1
    assert (tmp_path / f"x.{suffix}").read_bytes() == (tmp_path / f"whole.{suffix}").read_bytes()
    assert fill(tmp_path / f"x.{suffix}") == []
    assert sorted(path.name for path in tmp_path.glob("*x*")) == [f"x.{suffix}", f"x.{suffix}.json"]


@pytest.mark.parametrize(("file", "cut"), [("journal", 3), ("journal", 100), ("images", 1), ("images", 700)])
def test_what_a_kill_cut_short_is_made_again(tmp_path, file, cut):
    fill(tmp_path / "whole.tar")
    with pytest.raises(KeyboardInterrupt):
        fill(tmp_path / "x.tar", stop=4)
    torn = tmp_path / ".x.tar.unfinished" / file
    torn.write_bytes(torn.read_bytes()[:-cut])
    assert 0 < len(fill(tmp_path / "x.tar")) < 12
    assert (tmp_path / "x.tar").read_bytes() == (tmp_path / "whole.tar").read_bytes()


@pytest.mark.parametrize("stop", [None, 4])
def test_another_setting_touches_neither_a_finished_nor_an_unfinished_archive(tmp_path, stop):
    if stop is None:
        fill(tmp_path / "x.zip")
    else:
        with pytest.raises(KeyboardInterrupt):
            fill(tmp_path / "x.zip", stop=stop)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    with pytest.raises(InputError, match=r"made with psi 1.0, not 0.5"):
        fill(tmp_path / "x.zip", manifest={"psi": 0.5})
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    assert len(fill(tmp_path / "x.zip", manifest={"psi": 0.5}, overwrite=True)) == 12


def test_a_users_own_archive_is_left_alone(tmp_path):
    (tmp_path / "x.zip").write_bytes(b"mine")
    with pytest.raises(InputError, match="exists"):
        fill(tmp_path / "x.zip")
    assert (tmp_path / "x.zip").read_bytes() == b"mine"


def test_two_divisions_of_the_work_are_not_mixed(tmp_path):
    fill(tmp_path / "x.zip", part=Part(0, 4))
    for part in (ALL, Part(0, 8)):
        with pytest.raises(InputError, match=rf"x-0-of-4.zip is there: the work was divided into 4, not {part.count}"):
            fill(tmp_path / "x.zip", part=part)
    assert len(fill(tmp_path / "x.zip", part=Part(3, 4))) == 3


@pytest.mark.parametrize("kind", [Archive, ImageFolder])
def test_a_part_belongs_to_one_process_at_a_time(tmp_path, kind):
    place = tmp_path / "x.zip"
    with kind(place, pictures(), {}, part=Part(0, 2)).opened():
        with pytest.raises(InputError, match="another process makes this part"):
            fill(place, part=Part(0, 2), manifest={"psi": 1.0} if kind is Archive else {}, kind=kind)
        if kind is ImageFolder:
            fill(place, part=Part(1, 2), manifest={"none": None}, kind=kind)


def test_large_archives_have_64_bit_numbers(tmp_path):
    """A sparse file of 5 GiB, and 70,000 entries, as zipfile reads them."""
    kind, members, at = containers.Zip(), [], 0
    with open(tmp_path / "x.zip", "wb") as file:
        for i in range(70_000):
            at += (5 << 30) if i == 69_990 else 0
            member, packed = kind.pack(kind.name(i, "png"), b"x%d" % i, "", 1, at)
            file.seek(at)
            file.write(packed)
            members.append(member)
            at = member.end
        for piece in kind.ending(members, at):
            file.write(piece)
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        assert len(archive.namelist()) == 70_001
        assert archive.read("00069/img00069995.png") == b"x69995"
        assert len(json.loads(archive.read("dataset.json"))["labels"]) == 70_000


def test_the_system_tar_lists_it(tmp_path):
    fill(tmp_path / "x.tar")
    done = subprocess.run(["tar", "tf", tmp_path / "x.tar"], capture_output=True, text=True, check=True)
    assert len(done.stdout.splitlines()) == 24 and not done.stderr
