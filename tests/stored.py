"""Arrays in HDF5 files, written by any number of ranks, for tests of reading and writing."""

import itertools
import struct
import zlib

import h5py
import numpy as np

from hpcgen.files.checksums import lengths
from hpcgen.files.slabs import Piece, Slab, partition
from hpcgen.files.writing import write_in_turn, write_together

METHODS = [write_in_turn] + [write_together] * h5py.get_config().mpi
ATTRIBUTES = {"name": "a name", "step": 7, "low": 0.1, "shape": [3, 4]}


def content(random):
    return {
        "vector": random.standard_normal(3 * 4096 + 5).astype(np.float32),
        "group/images": random.integers(0, 255, (100, 28, 28, 1), np.uint8),
        "one": np.array([3.0]),
        "large/rows": random.standard_normal((5, 9000)),
        "large/volumes": random.standard_normal((7, 40, 30, 17)).astype(np.float32),
    }


def slabs_of(arrays, comm):
    slabs = {}
    for name, array in arrays.items():
        mine = partition(array.shape, array.dtype, comm.size).slice(comm.rank)
        slabs[name] = Slab.rows(array.shape, mine.start, array[mine])
    return slabs


def _h5(folder, name, arrays, **how):
    with h5py.File(folder / name, "w") as file:
        for key, array in arrays.items():
            file.create_dataset(
                key, data=array, **({"chunks": (min(4, len(array)), *array.shape[1:]), **how} if how else {})
            )
    return folder / name


def _npy(folder, name, array):
    np.save(folder / name, array)
    return folder / name


def _npz(folder, arrays):
    np.savez(folder / "x.npz", **arrays)
    return folder / "x.npz"


# FILES[form](folder, x=array, ...): the path of a file of this form with the arrays. A .npy file has only x.
FILES = {
    "npy": lambda folder, x: _npy(folder, "x.npy", x),
    "npy by columns": lambda folder, x: _npy(folder, "columns.npy", np.asfortranarray(x)),
    "npz": lambda folder, **arrays: _npz(folder, arrays),
    "HDF5": lambda folder, **arrays: _h5(folder, "x.h5", arrays),
    "HDF5 in chunks": lambda folder, **arrays: _h5(folder, "chunks.h5", arrays, shuffle=False),
    "HDF5, compressed": lambda folder, **arrays: _h5(folder, "compressed.h5", arrays, compression="gzip"),
}


class Lazy:
    """Rows that are made when they are asked for. `asked` lists which."""

    def __init__(self, array):
        self.shape, self.dtype, self._array, self.asked = array.shape, array.dtype, array, []

    def __getitem__(self, some):
        self.asked.append((some.start, some.stop))
        return self._array[some].copy()


def boxes_of(arrays, comm, rows=lambda array: array):
    """Cut each axis of each array near its middle, and deal the boxes among the ranks in no order.

    Rank 0 holds none if there are others.
    """
    slabs = {}
    for name, array in arrays.items():
        axes = []
        for size, length in zip(array.shape, lengths(array.shape, array.dtype)):
            middle = size // 2 // length * length
            axes.append([slice(low, high) for low, high in ((0, middle), (middle, size)) if low < high])
        boxes = list(itertools.product(*axes))
        np.random.default_rng(array.size).shuffle(boxes)
        mine = boxes[comm.rank - 1 :: comm.size - 1] if comm.rank else boxes[: len(boxes) * (comm.size == 1)]
        pieces = [Piece(tuple(axis.start for axis in box), rows(array[tuple(box)])) for box in mine]
        slabs[name] = Slab(array.shape, array.dtype, pieces)
    return slabs


def flip(path, position):
    with open(path, "r+b") as file:
        file.seek(position)
        byte = file.read(1)
        file.seek(position)
        file.write(bytes([byte[0] ^ 0x10]))


def reseal(path, start, extents):
    """Seal a file anew: a user block of `start` bytes, data of datasets in the `extents` (offset, length)."""
    content, crc, position = path.read_bytes(), 0, start
    for offset, length in [*extents, (len(content), 0)]:
        crc, position = zlib.crc32(content[position:offset], crc), offset + length
    record = struct.pack("<QQI", len(content), start, crc) + b"".join(struct.pack("<QQ", *e) for e in extents)
    seal = b"\x89hpcgen\n" + struct.pack("<II", zlib.crc32(record), len(record)) + record
    path.write_bytes(seal.ljust(start, b"\0") + content[start:])
