"""Partition of n items into contiguous runs, one for each part. Arithmetic, no MPI."""

import builtins
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, pairwise

# The unit in which ranks own parts of a vector: 16 KiB of float32, which one checksum of a checkpoint covers.
OWNERSHIP_BLOCK = 4096


class Partition:
    """The items [starts[p], starts[p] + counts[p]) belong to part p. Parts may be empty."""

    def __init__(self, counts: Iterable[int]) -> None:
        self.counts = list(counts)
        *self.starts, self.total = accumulate(self.counts, initial=0)

    @classmethod
    def even(cls, n: int, parts: int, block: int = 1) -> "Partition":
        """Divide n items into runs that differ by at most one block. Every run except the last ends on a
        multiple of `block`.

        With block = 1, part p is [p n / parts, (p + 1) n / parts), rounded down.
        """
        blocks = -(-n // block)
        bounds = [min(p * blocks // parts * block, n) for p in range(parts + 1)]
        return cls(stop - start for start, stop in pairwise(bounds))

    @classmethod
    def weighted(cls, n: int, weights: Sequence[float]) -> "Partition":
        """Divide n >= len(weights) items in proportion to `weights` (largest remainder). Each part gets at
        least one item."""
        if n < len(weights):
            raise ValueError(f"{n} items are too few for {len(weights)} parts")
        free = n - len(weights)
        weights = [weight / max(weights) for weight in weights]
        shares = [max(0.0, n * weight / sum(weights) - 1) for weight in weights]
        wanted = sum(shares)
        shares = [free * share / wanted if wanted > 0 else 0.0 for share in shares]
        counts = [1 + int(share) for share in shares]
        by_remainder = sorted(range(len(weights)), key=lambda p: (int(shares[p]) - shares[p], p))
        for p in by_remainder[: n - sum(counts)]:
            counts[p] += 1
        assert sum(counts) == n
        return cls(counts)

    def slice(self, part: int) -> builtins.slice:
        """Return the items of `part` as a slice of the whole."""
        return slice(self.starts[part], self.starts[part] + self.counts[part])

    def pieces(self, start: int, stop: int) -> Iterator[tuple[int, builtins.slice, builtins.slice]]:
        """Yield (part, slice within the part, slice within [start, stop)) for each part that holds items of
        [start, stop)."""
        for part, (first, count) in enumerate(zip(self.starts, self.counts, strict=True)):
            low, high = max(start, first), min(stop, first + count)
            if low < high:
                yield part, slice(low - first, high - first), slice(low - start, high - start)

    def __len__(self) -> int:
        return len(self.counts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Partition) and self.counts == other.counts

    def __repr__(self) -> str:
        return f"Partition({self.counts})"
