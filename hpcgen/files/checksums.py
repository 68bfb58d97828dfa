"""Checksums: the CRC-32 of each block of a dataset, compared whenever the block is read."""

import zlib

import numpy as np

from hpcgen.errors import DamagedError
from hpcgen.files.reading import CHECKSUMS, content, open_file
from hpcgen.files.slabs import block_rows, partition
from hpcgen.parallel.agreement import agree


def read_rows(file, name, start=0, stop=None):
    """Return rows [start, stop) of a dataset after comparing each block that they touch with its checksum.

    Raises DamagedError that names the file and the dataset.
    """
    try:
        dataset = file[name]
        stop = len(dataset) if stop is None else stop
        if stop <= start:
            return dataset[:0]
        block = block_rows(dataset.shape, dataset.dtype)
        first, last = start // block, -(-stop // block)
        rows = dataset[first * block : last * block]
        expected = file[f"{CHECKSUMS}/{name}"][first:last]
    except (OSError, RuntimeError, KeyError) as error:
        raise DamagedError(f"{file.filename}: damaged: /{name} cannot be read: {error}") from None
    actual = _checksums(rows, block)
    if not np.array_equal(actual, expected):
        bad = int(np.flatnonzero(actual != expected)[0]) if len(actual) == len(expected) else 0
        row = (first + bad) * block
        raise DamagedError(
            f"{file.filename}: damaged: /{name} differs from its checksum at rows {row} to {row + block - 1}"
        )
    return rows[start - first * block : stop - first * block]


def verify(path, comm):
    """Raise DamagedError unless every byte of every dataset is what was written. Collective over `comm`."""
    with agree(comm), open_file(path) as file:
        for name in content(file):
            dataset = file[name]
            mine = partition(dataset.shape, dataset.dtype, comm.size).slice(comm.rank)
            step = block_rows(dataset.shape, dataset.dtype) * 1024
            for start in range(mine.start, mine.stop, step):
                read_rows(file, name, start, min(start + step, mine.stop))


def _checksums(rows, block):
    rows = np.ascontiguousarray(rows)
    return np.array([zlib.crc32(rows[i : i + block]) for i in range(0, len(rows), block)], np.uint32)
