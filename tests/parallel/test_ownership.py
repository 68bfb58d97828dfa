"""Ownership of ranges by ranks, in any order and with any number of ranges."""

import numpy as np
import pytest

from hpcgen.parallel.ownership import Ownership, packed

N = 100
RANGES = {
    "one": [[slice(0, N)]],
    "ascending": [[slice(0, 32)], [slice(32, 48)], [slice(48, N)]],
    "descending": [[slice(64, N)], [slice(32, 64)], [slice(0, 32)]],
    "scattered": [[slice(80, N), slice(16, 32)], [], [slice(0, 16), slice(64, 80), slice(32, 64)]],
}


@pytest.fixture(params=RANGES, ids=str)
def owners(request):
    """The Ownership of each rank."""
    ranges = RANGES[request.param]
    return [Ownership(ranges, rank) for rank in range(len(ranges))]


def test_each_number_has_one_owner(owners):
    assert sum(own.size for own in owners) == N
    whole, made = np.arange(N, dtype=np.float32), np.full(N, np.nan, np.float32)
    for own in owners:
        own.put(made, own.take(whole) + 0)
    assert np.array_equal(made, whole)


@pytest.mark.parametrize(
    "ranges",
    [[[slice(0, 5)], [slice(4, 9)]], [[slice(0, 4)], [slice(5, 9)]], [[slice(0, 9)], [], [slice(0, 9)]]],
    ids=["overlap", "gap", "twice"],
)
def test_ranges_cover_each_number_once(ranges):
    with pytest.raises(ValueError, match="do not follow each other"):
        Ownership(ranges, 0)


def test_one_range_is_a_view(owners):
    whole = np.zeros(N, np.float32)
    for own in owners:
        mine = own.take(whole)
        mine += 1
        own.put(whole, mine)
    assert (whole == 1).all()
    assert Ownership.even(N, 1, 0).take(whole).base is whole


@pytest.mark.parametrize("section", [slice(0, 70), slice(70, N), slice(40, 40)])
def test_sections(owners, section):
    whole = np.arange(N, dtype=np.float32)
    for own in owners:
        mine = own.take(whole)
        part = own.within(section)
        assert np.array_equal(packed(mine, own.runs(section)), part.take(whole))
        for piece in own.mine_within(section):
            assert section.start <= piece.start < piece.stop <= section.stop
            assert np.array_equal(whole[piece.where], mine[piece.inside])
        pieces = own.pieces_within(section)
        assert [i for piece in pieces for i in range(piece.start, piece.stop)] == list(range(N))[section]
        assert [piece for piece in pieces if piece.owner == own.rank] == sorted(
            own.mine_within(section), key=lambda piece: piece.start
        )
    assert sum(own.within(section).size for own in owners) == section.stop - section.start


@pytest.mark.parametrize("size, ranks", [(10, 3), (4096, 2), (20_007, 4), (0, 2)])
def test_even_ownership_is_of_whole_blocks(size, ranks):
    own = Ownership.even(size, ranks, 0)
    assert sum(piece.stop - piece.start for piece in own.pieces) == size
    assert all(piece.start % 4096 == 0 for piece in own.pieces)
