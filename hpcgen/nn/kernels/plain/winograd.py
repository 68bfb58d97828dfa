"""Kernels of Winograd's convolutions: the maps of F(t, 2), t = 2 or 4, on every axis.

See `hpcgen.nn.convolution.winograd`. A tile of t outputs takes t + 1 products on each axis. `data`, `output`
and `weight` replace each axis by an axis of t + 1 in front of all others, from the last axis to the first.
The adjoints reverse this, from the first axis to the last. The filters on one axis are in `filters`.
"""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np

from hpcgen.arrays import Array
from hpcgen.nn.kernels.plain.filters import FILTERS
from hpcgen.nn.kernels.plain.windows import overlap


def winograd_data(x: Array, out: Array, padding: Sequence[int]) -> None:
    """Write the factors of the data x (n, *sizes, c) to out (*t + 1, n, *tiles, *2, c).

    x has `padding` zeros, 0 or 1, before its first place on each axis.
    """
    tiles, filters = _tiles(out, x.ndim - 2), FILTERS[len(out) - 1]
    v = np.zeros_like(
        x, shape=(len(x), *(filters.tile * t + 1 for t in tiles), *(2,) * len(tiles), x.shape[-1])
    )
    for inside, source, phase in _cells(x.shape[1:-1], tiles, filters.tile, padding):
        v[(slice(None), *inside, *phase)] = x[(slice(None), *source)]
    for axis in _axes(tiles, 1 + len(tiles)):
        count = v.shape[axis]
        cells = [
            _along(v, axis, slice(i, count - filters.tile + i, filters.tile)) for i in range(filters.tile + 1)
        ]
        v = np.stack(filters.data(cells))
    out[...] = v


def winograd_data_adjoint(v: Array, out: Array, padding: Sequence[int]) -> None:
    """The adjoint of `winograd_data`: out (n, *sizes, c) from v (*t + 1, n, *tiles, *2, c)."""
    tiles, filters = _tiles(v, out.ndim - 2), FILTERS[len(v) - 1]
    for axis in reversed(_axes(tiles, 1 + len(tiles))):
        first, *middle, last = filters.data_adjoint(v)
        shape = list(first.shape)
        shape[axis] = filters.tile * shape[axis] + 1
        v = np.empty_like(first, shape=shape)
        for i, cells in enumerate(middle, 1):
            _along(v, axis, slice(i, None, filters.tile))[...] = cells
        # The last cell of a tile is the first cell of the next one.
        _along(v, axis, slice(0, -1, filters.tile))[...] = first
        _along(v, axis, slice(filters.tile, -1, filters.tile))[...] += _along(last, axis, slice(0, -1))
        _along(v, axis, slice(-1, None))[...] = _along(last, axis, slice(-1, None))
    for inside, source, phase in _cells(out.shape[1:-1], tiles, filters.tile, padding):
        out[(slice(None), *source)] = v[(slice(None), *inside, *phase)]


def winograd_output(dy: Array, out: Array) -> None:
    """Write the factors of dy (n, *positions, o) to out (*t + 1, n, *tiles, o)."""
    tiles, filters = _tiles(out, dy.ndim - 2), FILTERS[len(out) - 1]
    m = np.zeros_like(dy, shape=(len(dy), *(filters.tile * t for t in tiles), dy.shape[-1]))
    m[(slice(None), *(slice(size) for size in dy.shape[1:-1]))] = dy
    for axis in _axes(tiles, 1):
        m = np.stack(
            filters.output(_along(m, axis, slice(i, None, filters.tile)) for i in range(filters.tile))
        )
    out[...] = m


def winograd_output_adjoint(m: Array, out: Array) -> None:
    """The adjoint of `winograd_output`: out (n, *positions, o) from the products m (*t + 1, n, *tiles, o)."""
    tiles, filters = _tiles(m, out.ndim - 2), FILTERS[len(m) - 1]
    for axis in reversed(_axes(tiles, 1)):
        parts = filters.output_adjoint(m)
        shape = list(parts[0].shape)
        shape[axis] *= filters.tile
        m = np.empty_like(parts[0], shape=shape)
        for i, part in enumerate(parts):
            _along(m, axis, slice(i, None, filters.tile))[...] = part
    out[...] = m[(slice(None), *(slice(size) for size in out.shape[1:-1]))]


def winograd_weight(w: Array, out: Array) -> None:
    """Write the factors of the weights w (*4, c, o) to out (*t + 1, *2, c, o)."""
    spatial = w.ndim - 2
    u = w.reshape(*(2,) * (2 * spatial), *w.shape[-2:])
    u = u.transpose(*range(0, 2 * spatial, 2), *range(1, 2 * spatial, 2), -2, -1)
    # Each pass moves the last axis of taps to the front. The axis before it is then the last.
    for _ in range(spatial):
        u = np.stack(FILTERS[len(out) - 1].weight(np.moveaxis(u, -spatial - 3, 0)))
    out[...] = u


def winograd_weight_adjoint(s: Array, out: Array) -> None:
    """The adjoint of `winograd_weight`: out (*4, c, o) from s (*t + 1, *2, c, o)."""
    spatial, filters = out.ndim - 2, FILTERS[len(s) - 1]
    for _ in range(spatial):
        s = np.stack(filters.weight_adjoint(s), axis=-spatial - 3)
    places = out.reshape(*(2,) * (2 * spatial), *out.shape[-2:])
    places.transpose(*range(0, 2 * spatial, 2), *range(1, 2 * spatial, 2), -2, -1)[...] = s


def _tiles(v: Array, spatial: int) -> Sequence[int]:
    return v.shape[spatial + 1 : 2 * spatial + 1]


def _cells(
    sizes: Sequence[int], tiles: Sequence[int], tile: int, padding: Sequence[int]
) -> Iterator[tuple[list[Any], list[Any], tuple[Any, ...]]]:
    """Yield for each phase its index in the cells, its index in the samples, and the phase.

    Cell i holds the places 2 i - padding (phase 0) and 2 i - padding + 1 (phase 1) of an axis.
    """
    for phase in product((0, 1), repeat=len(tiles)):
        inside, source = overlap(sizes, [tile * t + 1 for t in tiles], phase, (2,) * len(tiles), padding)
        yield inside, source, phase


def _axes(tiles: Sequence[int], behind: int) -> list[int]:
    """Return the axes of the tiles, counted from the end, the last one first. `behind` axes follow them."""
    return [-behind - 1 - i for i in range(len(tiles))]


def _along(v: Array, axis: int, part: slice) -> Array:
    """Return a part of v along `axis`, a negative number that counts from the end."""
    index: tuple[Any, ...] = (..., part, *(slice(None),) * (-axis - 1))
    return v[index]
