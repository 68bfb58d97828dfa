import numpy as np
import pytest

from hpcgen.parallel.partition import Partition


@pytest.mark.parametrize("n", [0, 1, 5, 7, 1797, 4096 * 3 + 1])
@pytest.mark.parametrize("parts", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("block", [1, 4, 4096])
def test_even_covers_all_in_order(n, parts, block):
    partition = Partition.even(n, parts, block)
    items = [i for part in range(parts) for i in range(n)[partition.slice(part)]]
    assert items == list(range(n))
    assert all(stop % block == 0 or stop == n for stop in (partition.slice(p).stop for p in range(parts)))
    assert max(partition.counts) - min(partition.counts) <= 2 * block


def test_even_is_the_shard_formula():
    assert Partition.even(1797, 8).starts == [lane * 1797 // 8 for lane in range(8)]


@pytest.mark.parametrize(
    "n, weights, counts",
    [
        (8, [1, 1], [4, 4]),
        (8, [3, 1], [6, 2]),
        (4, [1000, 1, 1, 1], [1, 1, 1, 1]),
        (5, [1, 1, 1], [2, 2, 1]),
        (8, [1e308, 1e308], [4, 4]),
        (8, [1e308, 1.0], [7, 1]),
    ],
)
def test_weighted(n, weights, counts):
    assert Partition.weighted(n, weights).counts == counts


def test_weighted_gives_everyone_something():
    with pytest.raises(ValueError):
        Partition.weighted(2, [1, 1, 1])


@pytest.mark.parametrize("counts", [[5], [3, 0, 4, 1], [0, 0, 2]])
def test_pieces_are_the_items(counts):
    parts = Partition(counts)
    whole = np.arange(parts.total)
    for start in range(parts.total + 1):
        for stop in range(start, parts.total + 1):
            target = np.full(stop - start, -1)
            for part, inside, where in parts.pieces(start, stop):
                target[where] = whole[parts.slice(part)][inside]
            assert np.array_equal(target, whole[start:stop])
