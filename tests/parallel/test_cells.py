"""Every place of an activation belongs to one cell, whatever the sizes."""

import itertools

import numpy as np
import pytest

from hpcgen.parallel.cells import Grid
from hpcgen.parallel.partition import Partition

GRIDS = [(1,), (2,), (3,), (5,), (1, 1), (2, 1), (1, 3), (2, 2), (3, 4), (2, 2, 2), (1, 3, 2)]


def places(random, grid, most=12):
    """Return sizes with a place at least for each cell, and some axes more than the grid has."""
    own = [int(random.integers(parts, most)) for parts in grid]
    return (*own, *random.integers(1, 5, random.integers(0, 3)).tolist())


@pytest.mark.parametrize("shape", GRIDS)
def test_cells_are_a_partition_of_the_places(shape, random):
    grid = Grid(shape)
    for _ in range(20):
        sizes = places(random, shape)
        assert grid.divides(sizes)
        found = np.zeros(sizes, int)
        for cell in range(len(grid)):
            region, whole = grid.region(cell, sizes), grid.whole_region(cell, sizes)
            found[region] += 1
            assert len(region) == len(shape) and len(whole) == len(sizes)
            assert found[whole].shape == grid.sizes(cell, sizes) == found[region].shape
            assert min(grid.sizes(cell, sizes)) >= 1
        assert (found == 1).all()


@pytest.mark.parametrize("shape", GRIDS)
def test_cells_are_cut_as_evenly_as_can_be(shape, random):
    grid, sizes = Grid(shape), places(random, shape, 30)
    for axis, (size, parts) in enumerate(zip(sizes, shape)):
        extents = {grid.sizes(cell, sizes)[axis] for cell in range(len(grid))}
        assert extents <= {size // parts, -(-size // parts)}
        starts = sorted({grid.region(cell, sizes)[axis].start for cell in range(len(grid))})
        assert starts == [part * size // parts for part in range(parts)]


@pytest.mark.parametrize("shape", GRIDS)
def test_aligned_regions_are_a_partition_of_the_places(shape, random):
    """Their edges are multiples of lengths, or ends of axes, and lie as near to those of the cells as can
    be."""
    grid = Grid(shape)
    for _ in range(20):
        sizes = places(random, shape)
        lengths = random.integers(1, 9, len(sizes)).tolist()
        found = np.zeros(sizes, int)
        for cell in range(len(grid)):
            region = grid.aligned_region(cell, sizes, lengths)
            found[region] += 1
            for axis, own, length, size in zip(region, grid.whole_region(cell, sizes), lengths, sizes):
                for edge, moved in ((own.start, axis.start), (own.stop, axis.stop)):
                    assert moved == size or (moved % length == 0 and 0 <= moved <= size)
                    assert 2 * abs(edge - moved) <= length
        assert (found == 1).all()


def test_cells_on_edges_do_not_move():
    grid = Grid([2, 4])
    for cell in range(8):
        region = grid.aligned_region(cell, (32, 64, 3), (16, 8, 3))
        assert region == grid.whole_region(cell, (32, 64, 3))
    assert [grid.aligned_region(cell, (8, 8), (8, 8)) for cell in (0, 1, 4)] == [
        (slice(0, 8), slice(0, 0)),
        (slice(0, 8), slice(0, 8)),
        (slice(8, 8), slice(0, 0)),
    ]


@pytest.mark.parametrize("shape", GRIDS)
def test_the_last_axis_runs_fastest(shape):
    grid = Grid(shape)
    assert len(grid) == len(grid.cells) == np.prod(shape)
    assert grid.cells == sorted(itertools.product(*map(range, shape)))
    assert [grid.number[indices] for indices in grid.cells] == list(range(len(grid)))


def test_a_grid_divides_where_each_cell_has_a_place():
    grid = Grid([2, 3])
    assert grid.divides((2, 3)) and grid.divides((2, 3, 1)) and grid.divides((9, 9))
    assert not grid.divides((1, 3)) and not grid.divides((2, 2)) and not grid.divides((9, 2, 9))
    assert not grid.divides((9,)) and not grid.divides(())
    assert Grid([1]).divides((1,)) and not Grid([1]).divides(())


def test_axes_after_those_of_the_grid_are_whole():
    grid = Grid([2])
    assert grid.partitions((5, 7, 3)) == [Partition([2, 3]), Partition([7]), Partition([3])]
    assert grid.region(1, (5, 7, 3)) == (slice(2, 5),)
    assert grid.whole_region(1, (5, 7, 3)) == (slice(2, 5), slice(0, 7), slice(0, 3))
    assert grid.sizes(0, (5, 7, 3)) == (2, 7, 3)
