import struct
import zlib

import numpy as np
import pytest
from stored import flip

from hpcgen.errors import DamagedError
from hpcgen.files import seal


def user_block(path):
    """Return (bytes that the seal uses, bytes of the user block)."""
    content = path.read_bytes()
    _, length = struct.unpack_from("<II", content, len(seal.MAGIC))
    _, start, _ = struct.unpack_from("<QQI", content, len(seal.MAGIC) + 8)
    return len(seal.MAGIC) + 8 + length, start


def reseal(path, record):
    content = path.read_bytes()
    used = seal.MAGIC + struct.pack("<II", zlib.crc32(record), len(record)) + record
    path.write_bytes(used.ljust(4096, b"\0") + content[4096:])


def test_each_byte_of_the_user_block_is_covered(comm, written):
    path, _ = written
    if comm.rank:
        return
    used, start = user_block(path)
    assert seal.check(path) and used < start == 4096
    for position in [*range(8, 60), used - 1, used, used + 1, (used + start) // 2, start - 1]:
        flip(path, position)
        with pytest.raises(DamagedError, match=r"damaged|truncated|longer"):
            seal.check(path)
        flip(path, position)
    assert seal.check(path)


def test_each_byte_of_the_structure_is_covered(comm, written):
    path, arrays = written
    if comm.rank:
        return
    content = path.read_bytes()
    random = np.random.default_rng(0)
    outside = [
        position
        for position in random.integers(4096, len(content), 60).tolist()
        if not any(content[position - 64 : position + 64] in array.tobytes() for array in arrays.values())
    ]
    assert outside
    for position in outside:
        flip(path, position)
        with pytest.raises(DamagedError, match="its structure or attributes differ"):
            seal.check(path)
        flip(path, position)


@pytest.mark.parametrize("extent", [(1 << 40, 8), (5000, 1 << 40), (0, 8), (1 << 63, 1 << 63)])
def test_an_extent_outside_of_the_file_is_damage(comm, written, extent):
    path, _ = written
    if comm.rank:
        return
    _, start = user_block(path)
    record = struct.pack("<QQI", path.stat().st_size, start, 0) + struct.pack("<QQ", *extent)
    reseal(path, record)
    with pytest.raises(
        DamagedError,
        match=r"its seal covers more bytes than the file has|its structure or attributes differ",
    ):
        seal.check(path)


@pytest.mark.parametrize("record", [b"", b"short", struct.pack("<QQI", 0, 0, 0) + b"half an extent"])
def test_a_record_of_another_length_is_damage(comm, written, record):
    path, _ = written
    if comm.rank:
        return
    reseal(path, record)
    with pytest.raises(DamagedError):
        seal.check(path)


def test_a_file_without_a_seal_is_no_damage(comm, folder):
    if comm.rank == 0:
        (folder / "other").write_bytes(b"\x89HDF\r\n" + bytes(9000))
        assert not seal.check(folder / "other")


@pytest.mark.parametrize("datasets, size", [(0, 4096), (100, 4096), (300, 8192), (1000, 16384)])
def test_the_user_block_has_room_for_all_extents(datasets, size):
    assert seal.block_size(datasets) == size
