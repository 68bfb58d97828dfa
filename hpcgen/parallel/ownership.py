"""Ownership: the ranges of a player's flat vector that each rank owns. Arithmetic, no MPI.

An exchange makes an Ownership. The optimizer, the checkpoint and the norms of tensors use it, and do not
compute ranges themselves. A rank may own several ranges, in any order, or none. It keeps the numbers that it
owns packed: one range after the other, in one array.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, zip_longest

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
    def where(self) -> slice:
        """Where the numbers lie in the vector."""
        return slice(self.start, self.stop)

    @property
    def inside(self) -> slice:
        """The slice of the owner's packed numbers that holds this piece."""
        return slice(self.packed, self.packed + self.stop - self.start)

    def within(self, section: slice) -> "Piece":
        """Return the part of the piece that lies in a section of the vector. If none does, start >= stop."""
        start, stop = max(self.start, section.start), min(self.stop, section.stop)
        return Piece(start, stop, self.owner, self.packed + start - self.start)


class Ownership:
    """The ranges of a vector that each rank owns.

    `ranges[rank]` is a list of slices. All ranges together cover each number once. `rank` is this rank.
    """

    def __init__(self, ranges: Sequence[Sequence[slice]], rank: int) -> None:
        self.rank = rank
        # The pieces of each rank in their packed order, those of this rank, and all in the vector's order.
        self._owned = [list(_packed_pieces(mine, owner)) for owner, mine in enumerate(ranges)]
        self.mine = self._owned[rank]
        self.pieces = sorted((p for owned in self._owned for p in owned), key=lambda piece: piece.start)
        for piece, following in pairwise(self.pieces):
            if piece.stop != following.start:
                raise ValueError(f"{piece} and {following} do not follow each other")
        self.ranges = [[piece.where for piece in owned] for owned in self._owned]
        # Whether this rank owns a single range. Then `take` returns a view, and `put` is not needed.
        self.contiguous = len(self.mine) == 1
        # For each n, the n-th range of every rank as (counts, starts). A rank without such a range has 0.
        self.rounds = [counts_and_starts(nth) for nth in zip_longest(*self.ranges, fillvalue=slice(0, 0))]

    @classmethod
    def even(cls, size: int, ranks: int, rank: int) -> "Ownership":
        """Return an ownership in which each rank owns one range of whole blocks, in rank order."""
        parts = Partition.even(size, ranks, OWNERSHIP_BLOCK)
        return cls([[parts.slice(owner)] for owner in range(ranks)], rank)

    @property
    def size(self) -> int:
        """The number of numbers that this rank owns."""
        return sum(piece.stop - piece.start for piece in self.mine)

    @property
    def covered(self) -> slice:
        """The numbers that the ranks own together."""
        return slice(self.pieces[0].start, self.pieces[-1].stop) if self.pieces else slice(0, 0)

    def within(self, section: slice) -> "Ownership":
        """Return the ownership of one section of the vector, such as `layout.parameters`."""
        return Ownership([[p.where for p in _within(owned, section)] for owned in self._owned], self.rank)

    def pieces_within(self, section: slice) -> list[Piece]:
        """Return the pieces of a section of the vector that all ranks own, in the vector's order."""
        return _within(self.pieces, section)

    def mine_within(self, section: slice) -> list[Piece]:
        """Return the pieces of a section of the vector that this rank owns, in its packed order."""
        return _within(self.mine, section)

    def take(self, vector: Array) -> Array:
        """Return this rank's numbers of a whole vector, packed: a view if it owns one range, else a copy."""
        return packed(vector, self.ranges[self.rank])

    def put(self, vector: Array, values: Array) -> None:
        """Write this rank's packed numbers into a whole vector."""
        for piece in self.mine:
            vector[piece.where] = values[piece.inside]

    def runs(self, section: slice) -> list[slice]:
        """Return the slices of this rank's packed numbers that belong to a section of the vector."""
        return [piece.inside for piece in self.mine_within(section)]


def packed(values: Array, runs: Sequence[slice]) -> Array:
    """Return these slices of `values`, one after the other: a view of one slice, a copy of several."""
    if len(runs) == 1:
        return values[runs[0]]
    return np.concatenate([values[run] for run in runs]) if runs else values[:0]


def counts_and_starts(ranges: Sequence[slice]) -> tuple[list[int], list[int]]:
    """Return the counts and the starts of the ranges, as MPI takes them."""
    return [r.stop - r.start for r in ranges], [r.start for r in ranges]


def _packed_pieces(ranges: Iterable[slice], owner: int) -> Iterator[Piece]:
    """Yield the ranges of one owner, which keeps one after the other. Empty ones are left out."""
    packed = 0
    for r in ranges:
        if r.stop > r.start:
            yield Piece(r.start, r.stop, owner, packed)
            packed += r.stop - r.start


def _within(pieces: Iterable[Piece], section: slice) -> list[Piece]:
    """Return the parts of the pieces that lie in a section of the vector, in order."""
    parts = (piece.within(section) for piece in pieces)
    return [part for part in parts if part.start < part.stop]
