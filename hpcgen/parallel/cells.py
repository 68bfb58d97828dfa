"""How samples are divided into cells along their axes of places. Arithmetic, no MPI."""

from collections.abc import Sequence
from itertools import product
from math import prod

from hpcgen.arrays import Shape
from hpcgen.parallel.partition import Partition


class Grid:
    """The cells of every activation: `shape` says how many there are along each of the first axes of places.

    Cell number c has the indices `cells[c]`, the last axis running fastest: `number` is the inverse. An axis
    is cut as evenly as can be. Each activation is cut by its own sizes.
    """

    def __init__(self, shape: Sequence[int]) -> None:
        self.shape: Shape = tuple(shape)
        self.cells = list(product(*map(range, self.shape)))
        self.number = {indices: cell for cell, indices in enumerate(self.cells)}

    def __len__(self) -> int:
        return prod(self.shape)

    def divides(self, sizes: Sequence[int]) -> bool:
        """Return whether each cell of places of these sizes has a place at least."""
        return len(sizes) >= len(self.shape) and all(
            parts <= size for parts, size in zip(self.shape, sizes, strict=False)
        )

    def partitions(self, sizes: Sequence[int]) -> list[Partition]:
        """Return how each axis of places is cut. Axes after those of the grid have one part."""
        parts = (*self.shape, *[1] * (len(sizes) - len(self.shape)))
        return [Partition.even(size, count) for size, count in zip(sizes, parts, strict=True)]

    def region(self, cell: int, sizes: Sequence[int]) -> tuple[slice, ...]:
        """Return where a cell lies in places of these sizes: a slice for each axis of the grid."""
        return tuple(
            partition.slice(i) for partition, i in zip(self.partitions(sizes), self.cells[cell], strict=False)
        )

    def whole_region(self, cell: int, sizes: Sequence[int]) -> tuple[slice, ...]:
        """Return where a cell lies, a slice for each axis of places."""
        return (*self.region(cell, sizes), *(slice(0, size) for size in sizes[len(self.shape) :]))

    def sizes(self, cell: int, sizes: Sequence[int]) -> Shape:
        """Return the sizes of a cell, of all axes of places."""
        return tuple(axis.stop - axis.start for axis in self.whole_region(cell, sizes))
