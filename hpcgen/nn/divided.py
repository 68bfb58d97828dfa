"""Samples that are divided into cells along their spatial axes. A rank holds some of the cells.

The cells of a lane may lie on several ranks, which together are the team of the lane. NumPy's elementwise
functions work on a `Divided` as on an array. A sum over places must use `total` or `summed`, which add over
all cells of the lane. Each function below also takes plain arrays, which are samples with a single cell.
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
        """Return function(*cell) for each cell of this rank."""

    def total(self, parts: Sequence[Any]) -> Any:
        """Return the sum over all cells of the lane. Collective over the team.

        `parts` has an array or number for each cell of this rank, all of one shape.
        """


class Divided(np.lib.mixins.NDArrayOperatorsMixin):
    """Samples (n, *places, ...) in cells. `cells` are this rank's cells, (n, *places of the cell, ...)."""

    def __init__(self, cells: Sequence[Array], team: Team) -> None:
        self.cells, self.team = list(cells), team

    def __len__(self) -> int:
        return len(self.cells[0])

    @property
    def dtype(self) -> np.dtype:
        """The type of the numbers."""
        return self.cells[0].dtype

    def map(self, function: Callable[..., Array], *others: "Array | Divided") -> "Divided":
        """Return the Divided of function(cell, *others). Of another Divided, the same cell is passed."""
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
    """Return function(*arrays) for each cell. A Divided passes its cell, any other value itself."""
    first = next(array for array in arrays if isinstance(array, Divided))
    cells = (array.cells if isinstance(array, Divided) else [array] * len(first.cells) for array in arrays)
    return first.team.each(function, *cells)


def each(function: Callable[..., Array], x: Any, *others: Any) -> Any:
    """Return function(x, *others), for a function that acts on each place separately."""
    return x.map(function, *others) if isinstance(x, Divided) else function(x, *others)


def total(function: Callable[..., Any], x: Any, *others: Any) -> Any:
    """Return function(x, *others), for a function that adds over places.

    Collective over the team of a Divided.
    """
    if not isinstance(x, Divided):
        return function(x, *others)
    return x.team.total(_of_cells(function, x, *others))


def summed(function: Callable[..., tuple[Any, Array]], x: Any, *others: Any) -> tuple[Any, Any]:
    """Return function(x, *others): a sum over places, and an array that is computed place by place.

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
    """The gradient of a lane on this rank. `leaves` has a Vector for each cell of this rank.

    `whole` takes derivatives that are the same on all ranks of the team, so that they count once. It is the
    Vector of the first cell, or None on ranks without the first cell.
    """

    def __init__(self, vectors: Sequence[Vector], first: bool) -> None:
        self.leaves = list(vectors)
        self.whole = self.leaves[0] if first else None
        for vector in self.leaves[first:]:
            # Layers on whole samples write only to `whole`.
            vector.data[...] = 0

    @property
    def layout(self) -> Layout:
        """The layout of each Vector."""
        return self.leaves[0].layout

    def add(self, other: "Leaves") -> None:
        """Add the derivatives in the parameters of another gradient of the same cells."""
        for mine, theirs in zip(self.leaves, other.leaves, strict=True):
            mine.add(theirs)


# The gradient of a lane, to which backward passes write: a Vector, or Leaves if samples are divided.
Gradient: TypeAlias = Any
