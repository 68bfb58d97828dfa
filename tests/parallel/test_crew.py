"""The ranks of a job are divided into those that train and those that observe."""

import re

import pytest

from hpcgen.errors import InputError
from hpcgen.parallel.crew import crew


def test_without_observers_all_train(comm):
    with crew(comm, 0) as mine:
        assert mine.comm is comm and mine.peer is None and not mine.observes


def test_the_last_ranks_observe(comm):
    for observers in range(1, comm.size):
        with crew(comm, observers) as mine:
            assert mine.observes == (comm.rank >= comm.size - observers)
            assert mine.comm.size == (observers if mine.observes else comm.size - observers)
            assert mine.comm.rank == (comm.rank - comm.size + observers if mine.observes else comm.rank)
            assert mine.peer == (0 if mine.observes else comm.size - observers)


def test_a_rank_must_train(comm):
    expected = f"leave none to train; start at least {comm.size + 1} ranks"
    with pytest.raises(InputError, match=re.escape(expected)), crew(comm, comm.size):
        pass
