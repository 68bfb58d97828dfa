"""Work that ranks and threads divide. Results are in the order of the items."""

from contextlib import closing
from operator import mul

import numpy as np
import pytest

from hpcgen.errors import InputError
from hpcgen.evaluation.work import Work, measurable
from hpcgen.metrics.blocks import ROWS_A_BLOCK, blocks


@pytest.mark.parametrize("n", [0, 1, 2, 3, 50])
def test_every_item_is_worked_on_once_and_in_order(comm, work, n):
    seen = []
    assert work.divided(list(range(n)), lambda i: seen.append(i) or i * i) == [i * i for i in range(n)]
    assert sorted(comm.allreduce(seen)) == list(range(n))


def test_blocks_are_joined_in_their_order(work):
    n = 5 * ROWS_A_BLOCK + 3
    assert work.each(n, lambda block: block) == blocks(n)
    for run in (1, 2, 64):
        joined = work.total(n, lambda block: [block], lambda a, b: [*a, *b], run)
        assert joined == blocks(n)


def test_a_total_has_the_same_bits_at_any_number_of_ranks(work, random):
    values = random.standard_normal(7 * ROWS_A_BLOCK)
    parts = [values[block].sum() for block in blocks(len(values))]
    expected = parts[0]
    for part in parts[1:]:
        expected = expected + part
    assert work.total(len(values), lambda block: values[block].sum()) == expected
    assert work.total(len(values), lambda block: np.exp(values[block].mean()), mul) > 0


def test_ranks_that_share_items_compute_them_together(comm):
    """What is not shared, every rank computes by itself."""
    for space in (n for n in range(1, comm.size + 1) if comm.size % n == 0):
        with closing(Work(comm, space)) as work:
            for shared in (True, False):
                seen = []
                found = work.divided(list(range(7)), lambda i: seen.append(i) or i * i, shared)
                assert found == [i * i for i in range(7)]
                everyone = comm.allgather(seen)
                teams = everyone[::space] if shared else everyone
                assert sorted(item for each in teams for item in each) == list(range(7))
                if shared:
                    # In the same order on each of them.
                    assert all(each == teams[rank // space] for rank, each in enumerate(everyone))
                total = work.total(100, lambda block: np.array([block.start]), size=30, shared=shared)
                assert total.tolist() == [0 + 30 + 60 + 90]


def test_one_rank_computes_for_all(comm, work):
    calls = []
    assert work.once(lambda: calls.append(comm.rank) or "found") == "found"
    assert comm.allreduce(calls) == [0]


@pytest.mark.parametrize("items", [1, 9])
def test_what_cannot_be_measured_on_one_rank_is_bad_input_on_all(work, items):
    def fails(item):
        if item == items - 1:
            raise ValueError("samples hold NaN")
        return item

    with pytest.raises(InputError, match="cannot be evaluated: samples hold NaN"):
        work.divided(list(range(items)), fails)
    with pytest.raises(InputError, match="cannot be evaluated: samples hold NaN"):
        work.once(lambda: fails(items - 1))


def test_bad_input_keeps_its_own_words():
    with pytest.raises(InputError, match="^too few$"), measurable():
        raise InputError("too few")
    with pytest.raises(ZeroDivisionError), measurable():
        1 / 0
