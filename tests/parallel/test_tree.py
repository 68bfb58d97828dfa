import itertools

import numpy as np
import pytest

from hpcgen.parallel.tree import TreeSum, cover, middle


def definition(values, lo, hi):
    if hi - lo == 1:
        return values[lo]
    return definition(values, lo, middle(lo, hi)) + definition(values, middle(lo, hi), hi)


def add(left, right):
    left += right


def summed(nodes, lanes):
    tree = TreeSum(lanes, add)
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
