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
