"""The fixed binary tree in which gradients are added. Arithmetic, no MPI.

A leaf is a cell of a lane: the leaf of cell c of lane l has the number l cells + c. Without cells a leaf is a
lane. The sum over the lanes [lo, hi) is the sum over [lo, middle) plus the sum over [middle, hi), where
middle - lo is the largest power of two below hi - lo. The sum over the cells of a lane is divided in the same
way. The tree depends only on the numbers of lanes and of cells. The bits are therefore the same, whichever
ranks add.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Generic, TypeVar

Sum = TypeVar("Sum")


def middle(lo: int, hi: int, cells: int = 1) -> int:
    """Return where the node [lo, hi), of two leaves or more, is divided.

    A node of several lanes is divided between two lanes, a node within a lane between two of its cells.
    """
    unit = cells if hi - lo > cells else 1
    return lo + (1 << ((hi - lo) // unit - 1).bit_length() - 1) * unit


def cover(start: int, stop: int, lo: int, hi: int, cells: int = 1) -> list[tuple[int, int]]:
    """Return the largest nodes of the tree over [lo, hi) that make up the leaves [start, stop), in order."""
    if start >= hi or stop <= lo:
        return []
    if start <= lo and hi <= stop:
        return [(lo, hi)]
    between = middle(lo, hi, cells)
    return cover(start, stop, lo, between, cells) + cover(start, stop, between, hi, cells)


def tree_sum(parts: Sequence[Any]) -> Any:
    """Return the sum of `parts`, one for each leaf, added in the tree. The parts are not changed."""
    if len(parts) == 1:
        return parts[0]
    between = middle(0, len(parts))
    return tree_sum(parts[:between]) + tree_sum(parts[between:])


class TreeSum(Generic[Sum]):
    """Add the sums of consecutive nodes of the tree, as soon as both halves of a parent are there.

    The tree has `lanes` lanes of `cells` cells. At most log2(leaves) + 1 sums are held if all leaves come in
    one run. `add(left, right)` adds right to left in place. `free(right)` is called with each sum that is no
    longer needed.
    """

    def __init__(
        self,
        lanes: int,
        add: Callable[[Sum, Sum], None],
        free: Callable[[Sum], object] = lambda right: None,
        cells: int = 1,
    ) -> None:
        self._joins = _joins(lanes, cells)
        self._add, self._free = add, free
        self.nodes: list[tuple[int, int, Sum]] = []

    def push(self, lo: int, hi: int, sum: Sum) -> None:
        """Add the node [lo, hi). Nodes must be pushed in ascending order."""
        self.nodes.append((lo, hi, sum))
        while len(self.nodes) > 1:
            (left_lo, left_hi, left), (right_lo, right_hi, right) = self.nodes[-2:]
            if left_hi != right_lo or (left_lo, right_lo, right_hi) not in self._joins:
                break
            self._add(left, right)
            self._free(right)
            self.nodes[-2:] = [(left_lo, right_hi, left)]

    def take(self) -> list[tuple[int, int, Sum]]:
        """Return all nodes (lo, hi, sum), and forget them."""
        nodes, self.nodes = self.nodes, []
        return nodes


@cache
def _joins(lanes: int, cells: int) -> set[tuple[int, int, int]]:
    """Return (lo, middle, hi) of every node of two leaves or more."""
    joins, open_nodes = set(), [(0, lanes * cells)]
    while open_nodes:
        lo, hi = open_nodes.pop()
        if hi - lo > 1:
            between = middle(lo, hi, cells)
            joins.add((lo, between, hi))
            open_nodes += [(lo, between), (between, hi)]
    return joins
