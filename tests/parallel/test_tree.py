import itertools
from math import log2

import numpy as np
import pytest

from hpcgen.parallel.tree import TreeSum, cover, middle, tree_sum


def definition(values, lo, hi):
    if hi - lo == 1:
        return values[lo]
    return definition(values, lo, middle(lo, hi)) + definition(values, middle(lo, hi), hi)


def add(left, right):
    left += right


def summed(nodes, lanes, cells=1):
    tree = TreeSum(lanes, add, cells=cells)
    for lo, hi, array in nodes:
        tree.push(lo, hi, array)
    return tree.take()


@pytest.mark.parametrize("lanes", range(1, 14))
def test_every_split_gives_the_bits_of_the_definition(lanes, random):
    values = random.standard_normal((lanes, 3)).astype(np.float32) * 10.0 ** random.integers(
        -4, 4, (lanes, 1)
    ).astype(np.float32)
    expected = definition(values, 0, lanes)
    for parts in range(1, min(lanes, 4) + 1):
        for cuts in itertools.combinations(range(1, lanes), parts - 1):
            bounds = [0, *cuts, lanes]
            nodes = []
            for start, stop in zip(bounds, bounds[1:]):
                mine = summed([(lane, lane + 1, values[lane].copy()) for lane in range(start, stop)], lanes)
                assert [(lo, hi) for lo, hi, _ in mine] == cover(start, stop, 0, lanes)
                nodes += mine
            ((lo, hi, total),) = summed(nodes, lanes)
            assert (lo, hi) == (0, lanes)
            assert total.tobytes() == expected.tobytes()


def test_few_arrays_are_held():
    tree = TreeSum(1000, add)
    for lane in range(1000):
        tree.push(lane, lane + 1, np.ones(1))
        assert len(tree.nodes) <= 11
    ((_, _, total),) = tree.take()
    assert total == 1000


def of_lanes_of_cells(values):
    """Return the sum of values[lane][cell] as the words say it: of the lanes' sums, each of its cells'."""

    def tree(parts):
        if len(parts) == 1:
            return parts[0]
        power = max(1 << i for i in range(len(parts)) if 1 << i < len(parts))
        return tree(parts[:power]) + tree(parts[power:])

    return tree([tree(lane) for lane in values])


@pytest.mark.parametrize("cells", [2, 3, 4, 5, 7, 8, 12])
@pytest.mark.parametrize("lanes", [1, 2, 3, 4, 6, 7])
def test_every_split_of_lanes_of_cells_gives_the_bits_of_the_definition(lanes, cells, random, unlike):
    values, leaves = unlike((lanes, cells, 3)), lanes * cells
    expected = of_lanes_of_cells(values)
    flat = values.reshape(leaves, 3)
    for _ in range(20):
        cuts = random.choice(np.arange(1, leaves), min(leaves - 1, random.integers(0, 6)), replace=False)
        nodes = []
        for start, stop in itertools.pairwise([0, *sorted(cuts.tolist()), leaves]):
            mine = summed([(i, i + 1, flat[i].copy()) for i in range(start, stop)], lanes, cells)
            assert [(lo, hi) for lo, hi, _ in mine] == cover(start, stop, 0, leaves, cells)
            nodes += mine
        ((lo, hi, total),) = summed(nodes, lanes, cells)
        assert (lo, hi) == (0, leaves)
        assert total.tobytes() == expected.tobytes()


@pytest.mark.parametrize("lanes", [1, 2, 5, 6])
@pytest.mark.parametrize("cells", [1, 2, 3, 4, 6])
def test_nodes_hold_whole_lanes_or_lie_in_one(lanes, cells):
    waiting, seen = [(0, lanes * cells)], 0
    while waiting:
        lo, hi = waiting.pop()
        seen += 1
        assert (lo % cells == 0 and hi % cells == 0) or lo // cells == (hi - 1) // cells
        if hi - lo > 1:
            between = middle(lo, hi, cells)
            assert lo < between < hi
            waiting += [(lo, between), (between, hi)]
    assert seen == 2 * lanes * cells - 1


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 8, 11])
def test_the_sum_of_a_list_is_the_sum_of_a_lane(count, unlike):
    values = unlike((count, 2))
    before = values.copy()
    assert tree_sum(list(values)).tobytes() == of_lanes_of_cells(values[None]).tobytes()
    assert tree_sum(list(values)).tobytes() == definition(values, 0, count).tobytes()
    assert np.array_equal(values, before)
    numbers = [0.1 * i for i in range(count)]
    assert tree_sum(numbers) == definition(numbers, 0, count)


@pytest.mark.parametrize("lanes, cells", [(1, 64), (40, 3), (7, 5), (8, 8), (33, 9)])
def test_few_sums_are_held_of_cells(lanes, cells):
    freed = []
    tree = TreeSum(lanes, add, freed.append, cells)
    for leaf in range(lanes * cells):
        tree.push(leaf, leaf + 1, np.ones(1))
        assert len(tree.nodes) <= log2(lanes * cells) + 1
    ((_, _, total),) = tree.take()
    assert total == lanes * cells == len(freed) + 1
