"""Seconds are added up part by part, whatever happens in them."""

import pytest

from hpcgen.parallel import stopwatch
from hpcgen.parallel.stopwatch import Stopwatch


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still: clock[0] are its seconds."""
    seconds = [100.0]
    monkeypatch.setattr(stopwatch, "perf_counter", lambda: seconds[0])
    return seconds


def test_seconds_are_added_up_part_by_part(clock):
    watch = Stopwatch()
    assert watch.seconds == {}
    for part, seconds in (("data", 1), ("compute", 8), ("data", 2), ("exchange", 0)):
        with watch(part):
            clock[0] += seconds
        clock[0] += 50  # between the parts
    assert watch.seconds == {"data": 3, "compute": 8, "exchange": 0}


def test_a_part_within_a_part_interrupts_it(clock):
    watch = Stopwatch()
    with watch("compute"):
        clock[0] += 1
        for _ in range(2):
            with watch("team"):
                clock[0] += 4
            clock[0] += 2
    assert watch.seconds == {"compute": 5, "team": 8}


def test_a_part_that_fails_counts_and_hides_nothing(clock):
    watch = Stopwatch()
    with pytest.raises(ZeroDivisionError), watch("update"):
        clock[0] += 4
        raise ZeroDivisionError
    assert watch.seconds == {"update": 4}
