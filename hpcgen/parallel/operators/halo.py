"""Halo: each cell with what its neighbours have of a region around it, and the adjoint, which adds that back.

A layer of windows needs, for the outputs of a cell, the inputs of a region: an interval on each axis, which
may reach beyond the next neighbour, beyond the ends of the axis, or hold nothing. The regions alone say which
pieces of which cells they consist of. Kernel, stride and padding are not known here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise, product
from math import prod
from typing import Any

import numpy as np

from hpcgen.arrays import Array, Shape, empty, from_host, to_host, zeros
from hpcgen.nn.convolution.samples import Samples
from hpcgen.nn.divided import Divided
from hpcgen.parallel.cells import Grid
from hpcgen.parallel.team import Team

Slices = tuple[slice, ...]
# Of a region: (first place, place after the last) on each axis.
Region = tuple[tuple[int, int], ...]


@dataclass(frozen=True, eq=False)
class Piece:
    """What the region of one cell, `to`, takes from the places of another, `source`: where it lies there and
    here."""

    source: int
    to: int
    there: Slices
    here: Slices

    @property
    def shape(self) -> Shape:
        """The places of the piece."""
        return tuple(axis.stop - axis.start for axis in self.there)

    @property
    def own(self) -> bool:
        """Whether the region takes the piece from its own cell."""
        return self.source == self.to


class Halo:
    """The regions of all cells of activations whose places have `sizes`: `regions` has one a cell.

    Places beyond the ends of an axis are zero. All methods are collective over the team.
    """

    def __init__(self, team: Team, sizes: Sequence[int], regions: Sequence[Region]) -> None:
        self.team, self.sizes = team, tuple(sizes)
        mine = set(team.mine)
        pieces = [
            piece for to in range(len(regions)) for piece in pieces_of(team.grid, sizes, regions[to], to)
        ]
        # Of each region here, the pieces by ascending source; of each cell here, by ascending target.
        self.taken = [[piece for piece in pieces if piece.to == cell] for cell in team.mine]
        self.given = [[piece for piece in pieces if piece.source == cell] for cell in team.mine]
        self.shapes = [tuple(stop - start for start, stop in regions[cell]) for cell in team.mine]
        self._sent = _by_rank((piece for piece in pieces if piece.source in mine), team, lambda p: p.to)
        self._received = _by_rank((piece for piece in pieces if piece.to in mine), team, lambda p: p.source)

    def gather(self, x: Divided) -> list["Gathered"]:
        """Return the regions of the cells that are here. x: distributed; the regions: distributed."""
        team, n, rest = self.team, len(x), x.cells[0].shape[1 + len(self.sizes) :]
        sent = {
            rank: [x.cells[team.here(piece.source)][(slice(None), *piece.there)] for piece in pieces]
            for rank, pieces in self._sent.items()
        }
        shapes = {rank: [(n, *p.shape, *rest) for p in pieces] for rank, pieces in self._received.items()}
        received = _exchange(team, sent, shapes, x.dtype)
        arrived = {
            piece: array
            for rank, pieces in self._received.items()
            for piece, array in zip(pieces, received[rank], strict=True)
        }

        def found(piece: Piece) -> Array:
            if piece in arrived:
                return arrived[piece]
            return x.cells[team.here(piece.source)][(slice(None), *piece.there)]

        return [
            Gathered(shape, rest, [(piece.here, found(piece)) for piece in pieces], x.dtype)
            for shape, pieces in zip(self.shapes, self.taken, strict=True)
        ]

    def spread(self, n: int, rest: Shape, dtype: Any) -> list["Spread"]:
        """Return a `Samples` for each region here, which takes what is to be added back to the cells."""
        sizes = [self.team.grid.sizes(cell, self.sizes) for cell in self.team.mine]
        return [
            Spread(n, shape, size, rest, pieces, dtype)
            for shape, size, pieces in zip(self.shapes, sizes, self.taken, strict=True)
        ]

    def add(self, spreads: Sequence["Spread"]) -> Divided:
        """Return the cells, to which all regions have added their pieces: the adjoint of `gather`.

        A cell takes its own region first, then those of the other cells in their order. spreads: distributed;
        the cells: distributed.
        """
        team = self.team
        made = {piece: array for spread in spreads for piece, array in spread.pieces.items()}
        sent = {rank: [made[piece] for piece in pieces] for rank, pieces in self._received.items()}
        n, rest, dtype = spreads[0].n, spreads[0].rest, spreads[0].own.dtype
        shapes = {rank: [(n, *p.shape, *rest) for p in pieces] for rank, pieces in self._sent.items()}
        received = _exchange(team, sent, shapes, dtype)
        for rank, pieces in self._sent.items():
            made |= dict(zip(pieces, received[rank], strict=True))
        for spread, given in zip(spreads, self.given, strict=True):
            for piece in given:
                if not piece.own:
                    spread.own[(slice(None), *piece.there)] += made[piece]
        return team.divided([spread.own for spread in spreads])


class Gathered(Samples):
    """A region of samples, made a chunk at a time: its places and the pieces that it consists of.

    An array that `read` returns is valid until the next call.
    """

    def __init__(self, shape: Shape, rest: Shape, pieces: list[tuple[Slices, Array]], dtype: Any) -> None:
        self._shape, self._pieces, self._dtype = (*shape, *rest), pieces, dtype
        self._room: Array | None = None

    def read(self, chunk: slice) -> Array:
        n = chunk.stop - chunk.start
        if self._room is None or len(self._room) < n:
            # Places beyond the ends of an axis stay zero.
            self._room = zeros((n, *self._shape), self._dtype)
        room = self._room[:n]
        for here, piece in self._pieces:
            room[(slice(None), *here)] = piece[chunk]
        return room

    def release(self) -> None:
        """Let go of the room: what is kept for the derivative are the pieces."""
        self._room = None


class Spread(Samples):
    """A region that takes samples a chunk at a time: `own` has what belongs to its own cell, `pieces` what
    belongs to others."""

    def __init__(
        self, n: int, shape: Shape, sizes: Shape, rest: Shape, taken: Sequence[Piece], dtype: Any
    ) -> None:
        self.n, self.rest = n, rest
        self._shape, self._room = (*shape, *rest), empty(0, dtype)
        self._own = [piece for piece in taken if piece.own]
        whole = any(piece.shape == sizes for piece in self._own)
        make = empty if whole else zeros
        self.own: Array = make((n, *sizes, *rest), dtype)
        self.pieces = {p: empty((n, *p.shape, *rest), dtype) for p in taken if not p.own}

    def open(self, chunk: slice) -> Array:
        n = chunk.stop - chunk.start
        if len(self._room) < n:
            self._room = empty((n, *self._shape), self._room.dtype)
        return self._room[:n]

    def close(self, chunk: slice) -> None:
        room = self._room[: chunk.stop - chunk.start]
        for piece in self._own:
            self.own[(chunk, *piece.there)] = room[(slice(None), *piece.here)]
        for piece, array in self.pieces.items():
            array[chunk] = room[(slice(None), *piece.here)]


def pieces_of(grid: Grid, sizes: Sequence[int], region: Region, to: int) -> list[Piece]:
    """Return the pieces of the region of the cell `to`, in the order of the cells that they come from."""
    axes = []
    for partition, (start, stop), size in zip(grid.partitions(sizes), region, sizes, strict=True):
        low, high = max(start, 0), min(stop, size)
        axes.append(
            [
                (part, there, slice(low - start + inside.start, low - start + inside.stop))
                for part, there, inside in partition.pieces(low, high)
            ]
        )
    found = []
    for parts in product(*axes):
        indices = tuple(part for part, _, _ in parts)[: len(grid.shape)]
        there, here = tuple(a for _, a, _ in parts), tuple(b for _, _, b in parts)
        found.append(Piece(grid.number[indices], to, there, here))
    return found


def _by_rank(pieces: Any, team: Team, other: Any) -> dict[int, list[Piece]]:
    """Return the pieces that pass between this rank and each other rank, in the same order on both."""
    found: dict[int, list[Piece]] = {}
    for piece in pieces:
        rank = team.owners[other(piece)]
        if rank != team.comm.rank:
            found.setdefault(rank, []).append(piece)
    return found


def _exchange(
    team: Team, sent: dict[int, list[Array]], shapes: dict[int, list[Shape]], dtype: Any
) -> dict[int, list[Array]]:
    """Send arrays to other ranks, one message a rank, and return those of these shapes that arrive."""
    if not sent and not shapes:
        return {}
    from mpi4py import MPI

    ends = {rank: list(accumulate(map(prod, each), initial=0)) for rank, each in shapes.items()}
    # MPI reads and writes host memory.
    rooms = {rank: np.empty(each[-1], dtype) for rank, each in ends.items()}
    packed = {
        rank: to_host(np.concatenate([array.reshape(-1) for array in arrays]))
        for rank, arrays in sent.items()
    }
    with team.traffic(len(packed), sum(array.nbytes for array in packed.values())):
        requests = [team.comm.Irecv([room, MPI.BYTE], rank) for rank, room in rooms.items()]
        requests += [team.comm.Isend([array, MPI.BYTE], rank) for rank, array in packed.items()]
        MPI.Request.Waitall(requests)
    return {
        rank: [
            whole[start:end].reshape(shape)
            for (start, end), shape in zip(pairwise(ends[rank]), shapes[rank], strict=True)
        ]
        for rank, whole in zip(rooms, map(from_host, rooms.values()), strict=True)
    }
