"""Four points from files and from the command line, and one line for whatever is none."""

import json

import numpy as np
import pytest

from stylegan_jax.errors import InputError
from stylegan_jax.projection import landmarks

POINTS = [[10, 20.5], [30, 20], [12, 40], [28, 41]]
ROW = "10,20.5,30,20,12,40,28,41"


def written(tmp_path, name, text):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def points(faces):
    return [face.points.tolist() for face in faces]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", json.dumps({"me.jpg": POINTS, "b/us.jpg": [POINTS, POINTS]})),
        ("a.csv", f"me.jpg,{ROW}\nb/us.jpg,{ROW}\n\nb/us.jpg,{ROW}\n"),
        ("a.csv", f"\ufeffpicture,ax,ay,bx,by,cx,cy,dx,dy\r\nme.jpg, {ROW}\r\nb/us.jpg,{ROW}\r\nb/us.jpg,{ROW}"),
    ],
)
def test_a_file_names_the_faces_of_each_picture(tmp_path, name, text):
    path = written(tmp_path, name, text)
    found = landmarks.in_file(path)
    assert points(found["me.jpg"]) == [POINTS] and points(found["b/us.jpg"]) == [POINTS] * 2
    assert landmarks.of_picture(found, "c/me.jpg", path) == found["me.jpg"]
    with pytest.raises(InputError, match=r"^us.jpg: .*a\.\w+ has no points for it — add them"):
        landmarks.of_picture(found, "us.jpg", path)


def test_a_name_in_quotation_marks_may_hold_commas_and_ends_of_lines(tmp_path):
    found = landmarks.in_file(written(tmp_path, "a.csv", f'"me,\nto.jpg",{ROW}\nus.jpg,{ROW}\n'))
    assert list(found) == ["me,\nto.jpg", "us.jpg"]


def test_a_row_that_is_wrong_is_told_before_the_rest_is_read(tmp_path):
    rows = written(tmp_path, "a.csv", f"me.jpg,{ROW}\nus.jpg,1,2\n" + "x" * 20_000)
    with pytest.raises(InputError, match="row 2 has 2 numbers"):
        landmarks.in_file(rows)


def test_the_68_points_of_dlib_become_four(tmp_path):
    every = np.random.default_rng(0).uniform(0, 99, (68, 2))
    found = landmarks.in_file(written(tmp_path, "a.json", json.dumps({"me.jpg": every.tolist()})))
    eyes = [every[36:42].mean(0), every[42:48].mean(0)]
    np.testing.assert_allclose(found["me.jpg"][0].points, [*eyes, every[48], every[54]])


@pytest.mark.parametrize("text", ["10,20.5 30,20 12,40 28,41", " 10,20.5;30,20;12,40;28,41 "])
def test_four_points_may_be_typed(text):
    assert landmarks.in_text(text).points.tolist() == POINTS


@pytest.mark.parametrize(
    "text", ["1,2 3,4 5,6", "1,2 3,4 5,6 7", "1,2 3,4 5,6 7,x", "nan,1 2,3 4,5 6,7", "1,2 3,4 5,6 inf,8", ","]
)
def test_what_is_typed_otherwise_is_refused(text):
    with pytest.raises(InputError, match=r"^--landmarks .*(not four — write x,y|is no point — write two finite)"):
        landmarks.in_text(text)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.txt", "x", "is neither .json nor .csv"),
        ("a.json", "", "is no JSON"),
        ("a.json", "[" * 100_000, "is no JSON"),
        ("a.json", "[1]", "is no table of pictures"),
        ("a.json", "{}", "names no picture"),
        ("a.json", '{"a.jpg": []}', "'a.jpg': 0 points, not four"),
        ("a.json", '{"a.jpg": 3}', "'a.jpg': no list of points, not four"),
        ("a.json", '{"a.jpg": [[1, 2], [3, 4], [5, 6]]}', "'a.jpg': 3 points, not four"),
        ("a.json", '{"a.jpg": [[1, 2], [3, 4], [5, 6], [7, NaN]]}', r"\[7, nan\] is no point"),
        ("a.json", '{"a.jpg": [[1, 2], [3, 4], [5, 6], [7, true]]}', r"\[7, True\] is no point"),
        ("a.json", '{"a.jpg": [[1, 2], [3, 4], [5, 6], [7, 1e400]]}', r"\[7, inf\] is no point"),
        ("a.json", '{"a.jpg": [[1, 2], [3, 4], [5, 6], "x"]}', "x is no point"),
        ("a.json", '{"a.jpg": [[1, 2], [3, 4], [5, 6], [7, ' + "9" * 5000 + "]]}", "is no JSON|is no point"),
        ("a.json", b"\xff\xfe\x00", "is no text"),
        ("a.csv", "", "names no picture"),
        ("a.json", json.dumps({"a.jpg": [[[0]]] * 250_001}), "has more than 250000 faces"),
        ("a.csv", f"me.jpg,{ROW}\n" * 250_001, "has more than 250000 faces"),
        ("a.csv", "\n" * 250_001, "has more than 250000 faces"),
        ("a.csv", "1," * 5001, "has a row of more than 10000 characters"),
        ("a.csv", '1,"\n",' * 2000, "has a row of more than 10000 characters"),
        ("a.csv", f"me.jpg,{ROW},3", "row 1 has 9 numbers, not eight"),
        ("a.csv", f"me.jpg,{ROW}\nus.jpg", "row 2 has 0 numbers, not eight"),
        ("a.csv", f"me.jpg,{ROW}\nus.jpg,1,2,3,4,5,6,7,x", "'us.jpg': .*'x'.* is no point"),
        ("a.csv", f"me.jpg,{ROW}\nus.jpg,1,2,3,4,5,6,7,nan", "'us.jpg': .*nan.* is no point"),
    ],
)
def test_a_file_that_is_none_is_refused_in_one_line(tmp_path, name, text, said):
    path = written(tmp_path, name, text)
    with pytest.raises(InputError, match=said) as refused:
        landmarks.in_file(path)
    assert str(refused.value).startswith(f"{path}: ") and "\n" not in str(refused.value) and refused.value.remedy


def test_a_file_that_is_absent_or_a_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such file — check the path"):
        landmarks.in_file(tmp_path / "a.json")
    (tmp_path / "b.json").mkdir()
    with pytest.raises(InputError, match="cannot be read"):
        landmarks.in_file(tmp_path / "b.json")
