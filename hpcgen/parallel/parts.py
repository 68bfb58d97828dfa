"""The tensors of a flat vector that this rank owns in part: their positions, and their norms."""

import itertools
from collections.abc import Callable, Iterator
from math import prod

import numpy as np

from hpcgen.arrays import Array, to_host
from hpcgen.nn.vector import Layout, Tensors
from hpcgen.parallel.ownership import Ownership, Piece
from hpcgen.parallel.partition import OWNERSHIP_BLOCK


class Parts(Tensors):
    """The positions of a Layout's parameters in the numbers that this rank owns, and the norm of each whole
    parameter.

    A norm is the sum over pieces that end at multiples of `block` or at the end of a tensor. The ranges that
    ranks own end at the same places. Therefore the pieces, and the bits of a norm, do not depend on the
    ownership.

    `ownership` is the ownership of the parameters. `collect(values)` returns the values of all ranks, in rank
    order. If it is collective, so is `norms`. Iteration yields (number of the tensor, its slice of the packed
    numbers, whether it has more than one axis).
    """

    def __init__(
        self,
        layout: Layout,
        ownership: Ownership,
        collect: Callable[[np.ndarray], np.ndarray] = lambda values: values,
        block: int = OWNERSHIP_BLOCK,
    ) -> None:
        self._collect = collect
        self._here: list[tuple[int, slice, bool]] = []
        names = layout.names(layout.parameters)
        # The pieces in the vector's order, and the tensor of each.
        pieces: list[Piece] = []
        self._tensors: list[int] = []
        for number, name in enumerate(names):
            start = layout.offsets[name]
            for owned in ownership.pieces_within(slice(start, start + prod(layout.shapes[name]))):
                inner = range(owned.start - owned.start % block + block, owned.stop, block)
                cuts = [owned.start, *inner, owned.stop]
                pieces += [owned.within(slice(*ends)) for ends in itertools.pairwise(cuts)]
                self._tensors += [number] * (len(cuts) - 1)
                if owned.owner == ownership.rank:
                    self._here.append((number, owned.inside, len(layout.shapes[name]) > 1))
        self._pieces = [piece.inside for piece in pieces if piece.owner == ownership.rank]
        # `collect` returns the pieces in rank order. The vector has them in the order of `pieces`.
        by_rank = np.argsort([piece.owner for piece in pieces], kind="stable")
        self._order = np.empty(len(pieces), np.intp)
        self._order[by_rank] = np.arange(len(pieces))

    def __iter__(self) -> Iterator[tuple[int, slice, bool]]:
        return iter(self._here)

    def norms(self, array: Array) -> np.ndarray:
        """Return the Euclidean norm of each tensor, (tensors,) float64. `array` holds this rank's packed
        numbers.

        Collective if `collect` is.
        """
        # In float64 no square overflows.
        host = to_host(array)
        pieces = (host[piece].astype(np.float64) for piece in self._pieces)
        squares = self._collect(np.array([np.dot(piece, piece) for piece in pieces], np.float64))
        return np.sqrt(np.bincount(self._tensors, squares[self._order], minlength=0))
