"""The tensors of a vector in the numbers that each rank owns, and their norms."""

import numpy as np
import pytest

from hpcgen.nn.buffers import Buffer
from hpcgen.nn.vector import Layout
from hpcgen.parallel.ownership import Ownership
from hpcgen.parallel.parts import Parts

BLOCK = 16
# Sizes that begin and end within blocks, a tensor of one axis, and buffers, which have no norm.
LAYOUT = Layout({"a": (5, 7), "bias": (9,), "b": (7, 8)}, {"mean": Buffer((4,))}, {"loss": ()})
N = LAYOUT.parameters.stop
TENSORS = [slice(0, 35), slice(35, 44), slice(44, N)]
RANGES = {
    "one": [[slice(0, N)]],
    "ascending": [[slice(0, 32)], [slice(32, 48)], [slice(48, N)]],
    "descending": [[slice(64, N)], [slice(32, 64)], [slice(0, 32)]],
    "scattered": [[slice(80, N), slice(16, 32)], [], [slice(0, 16), slice(64, 80), slice(32, 64)]],
}


@pytest.fixture(params=RANGES)
def owners(request):
    """The Ownership of each rank."""
    ranges = RANGES[request.param]
    return [Ownership(ranges, rank) for rank in range(len(ranges))]


def test_norms_are_those_of_the_tensors(random):
    values = random.standard_normal(N)
    found = Parts(LAYOUT, Ownership([[slice(0, N)]], 0), block=BLOCK).norms(values)
    assert found == pytest.approx([np.linalg.norm(values[tensor]) for tensor in TENSORS], rel=1e-14)


def test_norms_of_large_numbers_do_not_overflow():
    values = np.full(N, 1e30, np.float32)
    found = Parts(LAYOUT, Ownership([[slice(0, N)]], 0)).norms(values)
    assert found == pytest.approx([1e30 * np.sqrt(35), 3e30, 1e30 * np.sqrt(56)], rel=1e-6)


def test_norms_have_the_same_bits_whoever_owns_what(owners, random):
    values = random.standard_normal(N).astype(np.float32)
    alone = Parts(LAYOUT, Ownership([[slice(0, N)]], 0), block=BLOCK).norms(values)
    squares = []
    for own in owners:
        noting = Parts(LAYOUT, own, lambda mine: squares.append(mine) or np.zeros(4 * N), BLOCK)
        noting.norms(own.take(values))
    gathered = np.concatenate(squares)
    for own in owners:
        found = Parts(LAYOUT, own, lambda mine: gathered, BLOCK).norms(own.take(values))
        assert found.tobytes() == alone.tobytes()


def test_norms_have_the_bits_of_one_rank(comm, random):
    """With the ranks' own communicator; blocks are dealt out in turn."""
    values = random.standard_normal(N).astype(np.float32)
    blocks = [slice(start, min(start + BLOCK, N)) for start in range(0, N, BLOCK)]
    own = Ownership([blocks[rank :: comm.size] for rank in range(comm.size)], comm.rank)
    parts = Parts(LAYOUT, own, lambda mine: np.concatenate(comm.allgather(mine)), BLOCK)
    alone = Parts(LAYOUT, Ownership([[slice(0, N)]], 0), block=BLOCK)
    assert parts.norms(own.take(values)).tobytes() == alone.norms(values).tobytes()


def test_each_number_of_a_tensor_is_here_once(owners, random):
    """With the number of its tensor, and whether that has several axes."""
    values, found = random.standard_normal(N), []
    for own in owners:
        mine = own.take(values)
        for number, where, several in Parts(LAYOUT, own, block=BLOCK):
            assert several == (number != 1)
            found += [(number, value) for value in mine[where]]
    assert sorted(found) == sorted(
        (number, value) for number, tensor in enumerate(TENSORS) for value in values[tensor]
    )
