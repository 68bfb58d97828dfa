"""Checksums of blocks, and of boxes within large rows."""

import h5py
import numpy as np
import pytest
from stored import flip

from hpcgen.errors import DamagedError
from hpcgen.files import checksums
from hpcgen.files.checksums import box_shape, read, verify
from hpcgen.files.reading import open_file
from hpcgen.files.slabs import BLOCK_BYTES, Slab, partition
from hpcgen.files.writing import write

SHAPE = (5, 32, 40, 24, 2)


@pytest.fixture
def volumes(comm, folder, random):
    """A file of volumes of 240 KiB a row, and the volumes."""
    array = random.standard_normal(SHAPE).astype(np.float32)
    mine = partition(array.shape, array.dtype, comm.size).slice(comm.rank)
    write(folder / "x.h5", comm, {}, {"samples": Slab.rows(array.shape, mine.start, array[mine])})
    return folder / "x.h5", array


@pytest.mark.parametrize(
    "shape, dtype", [((9, 128, 128, 128), "f4"), (SHAPE, "f4"), ((3, 9000), "f8"), ((2, 1, 9999999), "u1")]
)
def test_boxes_have_up_to_a_block(shape, dtype):
    size = np.prod(box_shape(shape, dtype)) * np.dtype(dtype).itemsize
    assert BLOCK_BYTES / 4 < size <= BLOCK_BYTES


def test_small_rows_have_no_boxes():
    assert box_shape((100, 28, 28, 1), "u1") == (28, 28, 1) and box_shape((100,), "f4") == ()


REGIONS = [
    (),
    (slice(0, 16),),
    (slice(16, 32), slice(20, 40)),
    (slice(3, 4), slice(7, 33), slice(23, 24), slice(1, 2)),
    (slice(5, 5),),
]


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("rows", [(0, 5), (1, 3), (4, 5), (2, 2)])
def test_a_region_is_what_numpy_cuts_out(volumes, region, rows):
    path, array = volumes
    with open_file(path) as file:
        found = read(file, "samples", *rows, region)
    expected = array[(slice(*rows), *region)]
    assert found.shape == expected.shape and np.array_equal(found, expected)


@pytest.mark.parametrize("shape", [(0,), (0, 3), (7, 3), (7, 9999)])
@pytest.mark.parametrize("rows", [(2, 2), (5, 2), (9, 12)])
def test_an_empty_selection_keeps_its_shape(comm, folder, shape, rows):
    write(folder / "x.h5", comm, {}, {"a": Slab.replicated(np.zeros(shape, np.float32), comm.rank)})
    with open_file(folder / "x.h5") as file:
        assert read(file, "a", *rows).shape == np.zeros(shape)[slice(*rows)].shape
    verify(folder / "x.h5", comm)


def test_little_more_than_a_region_is_read(volumes, monkeypatch):
    path, array = volumes
    read_bytes = []
    getitem = h5py.Dataset.__getitem__

    def counting(self, *arguments):
        found = getitem(self, *arguments)
        read_bytes.append(found.nbytes)
        return found

    quarter = (slice(0, 16), slice(0, 20))
    with open_file(path) as file:
        monkeypatch.setattr(h5py.Dataset, "__getitem__", counting)
        read(file, "samples", 0, 1, quarter)
    assert sum(read_bytes) < 1.5 * array[0][quarter].nbytes


def test_damage_within_a_row_is_found_where_it_lies(comm, volumes):
    path, array = volumes
    place = (3, 30, 2, 5, 1)
    with h5py.File(path) as file:
        offset = file["samples"].id.get_offset() + 4 * int(np.ravel_multi_index(place, array.shape))
    comm.Barrier()
    if comm.rank == 0:
        flip(path, offset)
    comm.Barrier()
    with open_file(path) as file:
        for region in ((slice(0, 8),), (slice(24, 32), slice(20, 40))):
            assert np.array_equal(read(file, "samples", 3, 4, region), array[(slice(3, 4), *region)])
        with pytest.raises(DamagedError, match="/samples differs from its checksum at rows 3 to 3"):
            read(file, "samples", 2, 5, (slice(28, 32), slice(0, 4)))
    with pytest.raises(DamagedError, match="/samples differs from its checksum at rows 3 to 3"):
        verify(path, comm)


def test_files_with_one_checksum_a_row_stay_readable(comm, folder, volumes, monkeypatch):
    """An older hpcgen wrote one checksum for a large row, and no boxes."""
    path, array = volumes
    monkeypatch.setattr(checksums, "box_shape", lambda shape, dtype: tuple(shape[1:]))
    monkeypatch.setattr(checksums, "boxes", lambda slabs: {})
    mine = partition(array.shape, array.dtype, comm.size).slice(comm.rank)
    write(folder / "old.h5", comm, {}, {"samples": Slab.rows(array.shape, mine.start, array[mine])})
    monkeypatch.undo()
    with open_file(folder / "old.h5") as file:
        assert file["checksums/samples"].shape == (5,)
        assert np.array_equal(read(file, "samples", 1, 3, (slice(4, 9),)), array[1:3, 4:9])
    verify(folder / "old.h5", comm)
