import sys

import pytest

from stylegan_jax.errors import InputError
from stylegan_jax.storage import remote

fsspec = pytest.importorskip("fsspec")


@pytest.fixture
def bucket():
    system = fsspec.filesystem("memory")
    yield system
    system.rm("/bucket", recursive=True) if system.exists("/bucket") else None


def folders(tmp_path):
    (tmp_path / "local").mkdir()
    (tmp_path / "unfinished").mkdir()
    yield remote.LocalFolder(tmp_path / "local", tmp_path / "unfinished")
    yield remote.RemoteFolder("memory://bucket/faces")


def test_local_and_remote_folders_behave_alike(tmp_path, bucket):
    for folder in folders(tmp_path):
        assert list(folder.names()) == []
        folder.write("a.png", b"1")
        folder.write("a.png", b"2")
        assert (folder.read("a.png"), list(folder.names())) == (b"2", ["a.png"])
        assert folder.exists("a.png") and not folder.exists("b.png")
        folder.remove("a.png")
        assert not folder.exists("a.png")


def test_remote_models_are_copied_for_a_moment(bucket):
    bucket.pipe_file("/bucket/run/weights/0", b"w")
    bucket.pipe_file("/bucket/run/model.json", b"{}")
    with remote.fetched("memory://bucket/run") as folder:
        assert sorted(path.name for path in remote.Path(folder).rglob("*")) == ["0", "model.json", "weights"]
    assert not remote.Path(folder).exists()
    with remote.fetched("memory://bucket/run/model.json") as file:
        assert remote.Path(file).read_bytes() == b"{}" and remote.Path(file).name == "model.json"


def test_local_paths_stay_as_they_are(tmp_path):
    with remote.fetched("portraits") as path:
        assert path == "portraits"


def test_files_appear_when_they_are_whole(tmp_path, bucket):
    for place in (str(tmp_path / "x"), "memory://bucket/x"):
        with pytest.raises(ZeroDivisionError), remote.new_file(place) as file:
            file.write(b"half")
            raise ZeroDivisionError
        assert not remote.exists(place)
        with remote.new_file(place) as file:
            file.write(b"whole")
        assert remote.read(place) == b"whole" and "x" in remote.siblings(place)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("memory://bucket/none", "no such file or folder — check the URL"),
        ("nonsense://x", "nonsense:// is unknown"),
    ],
)
def test_remote_places_that_are_not_there_are_told_in_one_line(url, message):
    with pytest.raises(InputError) as refused, remote.fetched(url):
        pass
    assert str(refused.value).startswith(url) and message in str(refused.value)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(InputError, match="gs:// needs a package that is not installed — python -m pip install gcsfs"):
        remote.RemoteFolder("gs://bucket/faces")


def test_what_an_installed_package_lacks_is_named(tmp_path, monkeypatch):
    (tmp_path / "s3fs.py").write_text("import nosuchneed.inner")
    monkeypatch.delitem(sys.modules, "s3fs", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match=r"s3:// needs a package that is not installed — .* install nosuchneed$"):
        remote.RemoteFolder("s3://bucket/faces")


def test_web_addresses_are_no_places_for_outputs():
    with pytest.raises(InputError, match=r"^https://h/faces: is no place for outputs — use a folder, gs:// or s3://"):
        remote.RemoteFolder("https://h/faces")
    with pytest.raises(InputError, match="is no place for outputs"), remote.new_file("http://h/x.png"):
        pass


def test_an_unfinished_folder_goes_with_an_error_unless_it_is_kept(tmp_path):
    for keep in (False, True):
        with pytest.raises(ZeroDivisionError), remote.unfinished(tmp_path / "x", keep=keep) as folder:
            (folder / "half").touch()
            raise ZeroDivisionError
        assert folder.exists() == keep
    with remote.unfinished(tmp_path / "x", keep=True) as folder:
        assert (folder / "half").exists()
    assert not folder.exists()
