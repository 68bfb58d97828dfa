"""Arrays in cells: elementwise like arrays, and sums over places through the team."""

import numpy as np
import pytest

from hpcgen.nn.divided import Divided, Leaves, each, stacked, summed, total
from hpcgen.nn.vector import Layout, Vector


class Team:
    """A team whose only rank has all cells; it counts what it is asked for."""

    def __init__(self):
        self.asked = 0

    def each(self, function, *cells):
        return [function(*cell) for cell in zip(*cells, strict=True)]

    def total(self, parts):
        self.asked += 1
        return sum(parts[1:], parts[0])


@pytest.fixture
def team():
    return Team()


@pytest.fixture
def x(team, random):
    """Samples of 5 places in two cells."""
    return Divided([random.standard_normal((3, 2, 1)), random.standard_normal((3, 3, 1))], team)


def whole(x):
    return np.concatenate(x.cells, axis=1)


def test_elementwise_functions_serve_it_as_an_array(x):
    a, other = whole(x), np.arange(3.0).reshape(3, 1, 1)
    cases = {
        "numbers": (2 - x, 2 - a),
        "of a sample": (x * other, a * other),
        "from the left": (other / (x + 5), other / (a + 5)),
        "two of them": (x * x + x, a * a + a),
        "functions": (np.tanh(-x), np.tanh(-a)),
        "comparisons": (x > 0, a > 0),
        "options": (np.add(x, 1, dtype=np.float32), np.add(a, 1, dtype=np.float32)),
    }
    for name, (made, expected) in cases.items():
        assert isinstance(made, Divided) and made.team is x.team, name
        assert made.dtype == expected.dtype and np.array_equal(whole(made), expected), name
    assert not x.team.asked


def test_in_place_it_stays_the_same_arrays(x):
    a, before, cells = whole(x), x, list(x.cells)
    x += 1
    x *= x
    assert np.negative(x, out=x) is x is before
    assert all(mine is cell for mine, cell in zip(x.cells, cells))
    assert np.array_equal(whole(x), -((a + 1) ** 2))


def test_only_elementwise_functions_serve_it(x):
    for function in (np.add.reduce, np.add.accumulate):
        with pytest.raises(TypeError):
            function(x)
    with pytest.raises(ValueError):
        x + Divided(x.cells[:1], x.team)


def test_it_reads_like_samples(x):
    assert len(x) == 3 and x.dtype == np.float64
    assert np.array_equal(whole(x[1:]), whole(x)[1:]) and len(x[:0]) == 0
    copied = x.copy()
    copied += 1
    assert np.array_equal(whole(copied), whole(x) + 1)
    assert np.array_equal(whole(x.map(np.add, x)), 2 * whole(x))
    assert np.array_equal(whole(x.map(np.add, np.ones(1))), whole(x) + 1)


def test_each_treats_arrays_and_cells_alike(x):
    a = whole(x)
    assert np.array_equal(whole(each(np.subtract, x, x * 2)), each(np.subtract, a, a * 2))
    assert np.array_equal(whole(stacked(x, x * 2)), stacked(a, a * 2)) and len(stacked(x, x)) == 6
    assert not x.team.asked


def squares(a, *others):
    return np.square(a).sum(axis=(1, 2))


def test_totals_go_through_the_team(x):
    a = whole(x)
    assert total(squares, x) == pytest.approx(total(squares, a)) and x.team.asked == 1
    assert total(lambda a, b: (a * b).sum(), x, x) == pytest.approx((a * a).sum())
    sums, cells = summed(lambda a, b: (squares(a), a - b), x, 2 * x)
    assert sums == pytest.approx(squares(a)) and np.array_equal(whole(cells), -a) and x.team.asked == 3
    sums, array = summed(lambda a: (squares(a), -a), a)
    assert np.array_equal(sums, squares(a)) and np.array_equal(array, -a) and x.team.asked == 3


LAYOUT = Layout({"w": (2,)}, statistics={"loss": ()})


def vectors(count):
    return [Vector(LAYOUT, np.full(3, 7.0 + i)) for i in range(count)]


def test_leaves_take_a_lane_once():
    """An exchange lends Vectors that hold anything. What no cell's layer writes is zero in all but one."""
    grad = Leaves(vectors(3), first=True)
    assert grad.whole is grad.leaves[0] and grad.whole.data.tolist() == [7, 7, 7]
    assert not any(leaf.data.any() for leaf in grad.leaves[1:])
    grad = Leaves(vectors(2), first=False)
    assert grad.whole is None and len(grad.leaves) == 2 and not any(leaf.data.any() for leaf in grad.leaves)
    assert grad.layout is LAYOUT


def test_leaves_add_parameters_cell_by_cell():
    grad, other = (Leaves(vectors(2), first=True) for _ in range(2))
    other.leaves[1].data[...] = 1
    grad.add(other)
    assert [leaf.data.tolist() for leaf in grad.leaves] == [[14, 14, 7], [1, 1, 0]]
    with pytest.raises(ValueError):
        grad.add(Leaves(vectors(1), first=True))


def test_a_vector_is_the_only_leaf_of_whole_samples():
    (vector,) = vectors(1)
    assert vector.leaves == [vector] and vector.whole is vector
