"""Samples divided into cells along their axes of places: an array in parts, of which some are here.

The cells of a lane's samples may lie on several ranks, which together are the team of the lane. Elementwise
functions of NumPy serve a `Divided` as they serve an array. Whatever adds over places goes through `total` or
`summed`, which add over all cells of the lane. Each function below takes plain arrays too: an array is its
own only cell.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol, TypeAlias, TypeVar

import numpy as np

from hpcgen.arrays import Array
from hpcgen.nn.vector import Layout, Vector

Result = TypeVar("Result")


class Team(Protocol):
    """The ranks that share a lane."""

    def each(self, function: Callable[..., Result], *cells: Sequence[Any]) -> list[Result]:
        """Return function(*cell) of each cell that is here."""

    def total(self, parts: Sequence[Any]) -> Any:
        """Return the sum over all cells of the lane, from the numbers (arrays of one shape) of the cells
        that are here. Collective over the team."""


class Divided(np.lib.mixins.NDArrayOperatorsMixin):
    """Samples (n, *places, ...) in cells: `cells` are those that are here, (n, *places of the cell, ...)."""

    def __init__(self, cells: Sequence[Array], team: Team) -> None:
        self.cells, self.team = list(cells), team

    def __len__(self) -> int:
        return len(self.cells[0])

    @property
    def dtype(self) -> np.dtype:
        """The type of the numbers."""
        return self.cells[0].dtype

    def map(self, function: Callable[..., Array], *others: "Array | Divided") -> "Divided":
        """Return function(cell, *others) of each cell. Another Divided gives its own cell each time."""
        return Divided(_of_cells(function, self, *others), self.team)

    def copy(self) -> "Divided":
        """Return a copy of all cells."""
        return self.map(np.copy)

    def __getitem__(self, rows: slice) -> "Divided":
        """Return some of the samples."""
        return self.map(lambda cell: cell[rows])

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = None, **options: Any) -> Any:
        if method != "__call__":
            return NotImplemented
        if out is None:
            return Divided(_of_cells(partial(ufunc, **options), *inputs), self.team)

        def write(target: Array, *cell: Any) -> None:
            ufunc(*cell, out=target, **options)

        _of_cells(write, out[0], *inputs)
        return out[0]


def _of_cells(function: Callable[..., Result], *arrays: Any) -> list[Result]:
    """Return function(*arrays) of each cell: of the cell of a Divided, and of anything else as it is."""
    first = next(array for array in arrays if isinstance(array, Divided))
    cells = (array.cells if isinstance(array, Divided) else [array] * len(first.cells) for array in arrays)
    return first.team.each(function, *cells)


def each(function: Callable[..., Array], x: Any, *others: Any) -> Any:
    """Return function(x, *others), which treats each place by itself."""
    return x.map(function, *others) if isinstance(x, Divided) else function(x, *others)


def total(function: Callable[..., Any], x: Any, *others: Any) -> Any:
    """Return function(x, *others), which adds over places. Collective over the team of a Divided."""
    if not isinstance(x, Divided):
        return function(x, *others)
    return x.team.total(_of_cells(function, x, *others))


def summed(function: Callable[..., tuple[Any, Array]], x: Any, *others: Any) -> tuple[Any, Any]:
    """Return function(x, *others): a sum over places, and an array that treats each place by itself.

    Collective over the team of a Divided.
    """
    if not isinstance(x, Divided):
        return function(x, *others)
    sums, cells = zip(*_of_cells(function, x, *others), strict=True)
    return x.team.total(sums), Divided(cells, x.team)


def stacked(first: Any, second: Any) -> Any:
    """Return the samples of both, one after the other."""
    return each(lambda a, b: np.concatenate([a, b]), first, second)


class Leaves:
    """The gradient of a lane on this rank: a Vector for each of its cells that are here.

    `leaves` has the Vectors. What all ranks of the team compute alike counts once: `whole` is the Vector of
    the first cell, or None where another rank has it.
    """

    def __init__(self, vectors: Sequence[Vector], first: bool) -> None:
        self.leaves = list(vectors)
        self.whole = self.leaves[0] if first else None
        for vector in self.leaves[first:]:
            # No layer that is computed whole writes there.
            vector.data[...] = 0

    @property
    def layout(self) -> Layout:
        """The layout of each Vector."""
        return self.leaves[0].layout

    def add(self, other: "Leaves") -> None:
        """Add the derivatives in the parameters of another gradient of the same cells."""
        for mine, theirs in zip(self.leaves, other.leaves, strict=True):
            mine.add(theirs)


# What takes the gradient of a lane: a Vector, or Leaves where samples are divided. A layer meets only the
# kind that it was made for.
Gradient: TypeAlias = Any
