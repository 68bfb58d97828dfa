"""Rows of a data file."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Rows(NamedTuple):
    """Rows as a data file holds them: samples (n, ...), inputs (n, p) or None, and labels (n,) or None."""

    samples: Any
    inputs: Any = None
    labels: Any = None

    def __len__(self) -> int:
        return len(self.samples)

    def map(self, function: Callable[[np.ndarray], np.ndarray]) -> "Rows":
        """Return the Rows with function(column) for each column that is not None."""
        return Rows(*(None if column is None else function(column) for column in self))

    @classmethod
    def joined(cls, parts: "list[Rows]") -> "Rows":
        """Return the Rows of all parts, one after the other."""
        return (
            parts[0]
            if len(parts) == 1
            else cls(*(None if c[0] is None else np.concatenate(c) for c in zip(*parts, strict=True)))
        )
