"""Means over boxes: fewer numbers, to compare samples that have many."""

from collections.abc import Sequence
from math import prod

import numpy as np


def box_of(sizes: Sequence[int], most: int) -> tuple[int, ...]:
    """Return the size of boxes into which axes of `sizes` are cut, so that there are at most `most` boxes.

    The axis with the most boxes gets boxes of twice the size, until they are few enough.
    """
    box, counts = [1] * len(sizes), list(sizes)
    while prod(counts) > most and max(counts) > 1:
        axis = counts.index(max(counts))
        box[axis] *= 2
        counts[axis] = -(-sizes[axis] // box[axis])
    return tuple(box)


def means(x: np.ndarray, box: Sequence[int]) -> np.ndarray:
    """Return the means over boxes of the block x (n, *sizes, ...). Boxes at the end of an axis may be
    smaller."""
    for axis, length in enumerate(box, 1):
        if length > 1:
            starts = np.arange(0, x.shape[axis], length)
            counts = np.diff([*starts, x.shape[axis]])
            x = np.add.reduceat(x, starts, axis) / counts.reshape(-1, *[1] * (x.ndim - 1 - axis))
    return x
