"""The fixed blocks of rows in which metrics are computed, and the precision that they are computed in."""

import numpy as np

# Rows in a block: small beside any set worth measuring, large enough for BLAS. Part of what the kernel
# distance means.
ROWS_A_BLOCK = 256


def blocks(n: int) -> list[slice]:
    """Return the blocks of n rows in order, as slices. The last may be shorter."""
    return [slice(start, min(start + ROWS_A_BLOCK, n)) for start in range(0, n, ROWS_A_BLOCK)]


def finite(x: np.ndarray) -> np.ndarray:
    """Return x as contiguous float64, without a copy if it is that already. Products of contiguous arrays
    have the same bits wherever the array was cut from.

    Raises ValueError if x holds a NaN or an infinity.
    """
    x = np.ascontiguousarray(x, np.float64)
    if not np.isfinite(x).all():
        raise ValueError("samples hold NaN or infinity")
    return x
