import threading
import time

import pytest

from stylegan_jax.pictures.pool import in_order


def test_results_come_in_order_whatever_they_take():
    assert list(in_order(lambda i: time.sleep(0.01 * (i % 3 == 0)) or i, range(20), waiting=8, workers=4)) == [
        *range(20)
    ]


def test_only_so_many_items_are_taken_ahead():
    taken = []
    results = in_order(lambda i: i, (taken.append(i) or i for i in range(100)), waiting=3, workers=2)
    for done in results:
        assert len(taken) - done <= 5


def test_one_worker_works_in_order():
    done = []
    list(in_order(done.append, range(50), waiting=10, workers=1))
    assert done == [*range(50)]


def test_an_error_of_the_work_surfaces_and_what_waits_is_dropped():
    begun, gate = [], threading.Event()

    def work(i):
        begun.append(i)
        if i == 0:
            raise OSError("disk full")
        gate.wait(0.05)

    with pytest.raises(OSError, match="disk full"):
        list(in_order(work, range(1000), waiting=50, workers=2))
    assert len(begun) < 60


def test_an_error_of_the_items_surfaces():
    def items():
        yield 1
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        list(in_order(lambda i: i, items(), waiting=2))


def test_nothing_yields_nothing():
    assert list(in_order(lambda i: i, [], waiting=2)) == []
