"""What a team adds up and gathers is the same on all of its ranks, and the same whoever has the cells."""

import itertools
from contextlib import closing
from threading import Barrier

import numpy as np
import pytest

from hpcgen.errors import InputError
from hpcgen.parallel.operators.gather import Gather, GatherChannels
from hpcgen.parallel.team import Team
from hpcgen.parallel.threads import Workers
from hpcgen.parallel.tree import tree_sum

GRIDS = [(1,), (2,), (3,), (5,), (2, 2), (4, 2), (3, 1, 2)]


@pytest.mark.parametrize("grid", GRIDS)
def test_total_is_the_tree_sum_of_one_rank(teams, comm, random, unlike, grid):
    alone = teams.alone(grid)
    for team in teams.each(grid, random):
        for dtype, shape in itertools.product([np.float32, np.float64], [(), (1,), (3, 1, 1), (0,), (2, 5)]):
            parts = unlike((len(team.grid), *shape), dtype)
            total = team.total([parts[cell] for cell in team.mine])
            expected = tree_sum(list(parts))
            assert total.dtype == dtype and total.shape == shape
            assert total.tobytes() == expected.tobytes() == alone.total(list(parts)).tobytes()


def test_numbers_add_up_as_arrays_do(teams, comm, random, unlike):
    for team in teams.each((4, 2), random):
        numbers = unlike((8,), np.float64).tolist()
        assert team.total([numbers[cell] for cell in team.mine]) == tree_sum(numbers)
        assert team.total([int(cell) for cell in team.mine]) == 28


@pytest.mark.parametrize("grid", GRIDS)
def test_parts_are_left_as_they_are(teams, comm, random, grid):
    for team in teams.each(grid, random):
        parts = [np.full(3, float(cell)) for cell in team.mine]
        total = team.total(parts)
        assert all((part == cell).all() for part, cell in zip(parts, team.mine))
        total += 1  # a sum of its own, which the next one does not share
        assert len(team.grid) == 1 or all((part == cell).all() for part, cell in zip(parts, team.mine))


@pytest.mark.parametrize("dtype", [np.float32, np.int64, bool])
def test_gathered_parts_stand_in_the_order_of_the_cells(teams, comm, random, dtype):
    for team in (team for grid in GRIDS for team in teams.each(grid, random)):
        parts = random.integers(0, 100, (len(team.grid), 2, 3)).astype(dtype)
        mine = parts[team.mine.start : team.mine.stop]
        for here in (mine, np.asfortranarray(mine)):
            whole = team.gathered(here)
            assert whole.dtype == dtype and np.array_equal(whole, parts)


@pytest.mark.parametrize("grid", GRIDS)
def test_every_cell_has_one_owner(teams, comm, random, grid):
    for team in teams.each(grid, random):
        everyone = team.comm.allgather((list(team.mine), team.first))
        assert [cell for mine, _ in everyone for cell in mine] == list(range(len(team.grid)))
        assert [rank for rank, (mine, _) in enumerate(everyone) for _ in mine] == team.owners
        assert [first for _, first in everyone] == [rank == 0 for rank in range(team.comm.size)]
        assert [team.here(cell) for cell in team.mine] == list(range(len(team.mine)))
        cells = team.divided([np.full((2, 1), cell) for cell in team.mine])
        assert cells.team is team and [cell[0, 0] for cell in cells.cells] == list(team.mine)


@pytest.mark.parametrize("grid", GRIDS)
def test_a_whole_array_is_cut(teams, comm, random, grid):
    """By the sizes of its own places; each cell lies in one piece."""
    for team in teams.each(grid, random):
        sizes = (5, 4, 3)[: len(grid)]
        whole = random.standard_normal((2, *sizes, 3))
        for given in (whole, np.asfortranarray(whole)):
            cells = team.cut(given)
            assert cells.team is team and all(cell.flags.c_contiguous for cell in cells.cells)
            for cell, found in zip(team.mine, cells.cells):
                assert np.array_equal(found, whole[(slice(None), *team.grid.region(cell, sizes))])


@pytest.mark.parametrize("threads", [1, 3])
def test_each_cell_has_its_own_result(teams, comm, random, threads):
    with closing(Workers(threads)) as workers:
        for team in teams.each((4, 2), random):
            team = Team(team.comm, team.grid, team.deal, workers)
            doubled = [2 * cell for cell in team.mine]
            assert team.each(lambda cell, two: (cell, two), team.mine, doubled) == [
                (cell, 2 * cell) for cell in team.mine
            ]
            with pytest.raises(ZeroDivisionError):
                team.each(lambda cell: 1 // (cell - team.mine.start), team.mine)
            with pytest.raises(ValueError, match="shorter"):
                team.each(lambda cell, other: cell, team.mine, [])


def test_the_threads_of_a_team_compute_several_cells_at_a_time(teams):
    both = Barrier(2)
    with closing(Workers(2)) as workers:
        alone = teams.alone((2,))
        team = Team(alone.comm, alone.grid, alone.deal, workers)
        # Each of the two cells waits until the other one is computed as well.
        assert sorted(team.each(lambda cell: both.wait(10), team.mine)) == [0, 1]


def test_traffic_is_counted(teams, comm, random):
    """Messages and bytes that leave this rank: none in a team of one."""
    for team in teams.each((4, 2), random):
        others, mine = team.comm.size - 1, len(team.mine)
        team.total([np.ones(3, np.float32)] * mine)
        assert (team.traffic.messages, team.traffic.bytes) == (others, others * mine * 12)
        assert ("team" in team.traffic.watch.seconds) == (others > 0)
        team.gathered(np.ones((mine, 5)))
        assert (team.traffic.messages, team.traffic.bytes) == (2 * others, others * mine * (12 + 40))


@pytest.mark.parametrize("divided", [Gather, GatherChannels])
def test_more_numbers_than_mpi_counts_are_refused(teams, comm, random, monkeypatch, divided):
    """Before any rank sends."""
    monkeypatch.setattr("hpcgen.parallel.team.LARGEST_COUNT", 31)
    for team in teams.each((2,), random):
        gather = divided(team, 4) if divided is GatherChannels else divided(team, (4,))
        x = gather.parts(np.zeros((2, 4, 4)))
        if team.comm.size == 1:
            assert gather.whole(x).size == 32
            continue
        with pytest.raises(InputError, match="32 numbers of a layer .* give train.lane_size fewer samples"):
            gather.whole(x)
