"""Threads compute lanes in order, a few at a time. An error in a thread is raised as without threads."""

import threading
import time

import numpy as np
import pytest

from hpcgen.parallel.threads import Workers


@pytest.fixture(params=[1, 2, 5])
def workers(request):
    made = Workers(request.param)
    yield made
    made.close()


def test_results_come_in_order(workers):
    def late(i):
        time.sleep(0.002 * (7 - i % 7))
        return i * i

    assert list(workers.each(late, range(20))) == [i * i for i in range(20)]
    assert list(workers.each(late, [])) == []


def test_few_items_are_begun_at_a_time(workers):
    begun = []

    def items():
        for i in range(12):
            begun.append(i)
            yield i

    for done, _ in enumerate(workers.each(lambda i: i, items())):
        assert len(begun) <= done + workers.threads + 1


def test_an_error_is_raised_where_its_result_is_due(workers):
    def failing(i):
        if i == 3:
            raise ZeroDivisionError("lane 3")
        return i

    found = []
    with pytest.raises(ZeroDivisionError, match="lane 3"):
        for i in workers.each(failing, range(6)):
            found.append(i)
    assert found == [0, 1, 2]


def test_threads_have_numpys_error_state(workers):
    def divide(i):
        return np.float32(1) / np.zeros(1, np.float32)

    with np.errstate(divide="ignore"):
        assert all(np.isinf(each).all() for each in workers.each(divide, range(4)))


def test_one_thread_is_the_callers():
    assert list(Workers(1).each(lambda i: threading.current_thread(), [0])) == [threading.current_thread()]
