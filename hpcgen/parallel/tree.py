"""The fixed binary tree in which lane gradients are added. Arithmetic, no MPI.

The sum over the lanes [lo, hi) is the sum over [lo, middle) plus the sum over [middle, hi), where middle - lo
is the largest power of two below hi - lo. The tree depends only on the number of lanes. The bits of the sum
therefore do not depend on which rank adds.
"""

from collections.abc import Callable
from functools import cache
from typing import Generic, TypeVar

Sum = TypeVar("Sum")


def middle(lo: int, hi: int) -> int:
    """Return the lane at which the node [lo, hi), of two lanes or more, is divided."""
    return lo + (1 << (hi - lo - 1).bit_length() - 1)


def cover(start: int, stop: int, lo: int, hi: int) -> list[tuple[int, int]]:
    """Return the largest nodes of the tree over [lo, hi) that consist of lanes in [start, stop), in order."""
    if start >= hi or stop <= lo:
        return []
    if start <= lo and hi <= stop:
        return [(lo, hi)]
    return cover(start, stop, lo, middle(lo, hi)) + cover(start, stop, middle(lo, hi), hi)


class TreeSum(Generic[Sum]):
    """Add sums of nodes of the tree over `lanes` lanes, as soon as both halves of a parent node are
    available.

    At most log2(lanes) + 1 sums are held. `add(left, right)` adds right to left in place. `free(right)` is
    called for each sum that is no longer needed.
    """

    def __init__(
        self,
        lanes: int,
        add: Callable[[Sum, Sum], None],
        free: Callable[[Sum], object] = lambda right: None,
    ) -> None:
        self._joins = _joins(lanes)
        self._add, self._free = add, free
        self.nodes: list[tuple[int, int, Sum]] = []

    def push(self, lo: int, hi: int, sum: Sum) -> None:
        """Add the node [lo, hi). Nodes must be pushed in ascending order."""
        self.nodes.append((lo, hi, sum))
        while len(self.nodes) > 1:
            (left_lo, _, left), (right_lo, right_hi, right) = self.nodes[-2:]
            if (left_lo, right_lo, right_hi) not in self._joins:
                break
            self._add(left, right)
            self._free(right)
            self.nodes[-2:] = [(left_lo, right_hi, left)]

    def take(self) -> list[tuple[int, int, Sum]]:
        """Return all nodes (lo, hi, sum), and forget them."""
        nodes, self.nodes = self.nodes, []
        return nodes


@cache
def _joins(lanes: int) -> set[tuple[int, int, int]]:
    """Return (lo, middle, hi) of every node of two lanes or more."""
    joins, open_nodes = set(), [(0, lanes)]
    while open_nodes:
        lo, hi = open_nodes.pop()
        if hi - lo > 1:
            joins.add((lo, middle(lo, hi), hi))
            open_nodes += [(lo, middle(lo, hi)), (middle(lo, hi), hi)]
    return joins
