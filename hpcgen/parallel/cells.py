"""The division of samples into cells along their spatial axes. Arithmetic, no MPI.

A place is a position on the spatial axes, such as a pixel.
"""

from collections.abc import Sequence
from itertools import product
from math import prod

from hpcgen.arrays import Shape
from hpcgen.parallel.partition import Partition


class Grid:
    """The cells of every activation. `shape` is the number of cells along each of the first spatial axes.

    Cell c has the indices `cells[c]`, with the last axis fastest. `number` is the inverse map. Each axis of
    an activation is cut as evenly as possible.
    """

    def __init__(self, shape: Sequence[int]) -> None:
        self.shape: Shape = tuple(shape)
        self.cells = list(product(*map(range, self.shape)))
        self.number = {indices: cell for cell, indices in enumerate(self.cells)}

    def __len__(self) -> int:
        return prod(self.shape)

    def divides(self, sizes: Sequence[int]) -> bool:
        """Return whether each cell has at least one place, if the spatial axes have these sizes."""
        return len(sizes) >= len(self.shape) and all(
            parts <= size for parts, size in zip(self.shape, sizes, strict=False)
        )

    def partitions(self, sizes: Sequence[int]) -> list[Partition]:
        """Return the Partition of each spatial axis. Axes after those of the grid have one part."""
        parts = (*self.shape, *[1] * (len(sizes) - len(self.shape)))
        return [Partition.even(size, count) for size, count in zip(sizes, parts, strict=True)]

    def region(self, cell: int, sizes: Sequence[int]) -> tuple[slice, ...]:
        """Return the places of a cell: a slice for each axis of the grid. `sizes` are those of all axes."""
        return tuple(
            partition.slice(i) for partition, i in zip(self.partitions(sizes), self.cells[cell], strict=False)
        )

    def whole_region(self, cell: int, sizes: Sequence[int]) -> tuple[slice, ...]:
        """Return the places of a cell: a slice for each spatial axis."""
        return (*self.region(cell, sizes), *(slice(0, size) for size in sizes[len(self.shape) :]))

    def aligned_region(self, cell: int, sizes: Sequence[int], lengths: Sequence[int]) -> tuple[slice, ...]:
        """Return where a cell lies if its edges move to the nearest multiples of `lengths`.

        The ends of an axis stay. The regions of all cells cover each place once. Some may be empty.
        """

        def moved(edge: int, length: int, size: int) -> int:
            return size if edge == size else min((edge + length // 2) // length * length, size)

        return tuple(
            slice(moved(axis.start, length, size), moved(axis.stop, length, size))
            for axis, length, size in zip(self.whole_region(cell, sizes), lengths, sizes, strict=True)
        )

    def sizes(self, cell: int, sizes: Sequence[int]) -> Shape:
        """Return the sizes of a cell on all spatial axes."""
        return tuple(axis.stop - axis.start for axis in self.whole_region(cell, sizes))
