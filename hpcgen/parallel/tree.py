"""The fixed binary tree in which lane gradients are added: arithmetic, no MPI.

The sum over the lanes [lo, hi) is the sum over [lo, middle) plus the sum over [middle, hi), where middle - lo is the largest
power of two below hi - lo. The tree depends on the number of lanes alone, so whoever adds, the bits are the same.
"""

from functools import cache


def middle(lo, hi):
    """Return where the node [lo, hi) of two lanes or more is divided."""
    return lo + (1 << (hi - lo - 1).bit_length() - 1)


def cover(start, stop, lo, hi):
    """Return the largest nodes of the tree over [lo, hi) that make up the lanes [start, stop), in order."""
    if start >= hi or stop <= lo:
        return []
    if start <= lo and hi <= stop:
        return [(lo, hi)]
    return cover(start, stop, lo, middle(lo, hi)) + cover(start, stop, middle(lo, hi), hi)


class TreeSum:
    """Adds arrays of consecutive nodes of the tree over `lanes` lanes as soon as a parent's two halves are there.

    At most log2(lanes) + 1 arrays are held. `add(left, right)` adds right to left in place; `free(right)` is told of each
    array that is no longer needed.
    """

    def __init__(self, lanes, add, free=lambda right: None):
        self._joins = _joins(lanes)
        self._add, self._free = add, free
        self.nodes = []

    def push(self, lo, hi, array):
        """Append the node [lo, hi); nodes come in ascending order."""
        self.nodes.append((lo, hi, array))
        while len(self.nodes) > 1:
            (left_lo, _, left), (right_lo, right_hi, right) = self.nodes[-2:]
            if (left_lo, right_lo, right_hi) not in self._joins:
                break
            self._add(left, right)
            self._free(right)
            self.nodes[-2:] = [(left_lo, right_hi, left)]

    def take(self):
        """Return the nodes (lo, hi, array) held, and hold none."""
        nodes, self.nodes = self.nodes, []
        return nodes


@cache
def _joins(lanes):
    """Return (lo, middle, hi) of every node of two lanes or more."""
    joins, open_nodes = set(), [(0, lanes)]
    while open_nodes:
        lo, hi = open_nodes.pop()
        if hi - lo > 1:
            joins.add((lo, middle(lo, hi), hi))
            open_nodes += [(lo, middle(lo, hi)), (middle(lo, hi), hi)]
    return joins
