"""The tensors of a flat vector of which this rank owns a part: where they lie, and their norms."""

import itertools
from collections.abc import Callable, Iterator
from math import prod

import numpy as np

from hpcgen.arrays import Array, to_host
from hpcgen.nn.vector import Layout, Tensors
from hpcgen.parallel.ownership import Ownership, Piece
from hpcgen.parallel.partition import OWNERSHIP_BLOCK


class Parts(Tensors):
    """The parameters of a Layout in the numbers that this rank owns, and the norm of each over the whole
    vector.

    A norm is added up from pieces that end at multiples of `block`, and where tensors end. Ranges
    that ranks own end there too. The pieces, and so the bits of a norm, are therefore the same whoever owns
    what.

    `ownership` is that of the parameters alone. `collect(values)` returns the values of all ranks in the
    order of the ranks; then `norms` is collective. Iteration gives (number of the tensor, its slice of the
    packed numbers, whether it has more than one axis).
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
        # `collect` returns the pieces rank by rank; the vector has them in the order of `pieces`.
        by_rank = np.argsort([piece.owner for piece in pieces], kind="stable")
        self._order = np.empty(len(pieces), np.intp)
        self._order[by_rank] = np.arange(len(pieces))

    def __iter__(self) -> Iterator[tuple[int, slice, bool]]:
        return iter(self._here)

    def norms(self, array: Array) -> np.ndarray:
        """Return each tensor's Euclidean norm (tensors,) in float64. `array` holds this rank's packed
        numbers.

        Collective if `collect` is.
        """
        # No square overflows in float64.
        host = to_host(array)
        pieces = (host[piece].astype(np.float64) for piece in self._pieces)
        squares = self._collect(np.array([np.dot(piece, piece) for piece in pieces], np.float64))
        return np.sqrt(np.bincount(self._tensors, squares[self._order], minlength=0))
