"""Check that the pieces of all ranks together hold each number of a dataset exactly once."""

from collections.abc import Sequence

import numpy as np


def require_cover(
    name: str, shape: tuple[int, ...], lengths: tuple[int, ...], boxes: Sequence[tuple[slice, ...]]
) -> None:
    """Raise ValueError unless `boxes` hold each number of the dataset `name` of `shape` once.

    On each axis a box starts at a multiple of `lengths`, and ends at one or at the end of the dataset.
    """
    for box in boxes:
        for axis, length, size in zip(box, lengths, shape, strict=True):
            if axis.start % length or axis.stop > size or (axis.stop % length and axis.stop != size):
                starts, stops = [axis.start for axis in box], [axis.stop for axis in box]
                raise ValueError(
                    f"/{name}: a piece from {starts} to {stops} does not consist of whole blocks of {lengths}"
                )
    # The ends of all boxes cut the dataset into cells. Each is wholly inside a box, or wholly outside.
    cuts = [
        np.unique([0, size, *(end for box in boxes for end in (box[axis].start, box[axis].stop))])
        for axis, size in enumerate(shape)
    ]
    held = np.zeros([len(cut) - 1 for cut in cuts], int)
    for box in boxes:
        ends = (np.searchsorted(cut, [axis.start, axis.stop]) for cut, axis in zip(cuts, box, strict=True))
        held[tuple(slice(*end) for end in ends)] += 1
    for cell in np.argwhere(held != 1)[:1]:
        place = [int(cut[i]) for cut, i in zip(cuts, cell, strict=True)]
        times = held[tuple(cell)]
        raise ValueError(
            f"/{name}: the pieces of all ranks hold the number at {place} {times} times, not once"
        )
