import itertools
import os

import pytest

from stylegan_jax.errors import InputError
from stylegan_jax.storage import parts
from stylegan_jax.storage.parts import Array, Part, array_from_json, array_to_json, discover, parse


@pytest.mark.parametrize(("n", "count"), [(10, 1), (10, 3), (3, 8), (0, 2), (1_000_000, 7)])
def test_parts_divide_the_images_in_order_and_evenly(n, count):
    shares = [Part(i, count).share(n) for i in range(count)]
    assert shares[0].start == 0 and shares[-1].stop == n
    assert all(a.stop == b.start for a, b in itertools.pairwise(shares))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_parts_count_from_zero():
    assert parse("0/8") == Part(0, 8)
    assert parse("7/8").suffix == "-7-of-8"
    assert parse("0/1").suffix == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("8/8", "there is no part 8 — parts count from 0: use 0/8 to 7/8"),
        ("0/0", "no number of parts"),
        ("3", "write I/N"),
        ("-1/8", "write I/N"),
        ("", "--part ''"),
    ],
)
def test_what_is_no_part_is_refused(text, message):
    with pytest.raises(InputError) as refused:
        parse(text)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"TPU_WORKER_ID": "2", "TPU_WORKER_HOSTNAMES": "a,b,c,d"}, Part(2, 4)),
        (
            {
                "TPU_WORKER_ID": "1",
                "TPU_WORKER_HOSTNAMES": "a,b",
                "MEGASCALE_NUM_SLICES": "3",
                "MEGASCALE_SLICE_ID": "2",
            },
            Part(5, 6),
        ),
        ({"SLURM_PROCID": "3", "SLURM_NTASKS": "8"}, Part(3, 8)),
        (
            {
                "SLURM_ARRAY_TASK_ID": "5",
                "SLURM_ARRAY_TASK_MIN": "1",
                "SLURM_ARRAY_TASK_STEP": "2",
                "SLURM_ARRAY_TASK_COUNT": "4",
            },
            Part(2, 4),
        ),
        (
            {
                "SLURM_PROCID": "1",
                "SLURM_NTASKS": "2",
                "SLURM_ARRAY_TASK_ID": "3",
                "SLURM_ARRAY_TASK_COUNT": "4",
            },
            Part(7, 8),
        ),
    ],
)
def test_pods_and_clusters_say_which_part_a_process_is(environ, expected):
    assert discover(environ) == expected


def array(task, first=0, last=7, step=1, count=8, **more):
    """What SLURM tells a task of a job array."""
    numbers = {"ID": task, "MIN": first, "MAX": last, "STEP": step, "COUNT": count}
    return {f"SLURM_ARRAY_TASK_{key}": str(value) for key, value in numbers.items()} | more


def test_a_task_that_is_submitted_again_does_the_part_its_number_had_in_the_first_submission():
    first = discover(array(3))
    assert first == Part(3, 8) and first.array == Array(0, 1, 8)
    for again in (array(3, 3, 3, 1, 1), array(3, 3, 5, 2, 2), array(3, 1, 3, 1, 2)):
        assert discover(again, submitted=first.array) == Part(3, 8)
    stepped = discover(array(5, 1, 7, 2, 4))
    assert stepped == Part(2, 4) and discover(array(5, 5, 5, 1, 1), submitted=stepped.array) == Part(2, 4)


def test_a_task_that_was_not_in_the_first_submission_is_refused():
    with pytest.raises(InputError, match=r"task 9 is none of this set's job array, 0-7 — submit with --array=0-7"):
        discover(array(9, 9, 9, 1, 1), submitted=Array(0, 1, 8))


def test_an_array_with_gaps_cannot_begin_a_set():
    with pytest.raises(InputError, match=r"no range, .* — submit with --array=0-1, or pass --part"):
        discover(array(4, 1, 4, 1, 2))


def test_what_a_manifest_says_of_an_array_comes_back():
    assert array_from_json(array_to_json(Array(1, 2, 4))) == Array(1, 2, 4)
    for wrong in (None, [], {"first": 1, "steps": 2}, {"first": "a"}, {"step": 0}):
        assert array_from_json(wrong) is None


def test_a_batch_script_does_not_take_itself_for_the_first_of_its_tasks():
    batch = {"SLURM_PROCID": "0", "SLURM_NTASKS": "4"}
    for script in (batch, {**batch, "SLURM_STEP_ID": "4294967291"}):
        with pytest.raises(InputError, match="each of the job's 4 tasks — start it with srun, or pass --part I/N"):
            discover(script)
    assert discover({**batch, "SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "4"}) == Part(0, 4)
    assert discover({**batch, "SLURM_STEP_ID": "0"}) == Part(0, 4)
    assert discover({"SLURM_PROCID": "0", "SLURM_NTASKS": "1"}) == Part(0, 1)


def test_index_and_count_that_stand_in_the_environment_need_no_meeting():
    known = {"JAX_COORDINATOR_ADDRESS": "nowhere:1", "JAX_NUM_PROCESSES": "2", "JAX_PROCESS_ID": "1"}
    assert discover(known) == Part(1, 2)


def test_a_process_without_a_cluster_is_told_so():
    with pytest.raises(InputError, match="pass --part I/N"):
        discover({})


def test_a_meeting_to_which_nobody_else_comes_ends_in_one_line(monkeypatch, capfd):
    monkeypatch.setattr(parts, "_PATIENCE", 2)
    monkeypatch.setattr(parts, "_QUIET", 0.1)
    for name, value in {
        "OMPI_MCA_orte_hnp_uri": "1531576320.0;tcp://127.0.0.1:34911",
        "OMPI_COMM_WORLD_SIZE": "2",
        "OMPI_COMM_WORLD_RANK": "0",
        "OMPI_COMM_WORLD_LOCAL_RANK": "0",
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match="nobody else came"):
        parts.discover(os.environ)
    assert capfd.readouterr().err == "meeting the other processes (at most 2 s) …\n"
