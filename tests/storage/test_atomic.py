import errno
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from stylegan_jax.errors import InputError
from stylegan_jax.storage import atomic, checkpoint, exchange
from tests.tiny_models import tiny_model


@pytest.fixture
def dead():
    """The id of a process that is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_file_takes_its_place_only_when_it_is_whole(tmp_path):
    with atomic.new_file(tmp_path / "a") as file:
        file.write(b"half")
        assert not (tmp_path / "a").exists()
        file.write(b" and half")
    assert (tmp_path / "a").read_bytes() == b"half and half" and os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, OSError])
def test_a_failure_leaves_neither_file_nor_folder_and_keeps_what_was_there(tmp_path, error):
    (tmp_path / "a").write_text("before")
    with pytest.raises(error), atomic.new_file(tmp_path / "a", overwrite=True) as file:
        file.write(b"half")
        raise error
    with pytest.raises(error), atomic.new_folder(tmp_path / "b", marker="m", beside=()) as folder:
        (folder / "m").touch()
        raise error
    assert (tmp_path / "a").read_text() == "before" and os.listdir(tmp_path) == ["a"]


def test_threads_that_still_write_for_a_failed_block_leave_nothing(tmp_path):
    def write(folder):
        time.sleep(0.1)
        (folder / "weights").mkdir(parents=True)

    with pytest.raises(OSError), atomic.new_folder(tmp_path / "b", marker="m", beside=()) as folder:
        (writer := threading.Thread(target=write, args=[folder])).start()
        raise OSError(28, "No space left on device")
    writer.join()
    assert not os.listdir(tmp_path)


def test_an_error_of_the_disk_names_the_output_and_not_its_unfinished_form(tmp_path):
    with pytest.raises(OSError) as caught, atomic.new_file(tmp_path / "a"):
        raise OSError(28, "No space left on device")
    assert caught.value.filename == str(tmp_path / "a")
    with pytest.raises(OSError) as caught, atomic.new_file(tmp_path / "a"):
        (tmp_path / "of the user").read_bytes()
    assert caught.value.filename == str(tmp_path / "of the user")


def test_places_that_cannot_be_are_input_errors(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"its folder does not exist — make .*none first"):
        atomic.output_path(tmp_path / "none" / "a")
    with pytest.raises(InputError, match="its folder does not exist"):
        atomic.output_path(tmp_path / "file" / "a")
    with pytest.raises(InputError, match="is a folder"), atomic.new_file(tmp_path, overwrite=True):
        pass


def test_a_name_without_room_for_its_unfinished_form_is_refused_before_the_work(tmp_path):
    long = 0
    for length in range(150, 256):
        try:
            atomic.output_path(tmp_path / f"{'a' * (length - 2)}é")
        except OSError as error:
            assert error.errno == errno.ENAMETOOLONG
            break
        long = length
    assert 150 <= long < 240
    for name in (f"{'a' * (long - 2)}é", "é" * (long // 2)):
        with atomic.new_file(tmp_path / name) as file:
            file.write(b"whole")
        with atomic.new_folder(tmp_path / f"x{name[1:]}"[: len(name) - 1], marker="m", beside=()) as folder:
            (folder / "m").touch()
    assert len(os.listdir(tmp_path)) == 4


def closed(monkeypatch, folders, flag):
    """As where a disk is mounted to be read alone (which root notices by its flag), or a folder is another's."""
    access, statvfs = os.access, os.statvfs
    if flag:
        only = os.statvfs_result([*statvfs("/")[:8], os.ST_RDONLY, 255])
        monkeypatch.setattr(os, "statvfs", lambda path: only if path in folders else statvfs(path))
    else:
        monkeypatch.setattr(os, "access", lambda path, mode: path not in folders and access(path, mode))


@pytest.mark.skipif(not hasattr(os, "statvfs"), reason="no POSIX")
@pytest.mark.parametrize(("flag", "code"), [(True, errno.EROFS), (False, errno.EACCES)])
def test_a_folder_that_nothing_can_be_made_in_is_refused_before_the_work(tmp_path, monkeypatch, flag, code):
    (tmp_path / "volume").mkdir()
    closed(monkeypatch, [tmp_path], flag)
    with pytest.raises(OSError) as caught:
        atomic.output_path(tmp_path / "a")
    assert caught.value.errno == code and caught.value.filename == str(tmp_path / "a")
    assert atomic.output_path(tmp_path / "volume", overwrite=True) == tmp_path / "volume"  # what is made in it has room
    closed(monkeypatch, [tmp_path, tmp_path / "volume"], flag)
    with pytest.raises(OSError):
        atomic.output_path(tmp_path / "volume", overwrite=True)


def test_a_replacement_that_was_killed_between_its_renames_is_undone(tmp_path, dead):
    old = tmp_path / f".model.{atomic._host()}.{dead}.0.replaced"
    old.mkdir()
    (old / "m").write_text("last acknowledged")
    (tmp_path / f".model.{atomic._host()}.{dead}.1.partial").mkdir()
    with pytest.raises(ValueError), atomic.new_folder(tmp_path / "model", marker="m", beside=(), overwrite=True):
        raise ValueError
    assert os.listdir(tmp_path) == ["model"] and (tmp_path / "model" / "m").read_text() == "last acknowledged"


def unfinished_beside(path, host, pid):
    """What a process that writes `path` has there."""
    partial = path.with_name(f".{path.name}.{host}.{pid}.0.partial")
    partial.touch()
    return partial


def test_the_unfinished_output_of_a_living_process_is_left_alone(tmp_path):
    other = unfinished_beside(tmp_path / "a", atomic._host(), os.getppid())
    with atomic.new_file(tmp_path / "a"):
        pass
    assert other.exists()


def test_nothing_of_another_host_is_cleared_as_its_processes_are_unknown_here(tmp_path, dead):
    other = unfinished_beside(tmp_path / "a", "elsewhere", dead)
    own = unfinished_beside(tmp_path / "a", atomic._host(), dead)
    with atomic.new_file(tmp_path / "a"):
        assert not own.exists()
    assert other.exists()


def test_two_threads_that_write_one_output_do_not_clear_each_others_work(tmp_path):
    with atomic.new_file(tmp_path / "a") as first, atomic.new_file(tmp_path / "a") as second:
        first.write(b"first")
        second.write(b"second")
    assert (tmp_path / "a").read_bytes() == b"first" and os.listdir(tmp_path) == ["a"]


def test_a_replaced_output_is_not_put_in_the_place_of_one_whose_name_is_shorter(tmp_path, dead):
    unfinished_beside(tmp_path / "a.b", atomic._host(), dead).rename(
        tmp_path / f".a.b.{atomic._host()}.{dead}.0.replaced"
    )
    with pytest.raises(ValueError), atomic.new_file(tmp_path / "a"):
        raise ValueError
    assert os.listdir(tmp_path) == [f".a.b.{atomic._host()}.{dead}.0.replaced"]


def test_a_folder_with_something_else_in_it_is_not_replaced(tmp_path):
    for name in ("m", "weights", "my notes.txt"):
        (tmp_path / "model").mkdir(exist_ok=True)
        (tmp_path / "model" / name).touch()
    new = {"marker": "m", "beside": ["weights"], "overwrite": True}
    with (
        pytest.raises(InputError, match=r"'my notes\.txt', which is no part"),
        atomic.new_folder(tmp_path / "model", **new),
    ):
        pass
    (tmp_path / "model" / "my notes.txt").unlink()
    with atomic.new_folder(tmp_path / "model", **new) as folder:
        (folder / "m").write_text("new")
    assert (tmp_path / "model" / "m").read_text() == "new" and os.listdir(tmp_path) == ["model"]


HOLD = """
import sys, time, pathlib
from stylegan_jax.storage import atomic
with atomic.turn(pathlib.Path(sys.argv[1]), wait=False) as free:
    print(free, flush=True)
    time.sleep(60)
"""


def test_a_turn_is_one_process_s_and_over_when_it_is_killed(tmp_path):
    lock = tmp_path / "lock"
    holder = subprocess.Popen([sys.executable, "-c", HOLD, lock], stdout=subprocess.PIPE, text=True)
    assert holder.stdout and holder.stdout.readline() == "True\n"
    with atomic.turn(lock, wait=False) as free:
        assert not free
    assert lock.exists(), "who is not in leaves the lock alone"
    holder.kill()
    holder.communicate()
    with atomic.turn(lock, wait=False) as free:
        assert free
    assert not list(tmp_path.iterdir())


def test_turns_follow_each_other_though_each_takes_its_lock_away(tmp_path):
    inside, most = [], []

    def work(number):
        for _ in range(20):
            with atomic.turn(tmp_path / "lock", wait=True) as free:
                assert free
                inside.append(number)
                most.append(len(inside))
                time.sleep(0.001)
                inside.remove(number)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert max(most) == 1


def replaced_again_and_again(path, times=200):
    """Every state that a reader may see while a folder is overwritten: what its file says, or None for nothing."""
    seen, over = set(), threading.Event()

    def read():
        while not over.is_set():
            try:
                seen.add((atomic.standing(path) / "marker").read_text()[:3])
            except FileNotFoundError:
                seen.add(None)

    reader = threading.Thread(target=read)
    reader.start()
    for i in range(times):
        with atomic.new_folder(path, marker="marker", beside=[], overwrite=True) as folder:
            (folder / "marker").write_text(f"new{i}")
    over.set()
    reader.join()
    return seen


def test_a_reader_sees_the_old_folder_or_the_new_one_and_never_none(tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "marker").write_text("old")
    seen = replaced_again_and_again(tmp_path / "x")
    assert seen <= {"old", "new"} and os.listdir(tmp_path) == ["x"]


def test_where_names_cannot_be_exchanged_a_reader_finds_what_is_set_aside(tmp_path, monkeypatch):
    monkeypatch.setattr(exchange, "exchanged", lambda one, other: False)
    path = tmp_path / "x"
    replaced_again_and_again(path, 3)
    assert (path / "marker").read_text() == "new2"
    aside = tmp_path / f".x.{atomic._host()}.1.0.replaced"
    path.rename(aside)
    assert atomic.standing(path, patience=0) == aside
    assert atomic.standing(tmp_path / "y", patience=0) == tmp_path / "y"


def test_names_are_exchanged_in_one_step_on_this_system(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    if not exchange.exchanged(tmp_path / "a", tmp_path / "b"):
        pytest.skip("this file system exchanges no names")
    assert os.listdir(tmp_path / "a") == ["b"] and os.listdir(tmp_path / "b") == ["a"]


def test_a_model_is_read_while_it_is_overwritten(tmp_path):
    path = tmp_path / "m.safetensors"
    one, two = (tiny_model(img_resolution=4, seed=seed) for seed in (1, 2))
    checkpoint.save(one, path)
    over = threading.Event()

    def write():
        while not over.is_set():
            for model in (two, one):
                checkpoint.save(model, path, overwrite=True)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        known = {checkpoint.fingerprint(model) for model in (one, two)}
        assert {checkpoint.fingerprint(checkpoint.load(path)) for _ in range(30)} <= known
    finally:
        over.set()
        writer.join()
