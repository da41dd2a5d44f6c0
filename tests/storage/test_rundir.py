"""What a run was begun with, compared with what it is to go on with, whatever the file holds."""

import json
import time

import pytest

from stylegan_jax.errors import InputError
from stylegan_jax.storage import rundir


def begun(folder, text):
    folder.mkdir(exist_ok=True)
    (folder / rundir.MANIFEST).write_text(text)
    return folder


def test_a_run_whose_description_repeats_a_long_name_is_compared_at_once(tmp_path):
    entries = ",".join(f'"{i}":1' for i in range(1500))
    folder = begun(tmp_path / "run", f'{{"{"k" * 4_000_000}":{{{entries}}}}}')
    start = time.process_time()
    with pytest.raises(InputError, match=r"was begun with config\.batch = None, not 8"):
        rundir.open_run(folder, {"config": {"batch": 8}}, may_change=("config.kimg",))
    assert time.process_time() - start < 1


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"config": {"batch": 8, "ema": {"kimg": 1}}}, "config.batch = 8, not 16"),
        ({"config": {"batch": 16, "ema": {"kimg": 1, "a": {"b": 1}}}}, r"config.ema.a = \{'b': 1\}, not None"),
        ({"config": {"batch": 16, "ema": 3}}, "config.ema = 3, not {'kimg': 1}"),
        ({"config": {"batch": {"a": 1}, "ema": {"kimg": 1}}}, r"config.batch = \{'a': 1\}, not 16"),
        ({"config": 3}, "config = 3, not {"),
        ({}, "config.batch = None, not 16"),
        ({"config": {"batch": 16}}, "config.ema.kimg = None, not 1"),
    ],
)
def test_the_first_difference_is_named_where_tables_differ_too(tmp_path, found, said):
    folder = begun(tmp_path, json.dumps(found))
    with pytest.raises(InputError, match=f"was begun with {said}"):
        rundir.open_run(folder, {"config": {"batch": 16, "ema": {"kimg": 1}}})


def test_what_may_change_may_be_missing_on_either_side_with_its_table(tmp_path):
    folder, may_change = begun(tmp_path, '{"a": 1, "old": {"kimg": 3}}'), ("new.kimg", "old.kimg")
    assert rundir.open_run(folder, {"a": 1, "new": {"kimg": 2}}, may_change=may_change)
    assert json.loads((folder / rundir.MANIFEST).read_text()) == {"a": 1, "new": {"kimg": 2}}


def test_damaged_metrics_cost_their_own_lines_and_never_the_run(tmp_path, capsys):
    file = tmp_path / rundir.METRICS
    good, again = b'{"nimg": 8, "fid": 3.5}\n', b'{"nimg": 24}\n'
    damaged = [
        b"\xff\xfe{}",
        b'{"nimg": "x"}',
        b'{"nimg": null}',
        b'{"nimg": true}',
        b"[1]",
        b"[" * 100_000,
        b"1" * 5000,
    ]
    file.write_bytes(good + b"\n".join(damaged) + b"\n" + again + good)
    rundir.forget_metrics_after(tmp_path, 16)
    assert file.read_bytes() == good + good
    assert capsys.readouterr().err == (
        f"{file}: damaged, 7 of 10 lines are dropped; the run itself does not need them\n"
    )
    rundir.append_metrics(tmp_path, {"nimg": 16})
    rundir.forget_metrics_after(tmp_path, 16)
    assert file.read_bytes() == good + good + b'{"nimg": 16}\n' and capsys.readouterr().err == ""


@pytest.mark.parametrize("last", [b'{"nimg": 16, "fi', b'{"nimg": 16, "name": "\xc3', b""])
def test_a_last_line_that_a_kill_cut_short_goes_without_a_word(tmp_path, capsys, last):
    (tmp_path / rundir.METRICS).write_bytes(b'{"nimg": 8}\n' + last)
    rundir.forget_metrics_after(tmp_path, 16)
    assert (tmp_path / rundir.METRICS).read_bytes() == b'{"nimg": 8}\n' and capsys.readouterr().err == ""
