"""The seal of a file that hpcgen wrote: checked before HDF5 sees the file, which may crash on a damaged structure.

It lies in the file's user block, which HDF5 leaves alone: MAGIC, the CRC-32 and length of a record, and the record: the sizes
of file and user block, the CRC-32 of every byte outside the user block and the extents, and the extents (offset, length), which
hold the data that has checksums of its own. So each byte of the file is covered.
"""

import struct
import zlib

import h5py

from hpcgen.errors import DamagedError

MAGIC = b"\x89hpcgen\n"
HEAD, FIXED, EXTENT = struct.Struct("<II"), struct.Struct("<QQI"), struct.Struct("<QQ")
CHUNK = 1 << 22


def block_size(datasets):
    """Return the size of a user block with room for as many extents: a power of two, as HDF5 wants, and a page at least."""
    size = 4096
    while size < len(MAGIC) + HEAD.size + FIXED.size + datasets * EXTENT.size:
        size *= 2
    return size


def write(path, names):
    """Seal the finished HDF5 file `path`, in which the datasets `names` have checksums."""
    with h5py.File(path, "r") as file:
        start = file.userblock_size
        places = [(file[name].id.get_offset(), file[name].id.get_storage_size()) for name in names]
    extents = sorted((offset, length) for offset, length in places if length)
    with open(path, "r+b") as file:
        size = file.seek(0, 2)
        record = FIXED.pack(size, start, _crc_outside(file, start, size, extents))
        record += b"".join(EXTENT.pack(*extent) for extent in extents)
        file.seek(0)
        file.write(MAGIC + HEAD.pack(zlib.crc32(record), len(record)) + record)


def check(path):
    """Raise DamagedError unless the file is as long as it was and its structure reads as written; tell if it has a seal."""
    with open(path, "rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            return False
        size = file.seek(0, 2)
        file.seek(len(MAGIC))
        head = file.read(HEAD.size)
        crc, length = HEAD.unpack(head) if len(head) == HEAD.size else (0, 0)
        record = file.read(min(length, size))
        if len(record) != length or length < FIXED.size or zlib.crc32(record) != crc:
            raise DamagedError(f"{path}: damaged: its seal is not whole")
        expected, start, outside = FIXED.unpack_from(record)
        if size != expected:
            less = "truncated" if size < expected else "longer than written"
            raise DamagedError(f"{path}: {less}: {size:,} bytes, not {expected:,}; copy or make it again")
        extents = list(EXTENT.iter_unpack(record[FIXED.size :]))
        if _crc_outside(file, start, size, extents) != outside:
            raise DamagedError(
                f"{path}: damaged: its structure or attributes are not those that were written"
            )
    return True


def _crc_outside(file, start, size, extents):
    crc = 0
    for offset, length in [*extents, (size, 0)]:
        file.seek(start)
        while start < offset:
            chunk = file.read(min(CHUNK, offset - start))
            crc = zlib.crc32(chunk, crc)
            start += len(chunk)
        start = offset + length
    return crc
