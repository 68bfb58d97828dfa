"""The operator Gather and its adjoint, on any deal."""

import numpy as np
import pytest
from drawing import examples
from hypothesis import given
from hypothesis import strategies as st

from hpcgen.parallel.operators.gather import Gather, GatherChannels

MANY = examples(30)


class Drawn:
    """Activations (n, *sizes, *rest), a team of their cells, and its Gather.

    The grid may have fewer axes than the places; those after them count as places or not.
    """

    def __init__(self, data, teams, divided_places, dtypes=(np.float64,)):
        self.places, grid = data.draw(divided_places())
        self.sizes = self.places[: data.draw(st.integers(len(grid), len(self.places)))]
        self.n, self.rest = data.draw(st.integers(1, 3)), data.draw(st.sampled_from([(), (1,), (3,), (2, 2)]))
        self.random, self.dtype = (
            data.draw(st.from_type(np.random.Generator)),
            data.draw(st.sampled_from(dtypes)),
        )
        self.team = teams.of(grid, data.draw(st.integers(1, teams.most(grid))), self.random)
        self.gather = Gather(self.team, self.sizes)

    def numbers(self):
        return (8 * self.random.standard_normal((self.n, *self.places, *self.rest))).astype(self.dtype)


@pytest.fixture
def drawn(teams, divided_places):
    return lambda data, *dtypes: Drawn(data, teams, divided_places, *dtypes)


def equal(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and np.array_equal(a, b)


@MANY
@given(data=st.data())
def test_whole_puts_every_cell_in_its_place(comm, teams, cut, drawn, data):
    d = drawn(data, [np.float32, np.float64, np.uint8])
    whole = d.numbers()
    x = cut(d.team, whole)
    found = d.gather.whole(x)
    wrong = [] if equal(found, whole) else [f"{d.sizes} in cells of {d.team.grid.shape}"]
    found[...] = 0
    if any(not equal(a, b) for a, b in zip(x.cells, cut(d.team, whole).cells)):
        wrong.append("the array shares the cells' memory")
    teams.agreed(wrong)


@MANY
@given(data=st.data())
def test_parts_are_the_cells(comm, teams, cut, drawn, data):
    d = drawn(data)
    whole = d.numbers()
    parts, expected = d.gather.parts(whole), cut(d.team, whole)
    same = len(parts.cells) == len(expected.cells) and all(map(equal, parts.cells, expected.cells))
    wrong = [] if same else ["other cells"]
    if not all(cell.flags.c_contiguous for cell in parts.cells):
        wrong.append("a cell is not in C order")
    if not equal(d.gather.whole(parts), whole):
        wrong.append("whole does not undo parts")
    teams.agreed(wrong)


@MANY
@given(data=st.data())
def test_parts_are_the_adjoint_of_whole(comm, teams, cut, drawn, data):
    """<F x, y> = <x, F* y>, where the whole array, the same on all ranks, counts once."""
    d = drawn(data)
    x, y = cut(d.team, d.numbers()), d.numbers()
    there = np.vdot(d.gather.whole(x), y)
    back = d.team.comm.allreduce(sum(map(np.vdot, x.cells, d.gather.parts(y).cells)))
    bound = 1e-13 * (1 + np.abs(y).sum())
    teams.agreed([] if abs(there - back) <= bound else [f"{there} is not {back}"])


@pytest.mark.parametrize("grid", [(3,), (2, 2), (2, 1, 2)])
def test_cells_in_another_order_in_memory_are_gathered_too(teams, comm, random, grid):
    sizes = (5, 4, 3)[: len(grid)]
    for team in teams.each(grid, random):
        whole = random.standard_normal((2, *sizes, 3))
        cells = [
            np.asfortranarray(whole[(slice(None), *team.grid.region(cell, sizes))]) for cell in team.mine
        ]
        assert np.array_equal(Gather(team, sizes).whole(team.divided(cells)), whole)


@MANY
@given(data=st.data(), random=..., channels=st.integers(1, 9), shape=st.lists(st.integers(1, 3), max_size=3))
def test_channels(comm, teams, data, random: np.random.Generator, channels, shape):
    """Each cell has some of them, or none; whole and parts are each other's adjoint."""
    grid = data.draw(st.sampled_from([(1,), (3,), (2, 2), (2, 4)]))
    team = teams.of(grid, data.draw(st.integers(1, teams.most(grid))), random)
    gather, wrong = GatherChannels(team, channels), []
    dtype = data.draw(st.sampled_from([np.float32, np.float64]))
    whole, y = random.standard_normal((2, *shape, channels)).astype(dtype)
    parts = gather.parts(whole)
    if [part.shape[-1] for part in parts.cells] != [part.stop - part.start for part in gather.mine]:
        wrong.append("a cell has other channels")
    if not all(equal(part, whole[..., mine]) for part, mine in zip(parts.cells, gather.mine)):
        wrong.append("other parts")
    if not all(part.flags.c_contiguous for part in parts.cells) or not equal(gather.whole(parts), whole):
        wrong.append("whole does not undo parts")
    back = team.comm.allreduce(float(sum(map(np.vdot, parts.cells, gather.parts(y).cells))))
    if abs(np.vdot(whole, y) - back) > 1e2 * np.finfo(dtype).eps * (1 + np.abs(y).sum()):
        wrong.append("not the adjoint")
    found = [part for mine in team.comm.allgather(gather.mine) for part in mine]
    if [part.start for part in found] != [
        cell * channels // len(team.grid) for cell in range(len(team.grid))
    ]:
        wrong.append(f"channels depend on the deal: {found}")
    teams.agreed(wrong)
