import os
import subprocess
import sys

import pytest

from stylegan_jax import outputs
from stylegan_jax.errors import InputError


@pytest.fixture
def dead():
    """The id of a process that is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_file_takes_its_place_only_when_it_is_whole(tmp_path):
    with outputs.new_file(tmp_path / "a") as file:
        file.write(b"half")
        assert not (tmp_path / "a").exists()
        file.write(b" and half")
    assert (tmp_path / "a").read_bytes() == b"half and half" and os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, OSError])
def test_a_failure_leaves_neither_file_nor_folder_and_keeps_what_was_there(tmp_path, error):
    (tmp_path / "a").write_text("before")
    with pytest.raises(error), outputs.new_file(tmp_path / "a", overwrite=True) as file:
        file.write(b"half")
        raise error
    with pytest.raises(error), outputs.new_folder(tmp_path / "b", marker="m") as folder:
        (folder / "m").touch()
        raise error
    assert (tmp_path / "a").read_text() == "before" and os.listdir(tmp_path) == ["a"]


def test_an_error_of_the_disk_names_the_output_and_not_its_unfinished_form(tmp_path):
    with pytest.raises(OSError) as caught, outputs.new_file(tmp_path / "a"):
        raise OSError(28, "No space left on device")
    assert caught.value.filename == str(tmp_path / "a")
    with pytest.raises(OSError) as caught, outputs.new_file(tmp_path / "a"):
        (tmp_path / "of the user").read_bytes()
    assert caught.value.filename == str(tmp_path / "of the user")


def test_places_that_cannot_be_are_input_errors(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"its folder does not exist — make .*none first"):
        outputs.check_place(tmp_path / "none" / "a")
    with pytest.raises(InputError, match="its folder does not exist"):
        outputs.check_place(tmp_path / "file" / "a")
    with pytest.raises(InputError, match="is a folder"), outputs.new_file(tmp_path, overwrite=True):
        pass


def test_a_replacement_that_was_killed_between_its_renames_is_undone(tmp_path, dead):
    old = tmp_path / f".model.{dead}.replaced"
    old.mkdir()
    (old / "m").write_text("last acknowledged")
    (tmp_path / f".model.{dead}.partial").mkdir()
    with pytest.raises(ValueError), outputs.new_folder(tmp_path / "model", marker="m", overwrite=True):
        raise ValueError
    assert os.listdir(tmp_path) == ["model"] and (tmp_path / "model" / "m").read_text() == "last acknowledged"


def test_the_unfinished_output_of_a_living_process_is_left_alone(tmp_path):
    other = tmp_path / f".a.{os.getppid()}.partial"
    other.touch()
    with outputs.new_file(tmp_path / "a"):
        pass
    assert other.exists()
