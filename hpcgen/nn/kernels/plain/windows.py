"""Kernels that copy the windows of a convolution into rows, and their adjoint, which adds them up."""

from collections.abc import Sequence

import numpy as np

from hpcgen.arrays import Array


def unfold(x: Array, out: Array, stride: Sequence[int], padding: Sequence[int]) -> None:
    """out[n, *i, *k, :] <- x[n, *(i stride + k - padding), :], and zero outside x.

    x (n, *sizes, channels), out (n, *positions, *kernel, channels).
    """
    spatial = x.ndim - 2
    positions, kernel = out.shape[1 : 1 + spatial], out.shape[1 + spatial : -1]
    out[...] = 0
    for offset in np.ndindex(kernel):
        inside, source = overlap(x.shape[1:-1], positions, offset, stride, padding)
        out[(slice(None), *inside, *offset)] = x[(slice(None), *source)]


def fold(patches: Array, out: Array, stride: Sequence[int], padding: Sequence[int]) -> None:
    """The adjoint of `unfold`: each point of `out` is the sum of all numbers in `patches` that `unfold` would
    copy from it."""
    spatial = out.ndim - 2
    positions, kernel = patches.shape[1 : 1 + spatial], patches.shape[1 + spatial : -1]
    out[...] = 0
    for offset in np.ndindex(kernel):
        inside, source = overlap(out.shape[1:-1], positions, offset, stride, padding)
        out[(slice(None), *source)] += patches[(slice(None), *inside, *offset)]


def overlap(
    sizes: Sequence[int],
    positions: Sequence[int],
    offset: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
) -> tuple[list[slice], list[slice]]:
    """Return the positions i for which the point i stride + offset - padding lies inside, and these points.

    Both are lists of slices, one for each axis.
    """
    inside, source = [], []
    for size, count, k, s, p in zip(sizes, positions, offset, stride, padding, strict=True):
        first = max(0, -((k - p) // s))
        stop = max(first, min(count, -((k - p - size) // s)))
        inside.append(slice(first, stop))
        start = first * s + k - p
        source.append(slice(start, start + (stop - first) * s, s))
    return inside, source
