"""The operator Halo against slices of whole arrays, its adjoint against its definition, on any deal."""

import numpy as np
import pytest
from drawing import examples
from hypothesis import given
from hypothesis import strategies as st

from hpcgen.parallel.operators.halo import Halo

MANY = examples(40)
# More places than a region reaches beyond the ends of an axis.
MARGIN = 12


class Drawn:
    """Activations (n, *sizes, *rest), a team of their cells, and a region for each cell.

    Some regions lie around their cell, some anywhere, over several cells or beyond the ends, some are empty.
    """

    def __init__(self, data, teams, divided_places):
        self.sizes, grid = data.draw(divided_places())
        self.n, self.rest = data.draw(st.integers(1, 4)), data.draw(st.sampled_from([(), (1,), (3,), (2, 2)]))
        self.random = data.draw(st.from_type(np.random.Generator))
        self.dtype = data.draw(st.sampled_from([np.float64, np.float32]))
        self.team = teams.of(grid, data.draw(st.integers(1, teams.most(grid))), self.random)
        self.alone = teams.alone(grid)
        self.regions = [self._region(cell) for cell in range(len(self.team.grid))]

    def _region(self, cell):
        around, anywhere, axes = (
            self.random.integers(0, 5, (len(self.sizes), 2)),
            self.random.random() < 0.3,
            [],
        )
        for size, own, (before, after) in zip(
            self.sizes, self.team.grid.whole_region(cell, self.sizes), around
        ):
            start, stop = own.start - before, own.stop + after
            if anywhere:
                start = self.random.integers(-4, size + 5)
                stop = start + self.random.integers(0, MARGIN - 5)
            axes.append((int(start), int(max(start, min(stop, size + 8)))))
        return tuple(axes)

    def numbers(self, *shape):
        return self.random.standard_normal((self.n, *shape, *self.rest)).astype(self.dtype)

    def region_of(self, whole, cell):
        """Return the region of a cell of a whole array that has zeros beyond its ends."""
        around = [(MARGIN, MARGIN)] * len(self.sizes)
        padded = np.pad(whole, [(0, 0), *around, *[(0, 0)] * len(self.rest)])
        where = (slice(MARGIN + start, MARGIN + stop) for start, stop in self.regions[cell])
        return padded[(slice(None), *where)]

    def region_sizes(self, cell):
        return tuple(stop - start for start, stop in self.regions[cell])

    def chunks(self):
        """Return slices that make up all samples, in any order."""
        cuts = sorted({0, self.n, *self.random.integers(0, self.n + 1, 2).tolist()})
        chunks = [slice(start, stop) for start, stop in zip(cuts, cuts[1:])]
        return [chunks[i] for i in self.random.permutation(len(chunks))]

    def spread(self, halo, dys, chunks):
        """Return the cells to which the regions dys, one a cell of the grid, have been added."""
        spreads = halo.spread(self.n, self.rest, self.dtype)
        for cell, spread in zip(halo.team.mine, spreads):
            for chunk in chunks:
                spread.open(chunk)[...] = dys[cell][chunk]
                spread.close(chunk)
        return halo.add(spreads)


@pytest.fixture
def drawn(teams, divided_places):
    return lambda data: Drawn(data, teams, divided_places)


@MANY
@given(data=st.data())
def test_a_region_is_a_slice_of_the_whole_with_zeros_around(comm, teams, cut, drawn, data):
    d, wrong = drawn(data), []
    whole = d.numbers(*d.sizes)
    x = cut(d.team, whole)
    gathered = Halo(d.team, d.sizes, d.regions).gather(x)
    chunks = d.chunks()
    for cell, region in zip(d.team.mine, gathered):
        expected, room = (
            d.region_of(whole, cell),
            np.full((d.n, *d.region_sizes(cell), *d.rest), np.nan, d.dtype),
        )
        for chunk in chunks:
            room[chunk] = region.read(chunk)
        region.release()
        read = region.read(slice(0, d.n))
        if not (read.dtype == room.dtype == d.dtype and read.shape == expected.shape):
            wrong.append(f"cell {cell} is {read.dtype} {read.shape}, not {expected.shape}")
        elif not (np.array_equal(read, expected) and np.array_equal(room, expected)):
            wrong.append(f"the region {d.regions[cell]} of cell {cell} of {d.sizes}")
    if any(not np.array_equal(a, b) for a, b in zip(x.cells, cut(d.team, whole).cells)):
        wrong.append("x has changed")
    teams.agreed(wrong)


@MANY
@given(data=st.data())
def test_add_adds_each_piece_where_it_comes_from(comm, teams, drawn, data):
    """First what a cell's own region gives it, then what the other cells' give it, in their order; to the
    bit, in chunks or not, whoever has the cells."""
    d, wrong = drawn(data), []
    dys = [d.numbers(*d.region_sizes(cell)) for cell in range(len(d.team.grid))]
    places = np.arange(np.prod(d.sizes)).reshape(1, *d.sizes) + 1
    expected = {}
    for cell in range(len(d.team.grid)):
        here = (slice(None), *d.team.grid.whole_region(cell, d.sizes))
        flat = np.zeros((np.prod(d.sizes) + 1, d.n, *d.rest), d.dtype)
        for other in sorted(range(len(d.team.grid)), key=lambda other: (other != cell, other)):
            # The place 0 stands for all beyond the ends.
            of = Drawn.region_of(Plain(d), places, other)[0]
            flat[of] += np.moveaxis(dys[other], 0, len(d.sizes))
        expected[cell] = np.moveaxis(flat[places[here][0]], len(d.sizes), 0)
    chunks = d.chunks()
    dx = d.spread(Halo(d.team, d.sizes, d.regions), dys, chunks)
    at_once = d.spread(Halo(d.team, d.sizes, d.regions), dys, [slice(0, d.n)])
    alone = d.spread(Halo(d.alone, d.sizes, d.regions), dys, chunks)
    for i, cell in enumerate(d.team.mine):
        if not np.array_equal(dx.cells[i], expected[cell]) or dx.cells[i].dtype != d.dtype:
            wrong.append(f"cell {cell} of {d.sizes}, of the regions {d.regions}")
        if dx.cells[i].tobytes() != at_once.cells[i].tobytes():
            wrong.append(f"chunks change cell {cell}")
        if dx.cells[i].tobytes() != alone.cells[cell].tobytes():
            wrong.append(f"the deal changes cell {cell}")
    teams.agreed(wrong)


class Plain:
    """One sample of one number a place, in the regions of `drawn`."""

    def __init__(self, drawn):
        self.sizes, self.regions, self.rest = drawn.sizes, drawn.regions, ()


@MANY
@given(data=st.data())
def test_add_is_the_adjoint_of_gather(comm, teams, cut, drawn, data):
    """<F x, y> = <x, F* y>, summed over the team."""
    d = drawn(data)
    whole, dys = d.numbers(*d.sizes), [d.numbers(*d.region_sizes(cell)) for cell in range(len(d.team.grid))]
    halo, x = Halo(d.team, d.sizes, d.regions), cut(d.team, whole)
    regions = halo.gather(x)
    there = sum(np.vdot(r.read(slice(0, d.n)), dys[cell]) for cell, r in zip(d.team.mine, regions))
    back = sum(map(np.vdot, x.cells, d.spread(halo, dys, d.chunks()).cells))
    there, back = d.team.comm.allreduce(np.array([there, back], np.float64))
    bound = 100 * np.finfo(d.dtype).eps * (1 + sum(np.abs(dy).sum() for dy in dys))
    teams.agreed([] if abs(there - back) <= bound else [f"{there} is not {back}"])


@pytest.mark.parametrize("grid", [(4,), (2, 2)])
def test_two_lanes_may_be_on_their_way(teams, comm, cut, random, grid):
    """What was gathered for one lane stays when the next lane's is gathered."""
    sizes = (8,) * len(grid)
    for team in teams.each(grid, random):
        regions = [
            tuple((part.start - 3, part.stop + 3) for part in team.grid.region(cell, sizes))
            for cell in range(4)
        ]
        halo = Halo(team, sizes, regions)
        lanes = random.standard_normal((3, 2, *sizes, 1))
        gathered = [halo.gather(cut(team, lane)) for lane in lanes]
        for lane, found in zip(lanes, gathered):
            padded = np.pad(lane, [(0, 0), *[(3, 3)] * len(grid), (0, 0)])
            for cell, region in zip(team.mine, found):
                where = (slice(start + 3, stop + 3) for start, stop in regions[cell])
                assert np.array_equal(region.read(slice(0, 2)), padded[(slice(None), *where)])


def test_a_piece_of_the_own_cell_is_not_copied(teams, cut, random):
    """A team of one rank sends nothing, and regions are made of views."""
    team, sizes = teams.alone((2, 2)), (6, 6)
    halo = Halo(team, sizes, [((0, 6), (0, 6))] * 4)
    x = cut(team, random.standard_normal((2, 6, 6, 1)))
    for region in halo.gather(x):
        assert all(np.shares_memory(piece, x.cells[i]) for i, (_, piece) in enumerate(region._pieces))


def test_traffic_is_counted(teams, comm, cut, random):
    """One message to each rank that takes a piece of this rank's cells, with all of the pieces."""
    for team in teams.each((4,), random):
        regions = [
            (
                (part.start - 1, part.stop + 1),
                (0, 2),
            )
            for cell in range(4)
            for part in team.grid.region(cell, (8,))
        ]
        halo = Halo(team, (8, 2), regions)
        halo.gather(cut(team, random.standard_normal((3, 8, 2, 1)).astype(np.float32)))
        edges = [
            (cell, other)
            for cell in team.mine
            for other in (cell - 1, cell + 1)
            if 0 <= other < 4 and other not in team.mine
        ]
        assert (team.traffic.messages, team.traffic.bytes) == (len(edges), len(edges) * 3 * 2 * 4)
        assert ("team" in team.traffic.watch.seconds) == bool(edges)
