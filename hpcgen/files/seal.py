"""The seal of a file that hpcgen wrote. It is checked before HDF5 opens the file, because HDF5 may crash on a
damaged structure.

The seal is in the file's user block, which HDF5 does not use: MAGIC, the CRC-32 and the length of a record,
the record, and zeros up to the end of the block. The record holds the sizes of the file and of the user
block, the CRC-32 of all bytes outside the user block and the extents, and the extents (offset, length). An
extent holds the data of a dataset, which have checksums. In this way every byte of the file is covered.
"""

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import h5py

from hpcgen.errors import DamagedError

MAGIC = b"\x89hpcgen\n"
# CRC-32 and length of the record.
HEAD = struct.Struct("<II")
# Size of the file, size of the user block, CRC-32 of the bytes outside the user block and the extents.
FIXED = struct.Struct("<QQI")
# Offset and length of a dataset's data.
EXTENT = struct.Struct("<QQ")
# Bytes that are read at a time for their CRC-32.
CRC_BYTES = 1 << 22
# The smallest user block: a page.
PAGE_BYTES = 4096


def block_size(datasets: int) -> int:
    """Return the size of a user block that can hold the extents: at least a page, and a power of two, as HDF5
    requires."""
    size = PAGE_BYTES
    while size < len(MAGIC) + HEAD.size + FIXED.size + datasets * EXTENT.size:
        size *= 2
    return size


def write(path: Path | str, names: Sequence[str]) -> None:
    """Seal the finished HDF5 file `path`, in which the datasets `names` have checksums."""
    with h5py.File(path, "r") as file:
        start = file.userblock_size
        places = [(file[name].id.get_offset(), file[name].id.get_storage_size()) for name in names]
    extents = sorted((offset, length) for offset, length in places if length)
    with open(path, "r+b") as file:
        size = file.seek(0, 2)
        record = FIXED.pack(size, start, _crc_outside(path, file, start, size, extents))
        record += b"".join(EXTENT.pack(*extent) for extent in extents)
        sealed = MAGIC + HEAD.pack(zlib.crc32(record), len(record)) + record
        file.seek(0)
        file.write(sealed.ljust(start, b"\0"))


def check(path: Path | str) -> bool:
    """Return whether the file has a seal. Raise DamagedError if the seal does not match the file's length and
    structure."""
    with open(path, "rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            return False
        size = file.seek(0, 2)
        file.seek(len(MAGIC))
        head = file.read(HEAD.size)
        crc, length = HEAD.unpack(head) if len(head) == HEAD.size else (0, 0)
        record = file.read(min(length, size))
        if len(record) != length or length < FIXED.size or zlib.crc32(record) != crc:
            raise DamagedError(f"{path}: damaged: its seal is incomplete")
        expected, start, outside = FIXED.unpack_from(record)
        if size != expected:
            fault = "truncated" if size < expected else "longer than written"
            raise DamagedError(f"{path}: {fault}: {size:,} bytes, not {expected:,}; copy or create it again")
        if any(file.read(max(0, start - file.tell()))):
            raise DamagedError(f"{path}: damaged: the block of its seal has changed since it was written")
        extents = list(EXTENT.iter_unpack(record[FIXED.size :]))
        if _crc_outside(path, file, start, size, extents) != outside:
            raise DamagedError(
                f"{path}: damaged: its structure or attributes differ from those that were written"
            )
    return True


def _crc_outside(
    path: Path | str, file: BinaryIO, start: int, size: int, extents: Sequence[tuple[int, int]]
) -> int:
    """Return the CRC-32 of the bytes from `start` to `size` outside the extents, which are in order."""
    crc = 0
    for offset, length in [*extents, (size, 0)]:
        file.seek(start)
        while start < offset:
            chunk = file.read(min(CRC_BYTES, offset - start))
            if not chunk:
                raise DamagedError(f"{path}: damaged: its seal covers more bytes than the file has")
            crc = zlib.crc32(chunk, crc)
            start += len(chunk)
        start = offset + length
    return crc
