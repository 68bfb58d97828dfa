"""Halo: gather a region around each cell from the cells that hold its places. The adjoint adds it back.

To compute the outputs of a cell, a layer with windows needs the inputs of a region: an interval on each axis.
The interval may reach beyond the next neighbour or beyond the ends of the axis, and it may be empty. A Halo
takes only the regions. It does not know kernel, stride and padding.
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
from hpcgen.parallel.team import Team, require_countable

Slices = tuple[slice, ...]
# A region: (first place, place after the last) on each axis.
Region = tuple[tuple[int, int], ...]


@dataclass(frozen=True, eq=False)
class Piece:
    """The part of the region of cell `to` that lies in cell `source`.

    `there` are its slices in the source, `here` its slices in the region.
    """

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
    """The operator that gathers `regions`, one for each cell, of activations with places of `sizes`.

    Places beyond the ends of an axis are zero. `gather` and `add` are collective over the team.
    """

    def __init__(self, team: Team, sizes: Sequence[int], regions: Sequence[Region]) -> None:
        self.team, self.sizes = team, tuple(sizes)
        mine = set(team.mine)
        pieces = [
            piece for to in range(len(regions)) for piece in pieces_of(team.grid, sizes, regions[to], to)
        ]
        taken: dict[int, list[Piece]] = {cell: [] for cell in range(len(regions))}
        given: dict[int, list[Piece]] = {cell: [] for cell in range(len(regions))}
        for piece in pieces:
            taken[piece.to].append(piece)
            given[piece.source].append(piece)
        # For each region of this rank, its pieces by ascending source. For each cell of this rank, the
        # pieces that regions take from it, by ascending target.
        self.taken = [taken[cell] for cell in team.mine]
        self.given = [given[cell] for cell in team.mine]
        self.shapes = [tuple(stop - start for start, stop in regions[cell]) for cell in team.mine]
        self._sent = _by_rank((piece for piece in pieces if piece.source in mine), team, lambda p: p.to)
        self._received = _by_rank((piece for piece in pieces if piece.to in mine), team, lambda p: p.source)

    def gather(self, x: Divided) -> list["Gathered"]:
        """Return the regions of this rank's cells. x: distributed; the regions: distributed."""
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
        """Return a Spread for each region of this rank. A layer writes to it what `add` adds to the cells."""
        sizes = [self.team.grid.sizes(cell, self.sizes) for cell in self.team.mine]
        return [
            Spread(n, shape, size, rest, pieces, dtype)
            for shape, size, pieces in zip(self.shapes, sizes, self.taken, strict=True)
        ]

    def add(self, spreads: Sequence["Spread"]) -> Divided:
        """Return the cells, each the sum of the pieces of all regions: the adjoint of `gather`.

        A cell adds its own region first, then the regions of the other cells in their order. spreads:
        distributed; the cells: distributed.
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
    """A region that `gather` returned. `read` joins its pieces for one chunk of samples at a time.

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
        """Release the joined chunk. Only the pieces are kept for the backward pass."""
        self._room = None


class Spread(Samples):
    """A region that a layer writes, one chunk of samples at a time.

    `own` holds the part in the region's own cell, `pieces` the parts in other cells.
    """

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
    """Return the pieces of the region of cell `to`, in the order of their source cells."""
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
    """Send arrays to other ranks of the team, in one message per rank. Return the arrays that arrive.

    `sent` and `shapes` (of the arrays that arrive) have the ranks as keys.
    """
    if not sent and not shapes:
        return {}
    from mpi4py import MPI

    ends = {rank: list(accumulate(map(prod, each), initial=0)) for rank, each in shapes.items()}
    for each in ends.values():
        require_countable(each[-1])
    # MPI reads and writes host memory.
    rooms = {rank: np.empty(each[-1], dtype) for rank, each in ends.items()}
    packed = {
        rank: to_host(np.concatenate([array.reshape(-1) for array in arrays]))
        for rank, arrays in sent.items()
    }
    with team.traffic(len(packed), sum(array.nbytes for array in packed.values())):
        requests = [team.comm.Irecv(room, rank) for rank, room in rooms.items()]
        requests += [team.comm.Isend(array, rank) for rank, array in packed.items()]
        MPI.Request.Waitall(requests)
    return {
        rank: [
            whole[start:end].reshape(shape)
            for (start, end), shape in zip(pairwise(ends[rank]), shapes[rank], strict=True)
        ]
        for rank, whole in zip(rooms, map(from_host, rooms.values()), strict=True)
    }
