"""The fixed blocks of rows in which metrics are computed, and their precision."""

import numpy as np

# Rows in a block: fewer than a useful set has, and enough for BLAS. The kernel distance depends on this
# number.
ROWS_A_BLOCK = 256


def blocks(n: int, size: int = ROWS_A_BLOCK) -> list[slice]:
    """Return the blocks of n rows in order, as slices of `size` rows. The last may be shorter."""
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def finite(x: np.ndarray) -> np.ndarray:
    """Return x as contiguous float64. Do not copy x if it is that already.

    The bits of a product of contiguous arrays do not depend on where the arrays were cut from. Raises
    ValueError if x holds NaN or infinity.
    """
    x = np.ascontiguousarray(x, np.float64)
    if not np.isfinite(x).all():
        raise ValueError("samples hold NaN or infinity")
    return x
