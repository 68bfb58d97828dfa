"""The rows of a source in memory, which the ranks exchange."""

import numpy as np
import pytest

from hpcgen.data.held import Held
from hpcgen.data.rows import Rows
from hpcgen.data.sources.digits import Digits
from hpcgen.errors import InputError


def whole(comm, slab):
    """Return the rows of all ranks, which are whole rows in the order of the ranks."""
    parts = [piece.rows[:] for rank in comm.allgather(slab.pieces) for piece in rank]
    return np.concatenate(parts)


def test_ranks_hold_the_chosen_rows_in_their_order(comm, random):
    rows, source = Held(Digits(), comm), Digits()
    expected, chosen = source.read(0, 1797), random.permutation(1797)[:700]
    assert rows.total == 1797 and sum(comm.allgather(len(rows.samples))) == 1797
    assert np.array_equal(whole(comm, rows.slab("samples", chosen)), expected.samples[chosen])
    assert np.array_equal(whole(comm, rows.slab("labels", chosen)), expected.labels[chosen])


def test_a_bad_row_is_named_on_all_ranks(comm):
    class Bad(Digits):
        def read(self, start, stop):
            samples, _, labels = super().read(start, stop)
            return Rows(samples, labels=np.where(np.arange(start, stop) == 1790, -1, labels))

    with pytest.raises(InputError, match="row 1790 has label -1"):
        Held(Bad(), comm)
