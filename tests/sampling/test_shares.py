"""The shares of samples that ranks hold: together they are the samples, and no rank holds a whole one that is
divided."""

import numpy as np
import pytest
from teams import cells_of

from hpcgen.data.schema import Schema
from hpcgen.errors import InputError
from hpcgen.files.checksums import lengths
from hpcgen.files.cover import require_cover
from hpcgen.models.units import Interval
from hpcgen.parallel.operators.gather import Gather
from hpcgen.sampling.shares import by_rows, shares


class Model:
    """A model whose samples are a function of their number alone, divided if there is a team."""

    def __init__(self, schema, team=None):
        self.sample_shape, self.team, self.units = schema.shape, team, Interval(schema, -1.0, 1.0)

    def sample(self, theta, batch):
        whole = np.stack([self._numbers(i) for i in batch])
        return whole if self.team is None else cells_of(self.team, whole)

    def _numbers(self, i):
        return np.random.default_rng(i).uniform(-1, 1, self.sample_shape).astype(np.float32)

    def generate(self, theta, batch):
        return self.units.decode(self.sample(theta, batch))


class Origin:
    """Blocks of `size` samples, each of which asks for its numbers, and a column."""

    def __init__(self, size):
        self.size = size

    def batch(self, block):
        return range(block * self.size, (block + 1) * self.size)

    def columns(self):
        return {"labels": lambda start, stop: np.arange(start, stop)}


def spaces(comm, grid):
    return [n for n in range(1, comm.size + 1) if comm.size % n == 0 and n <= np.prod(grid)]


def whole(comm, slab):
    """Return the dataset whose pieces the ranks hold, each number once, in whole boxes."""
    require_cover(
        "x",
        slab.shape,
        lengths(slab.shape, slab.dtype),
        [where for rank in comm.allgather([piece.where for piece in slab.pieces]) for where in rank],
    )
    found = np.empty(slab.shape, slab.dtype)
    for rank in comm.allgather(slab.pieces):
        for piece in rank:
            found[piece.where] = piece.rows
    return found


LARGE = [
    ((33, 40, 7), "float32", "array", (2, 2)),
    ((90, 100, 3), "uint8", "image", (2, 2)),
    ((50, 33, 3), "float32", "image", (3,)),
    ((17, 20, 18, 2), "float32", "array", (2, 2, 2)),
    ((32, 32, 32), "float32", "array", (2, 2, 2)),
    ((9000,), "float32", "array", (4,)),
]


@pytest.mark.parametrize("shape, dtype, kind, grid", LARGE)
@pytest.mark.parametrize("count, size", [(1, 4), (1, 1), (3, 1), (7, 2), (8, 4)])
def test_large_samples_are_shared_by_cells(
    comm,
    teams,
    random,
    monkeypatch,
    shape,
    dtype,
    kind,
    grid,
    count,
    size,
):
    schema = Schema(shape, dtype, kind, -3.0, 255.0)
    expected = Model(schema).generate({}, range(count))
    monkeypatch.delattr(Gather, "whole")
    for space in spaces(comm, grid):
        model = Model(schema, teams.of(grid, space, random))
        found = shares(comm, model, {}, schema, Origin(size), count)
        assert np.array_equal(whole(comm, found["samples"]), expected)
        assert np.array_equal(whole(comm, found["labels"]), np.arange(count))
        pieces = found["samples"].pieces
        assert len(pieces) <= len(model.team.mine)
        assert all(piece.rows.base is None for piece in pieces)
        # Of the samples of its team, a rank holds its cells, whose edges moved to those of boxes.
        boxes = lengths(found["samples"].shape, dtype)[1:]
        cells = [model.team.grid.aligned_region(cell, shape, boxes) for cell in model.team.mine]
        numbers = sum(int(np.prod([axis.stop - axis.start for axis in cell])) for cell in cells)
        blocks = len(range(0, count, size))
        most = size * -(-blocks // (comm.size // space))
        assert sum(piece.rows.size for piece in pieces) <= min(most, count) * numbers


@pytest.mark.parametrize("count, size", [(1, 4), (5, 1), (130, 64)])
def test_small_samples_are_shared_by_rows(comm, teams, random, count, size):
    """They have one checksum, or share it: a box belongs to one rank."""
    schema = Schema((8, 6, 1), "float32", "array", 0.0, 1.0)
    expected = Model(schema).generate({}, range(count))
    for space in spaces(comm, (2, 2)):
        model = Model(schema, teams.of((2, 2), space, random))
        found = shares(comm, model, {}, schema, Origin(size), count)
        assert np.array_equal(whole(comm, found["samples"]), expected)
    found = shares(comm, Model(schema), {}, schema, Origin(size), count)
    assert np.array_equal(whole(comm, found["samples"]), expected)


@pytest.mark.parametrize("count", [0, 1, 5, 3000])
@pytest.mark.parametrize("size", [1, 64])
def test_rows_are_made_block_by_block(comm, random, count, size):
    rows, asked = random.random((count, 3, 2), dtype=np.float32), []

    def made(start, stop):
        asked.append((start, stop))
        return rows[start:stop]

    for space in spaces(comm, (4,)):
        asked.clear()
        slab = by_rows(comm, made, count, size, space)
        assert np.array_equal(whole(comm, slab), rows)
        assert all(start // size == (stop - 1) // size for start, stop in asked if start < stop)
        team = comm.rank // space
        same = [each for rank, each in enumerate(comm.allgather(asked)) if rank // space == team]
        assert all(each == asked for each in same)


def test_a_share_is_of_the_type_of_the_data(comm):
    slab = by_rows(comm, lambda start, stop: np.zeros((stop - start, 2), np.uint16), 5)
    assert (slab.shape, slab.dtype) == ((5, 2), np.uint16)
    assert all(isinstance(piece.rows, np.ndarray) for piece in slab.pieces)


def test_ranks_fail_together(comm):
    schema = Schema((3, 2), "float32", "array", 0.0, 1.0)

    class Failing(Origin):
        def batch(self, block):
            if block == 46:
                raise InputError("row 2999 cannot be made")
            return super().batch(block)

    with pytest.raises(InputError, match="row 2999 cannot be made"):
        shares(comm, Model(schema), {}, schema, Failing(64), 3000)
