"""The tensors of a flat vector, of which only a slice may be here: where they lie, and their norms."""

from math import prod

import numpy as np


class Parts:
    """The parameters of a Layout in the slice `owned` of its vector, and the norms of each over the whole vector.

    A norm is added up from pieces that end at multiples of `block` as well as where tensors end. Slices of the vector that end
    there, too, have the same pieces between them as the whole, so that norms are the same bits whoever owns what. `gather`
    returns the concatenation of what all owners give it, in their order: then `norms` is collective.

    Iteration gives (number of the tensor, its slice of the owned part, whether it has more than one axis).
    """

    def __init__(self, layout, owned, block, gather=lambda values: values):
        self._gather, self._here, self._pieces, self._tensors = gather, [], [], []
        for number, name in enumerate(layout.names(layout.parameters)):
            start = layout.offsets[name]
            stop = start + prod(layout.shapes[name])
            cuts = [start, *range(start - start % block + block, stop, block), stop]
            self._tensors += [number] * (len(cuts) - 1)
            first, last = max(start, owned.start), min(stop, owned.stop)
            if first < last:
                self._here.append(
                    (number, slice(first - owned.start, last - owned.start), len(layout.shapes[name]) > 1)
                )
                mine = [cut for cut in cuts if first < cut < last]
                bounds = [first, *mine, last]
                self._pieces += [slice(a - owned.start, b - owned.start) for a, b in zip(bounds, bounds[1:])]

    def __iter__(self):
        return iter(self._here)

    def norms(self, array):
        """Return each tensor's Euclidean norm (tensors,) in float64; `array` is the owned part. Collective if `gather` is."""
        # In float64, where no square overflows.
        pieces = (array[piece].astype(np.float64) for piece in self._pieces)
        squares = self._gather(np.array([np.dot(piece, piece) for piece in pieces], np.float64))
        return np.sqrt(np.bincount(self._tensors, squares))
