import itertools

import pytest

from stylegan_jax.errors import InputError
from stylegan_jax.parts import Part, discover, parse


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


def test_a_process_without_a_cluster_is_told_so():
    with pytest.raises(InputError, match="pass --part I/N"):
        discover({})
