"""Ownership: the ranges of a player's flat vector that each rank owns. Arithmetic, no MPI.

An exchange makes an Ownership. The optimizer, the checkpoint and the norms of tensors use it, and do not
compute ranges themselves. A rank may own several ranges, in any order, or none. It keeps the numbers that it
owns packed: one range after the other, in one array.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, zip_longest

import numpy as np

from hpcgen.arrays import Array
from hpcgen.parallel.partition import OWNERSHIP_BLOCK, Partition


@dataclass(frozen=True)
class Piece:
    """The numbers [start, stop) of a vector, which the rank `owner` keeps packed from position `packed`."""

    start: int
    stop: int
    owner: int
    packed: int

    @property
    def inside(self) -> slice:
        """The slice of the owner's packed numbers that holds this piece."""
        return slice(self.packed, self.packed + self.stop - self.start)


class Ownership:
    """The ranges of a vector that each rank owns.

    `ranges[rank]` is a list of slices. All ranges together cover each number once. `rank` is this rank.
    """

    def __init__(self, ranges: Sequence[Sequence[slice]], rank: int) -> None:
        self.rank = rank
        self.ranges = [[r for r in mine if r.stop > r.start] for mine in ranges]
        self.pieces = sorted(self._all_pieces(), key=lambda piece: piece.start)
        # The pieces of this rank, in their packed order.
        self.mine = sorted((p for p in self.pieces if p.owner == rank), key=lambda piece: piece.packed)
        self._mine = [slice(piece.start, piece.stop) for piece in self.mine]
        # Whether this rank owns a single range. Then `take` returns a view, and `put` is not needed.
        self.contiguous = len(self.mine) == 1
        # For each n, the n-th range of every rank as (counts, starts). A rank without such a range has 0.
        self.rounds = [_counts_and_starts(nth) for nth in zip_longest(*self.ranges, fillvalue=slice(0, 0))]

    @classmethod
    def even(cls, size: int, ranks: int, rank: int) -> "Ownership":
        """Return an ownership in which each rank owns one range of whole blocks, in rank order."""
        parts = Partition.even(size, ranks, OWNERSHIP_BLOCK)
        return cls([[parts.slice(owner)] for owner in range(ranks)], rank)

    def _all_pieces(self) -> Iterator[Piece]:
        for owner, mine in enumerate(self.ranges):
            lengths = [r.stop - r.start for r in mine]
            for r, packed in zip(mine, accumulate(lengths, initial=0), strict=False):
                yield Piece(r.start, r.stop, owner, packed)

    @property
    def size(self) -> int:
        """The number of numbers that this rank owns."""
        return sum(piece.stop - piece.start for piece in self.mine)

    def within(self, section: slice) -> "Ownership":
        """Return the ownership of one section of the vector, such as `layout.parameters`."""

        def cut(r: slice) -> slice:
            return slice(max(r.start, section.start), min(r.stop, section.stop))

        return Ownership([[cut(r) for r in mine] for mine in self.ranges], self.rank)

    def take(self, vector: Array) -> Array:
        """Return this rank's numbers of a whole vector, packed: a view if it owns one range, else a copy."""
        return packed(vector, self._mine)

    def put(self, vector: Array, values: Array) -> None:
        """Write this rank's numbers, packed, into a whole vector."""
        for piece in self.mine:
            vector[piece.start : piece.stop] = values[piece.inside]

    def runs(self, section: slice) -> list[slice]:
        """Return the slices of this rank's packed numbers that belong to a section of the vector."""
        runs = []
        for piece in self.mine:
            first, last = max(piece.start, section.start), min(piece.stop, section.stop)
            if first < last:
                start = piece.packed + first - piece.start
                runs.append(slice(start, start + last - first))
        return runs

    def locate(self, start: int, stop: int) -> Iterator[tuple[slice, slice]]:
        """Yield (slice of [start, stop), slice of the packed numbers) for each piece that this rank owns in
        [start, stop)."""
        for piece in self.mine:
            first, last = max(piece.start, start), min(piece.stop, stop)
            if first < last:
                inside = piece.packed + first - piece.start
                yield slice(first - start, last - start), slice(inside, inside + last - first)


def packed(values: Array, runs: Sequence[slice]) -> Array:
    """Return these slices of `values`, one after the other: a view of one slice, a copy of several."""
    if len(runs) == 1:
        return values[runs[0]]
    return np.concatenate([values[run] for run in runs]) if runs else values[:0]


def _counts_and_starts(ranges: Sequence[slice]) -> tuple[list[int], list[int]]:
    return [r.stop - r.start for r in ranges], [r.start for r in ranges]
