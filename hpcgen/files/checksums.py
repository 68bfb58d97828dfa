"""Checksums: the CRC-32 of each block of a dataset. It is compared whenever a part of the block is read.

A block is a run of rows of 16 KiB. A larger row is cut into boxes of up to 16 KiB, so that a rank can read
and verify a part of a row. The checksums of /NAME are in /checksums/NAME, an array (blocks of rows, *boxes on
each later axis). Its attribute `box` is the size of a box. Files of older versions have one checksum for a
large row, and no such attribute.
"""

import zlib
from collections.abc import Mapping
from functools import partial
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import h5py
import numpy as np

from hpcgen.errors import DamagedError
from hpcgen.files.reading import CHECKSUMS, attempt, content, open_file, reread
from hpcgen.files.slabs import BLOCK_BYTES, Piece, Slab, Sliceable, block_rows, partition
from hpcgen.parallel.agreement import agree

if TYPE_CHECKING:
    from mpi4py import MPI

BOX = "box"
# Approximate number of bytes of a dataset that `verify` holds at a time.
VERIFIED_BYTES = 1 << 24


def box_shape(shape: tuple[int, ...], dtype: np.typing.DTypeLike) -> tuple[int, ...]:
    """Return the size of a box on the later axes of a dataset. The longest axis is halved until a box has at
    most 16 KiB."""
    box, item = list(shape[1:]), np.dtype(dtype).itemsize
    while prod(box) * item > BLOCK_BYTES and max(box) > 1:
        longest = box.index(max(box))
        box[longest] = -(-box[longest] // 2)
    return tuple(box)


def lengths(shape: tuple[int, ...], dtype: np.typing.DTypeLike) -> tuple[int, ...]:
    """Return the size on each axis of what one checksum of a dataset covers: a block of rows, or a box."""
    return (block_rows(shape, dtype), *box_shape(shape, dtype))


def summed(slab: Slab) -> tuple[Slab, Slab]:
    """Return the slab with rows that note their checksums when they are made, and the slab of the checksums.

    Until then the checksums are zero.
    """
    covered = lengths(slab.shape, slab.dtype)
    grid = _blocks_of(slab.shape, covered)
    # If a row has one checksum, leave out the axes of boxes: all versions of hpcgen read this layout.
    axes = 1 if prod(grid) == grid[0] else len(grid)
    rows, sums = [], []
    for piece in slab.pieces:
        found = np.zeros(_blocks_of(piece.rows.shape, covered), np.uint32)
        rows.append(Piece(piece.start, _Summed(piece.rows, covered, found)))
        first = tuple(start // length for start, length in zip(piece.start, covered, strict=True))
        sums.append(Piece(first[:axes], found.reshape(found.shape[:axes])))
    return Slab(slab.shape, slab.dtype, rows), Slab(grid[:axes], np.dtype(np.uint32), sums)


def _blocks_of(shape: tuple[int, ...], covered: tuple[int, ...]) -> tuple[int, ...]:
    """Return the number of checksums on each axis of an array."""
    return tuple(-(-size // length) for size, length in zip(shape, covered, strict=True))


class _Summed:
    """Rows of a piece. Their checksums are noted in `found` (blocks, *boxes) when they are made."""

    def __init__(self, rows: Sliceable, covered: tuple[int, ...], found: np.ndarray) -> None:
        self.shape, self.dtype = rows.shape, rows.dtype
        self._rows, self._covered, self._found = rows, covered, found

    def __getitem__(self, some: slice) -> np.ndarray:
        made = self._rows[some]
        sums = _of(made, self._covered)
        self._found[some.start // self._covered[0] :][: len(sums)] = sums
        return made


def _of(rows: np.ndarray, covered: tuple[int, ...]) -> np.ndarray:
    """Return the checksums (blocks, *boxes) uint32 of rows that start at a block, and a box on each axis."""
    found = np.empty(_blocks_of(rows.shape, covered), np.uint32)
    for index in np.ndindex(found.shape):
        inside = [slice(i * length, (i + 1) * length) for i, length in zip(index, covered, strict=True)]
        found[index] = zlib.crc32(np.ascontiguousarray(rows[tuple(inside)]).data)
    return found


def boxes(slabs: Mapping[str, Slab]) -> dict[str, tuple[int, ...]]:
    """Return the attribute `box` of the datasets of checksums that have it: those of rows cut into boxes."""
    return {
        name: box_shape(covered.shape, covered.dtype)
        for name, slab in slabs.items()
        if name.startswith(f"{CHECKSUMS}/") and len(slab.shape) > 1
        for covered in (slabs[name.removeprefix(f"{CHECKSUMS}/")],)
    }


def read(
    file: h5py.File,
    name: str,
    start: int = 0,
    stop: int | None = None,
    region: tuple[slice, ...] = (),
) -> np.ndarray:
    """Return rows [start, stop) of a dataset. Verify the checksum of each block that they overlap.

    `region` selects a part of each row: one slice without a step for each of the row's first axes. Only the
    boxes that overlap it are read. Raises DamagedError, which names the file, the dataset and the rows, and
    the errors of `attempt`.
    """
    selection = (slice(start, stop), *region)
    blocks = attempt(file.filename, f"/{name}", lambda: _read_blocks(file, name, selection))
    blocks.require_whole(f"{file.filename}: damaged: /{name}")
    return blocks.rows[blocks.inside]


class _Blocks(NamedTuple):
    """Blocks of a dataset as they were read: `rows` from the row number `first` on.

    A block has `lengths` along the axes, and one of the checksums `expected`. `inside` selects the requested
    part of `rows`.
    """

    rows: np.ndarray
    first: int
    lengths: tuple[int, ...]
    expected: np.ndarray
    inside: tuple[slice, ...]

    def require_whole(self, what: str) -> None:
        """Raise DamagedError, which begins with `what`, unless all checksums match."""
        if not self.rows.size:
            return
        actual = _of(self.rows, self.lengths)
        if actual.size != self.expected.size:
            raise DamagedError(f"{what} has too many or too few checksums")
        wrong = np.flatnonzero(actual.reshape(-1) != self.expected.reshape(-1))
        if len(wrong):
            row = self.first + int(np.unravel_index(wrong[0], actual.shape)[0]) * self.lengths[0]
            raise DamagedError(
                f"{what} differs from its checksum at rows {row} to {row + self.lengths[0] - 1}"
            )


def _read_blocks(file: h5py.File, name: str, selection: tuple[slice, ...]) -> _Blocks:
    """Read the blocks of a dataset that a selection touches, and their checksums."""
    dataset, known = file[name], file[f"{CHECKSUMS}/{name}"]
    # Attributes.get would hide a failure of the system.
    box = known.attrs[BOX].tolist() if BOX in known.attrs else dataset.shape[1:]
    lengths = (block_rows(dataset.shape, dataset.dtype), *box)
    selection += (slice(None),) * (dataset.ndim - len(selection))
    axes = [_touched(*axis) for axis in zip(selection, lengths, dataset.shape, strict=True)]
    touched, covered, inside = zip(*axes, strict=True)
    return _Blocks(dataset[covered], covered[0].start, lengths, known[touched[: len(known.shape)]], inside)


def _touched(wanted: slice, length: int, size: int) -> tuple[slice, slice, slice]:
    """Return three slices for the interval `wanted` of an axis of `size` numbers: the blocks of `length`
    numbers that it overlaps, the numbers that these blocks cover, and the interval relative to them."""
    start, stop, _ = wanted.indices(size)
    stop = max(start, stop)
    first = start // length
    last = -(-stop // length) if stop > start else first
    low = first * length
    return slice(first, last), slice(low, min(last * length, size)), slice(start - low, stop - low)


def verify(path: Path | str, comm: "MPI.Comm") -> None:
    """Raise DamagedError if a byte of a dataset differs from what was written. Collective over `comm`."""
    with agree(comm):
        reread(path, lambda: _verify_share(path, comm.size, comm.rank))


def _verify_share(path: Path | str, ranks: int, rank: int) -> None:
    """Read and verify the share of the rows that belongs to `rank`."""
    with open_file(path) as file:
        for name in content(file):
            dataset = attempt(path, f"/{name}", partial(file.__getitem__, name))
            shape, dtype = dataset.shape, dataset.dtype
            mine, block = partition(shape, dtype, ranks).slice(rank), block_rows(shape, dtype)
            step = block * max(1, VERIFIED_BYTES // max(1, block * prod(shape[1:]) * dtype.itemsize))
            for start in range(mine.start, mine.stop, step):
                read(file, name, start, min(start + step, mine.stop))
