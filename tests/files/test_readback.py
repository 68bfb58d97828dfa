"""What the disk kept, compared with what was meant."""

import h5py
import numpy as np
import pytest
from stored import boxes_of, content, flip

from hpcgen.errors import AccessError, DamagedError, UnreadableError, WriteError
from hpcgen.files import checksums, readback
from hpcgen.files.readback import kept, require_rows, require_structure
from hpcgen.files.slabs import Slab
from hpcgen.files.writing import write

VALUES = [1, 1.0, True, "1", [1], [1.0], [[1]], [1, 1], [True], -1, "text", "", "Größe"]


@pytest.fixture
def slabs():
    return {"a": Slab.rows((5,), 0, np.arange(5.0))}


@pytest.fixture
def path(tmp_path, slabs):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["a"] = np.arange(5.0)
    return tmp_path / "x.h5"


@pytest.mark.parametrize("meant", VALUES, ids=repr)
@pytest.mark.parametrize("found", VALUES, ids=repr)
def test_an_attribute_has_the_value_type_and_shape_that_were_meant(path, slabs, found, meant):
    with h5py.File(path, "r+") as file:
        file.attrs["x"] = found
    if repr(found) == repr(meant):
        require_structure(path, {"x": meant}, slabs)
    else:
        with pytest.raises(DamagedError, match="its attributes differ from those that were written"):
            require_structure(path, {"x": meant}, slabs)


@pytest.mark.parametrize("attributes", [{}, {"y": 1}, {"x": 1, "y": 1}])
def test_attributes_that_are_missing_or_too_many(path, slabs, attributes):
    with h5py.File(path, "r+") as file:
        file.attrs["x"] = 1
    with pytest.raises(DamagedError):
        require_structure(path, attributes, slabs)


@pytest.mark.parametrize("name, array", [("a", np.zeros(5, "f4")), ("a", np.zeros(6)), ("b", np.zeros(5))])
def test_datasets_have_the_name_type_and_shape_that_were_meant(path, slabs, name, array):
    require_structure(path, {}, slabs)
    with pytest.raises(DamagedError, match="its datasets differ from those that were written"):
        require_structure(path, {}, {name: Slab.rows(array.shape, 0, array)})


def test_what_was_not_kept_is_a_refusal_of_the_disk(path):
    for error in (DamagedError("x"), AccessError("x")):
        with pytest.raises(WriteError, match=r"the disk did not keep x.h5: x; existing files"), kept(path):
            raise error
    with pytest.raises(UnreadableError), kept(path):
        raise UnreadableError("x")


def test_a_rank_reads_what_it_wrote_a_little_at_a_time(comm, folder, random, monkeypatch):
    arrays = content(random)
    slabs = boxes_of(arrays, comm)
    write(folder / "x.h5", comm, {}, slabs)
    monkeypatch.setattr(readback, "VERIFIED_BYTES", 1 << 16)
    read, found = checksums.read, {name: np.zeros(array.shape, int) for name, array in arrays.items()}

    def counting(file, name, start, stop, region):
        rows = read(file, name, start, stop, region)
        assert rows.nbytes <= max(1 << 16, arrays[name][:1].nbytes)
        found[name][(slice(start, stop), *region)] += 1
        return rows

    monkeypatch.setattr(checksums, "read", counting)
    require_rows(folder / "x.h5", slabs)
    assert all((sum(comm.allgather(count)) == 1).all() for count in found.values())


def test_rows_that_were_lost_are_found_by_the_rank_that_wrote_them(comm, folder, random):
    array = content(random)["large/volumes"]
    slabs = boxes_of({"a": array}, comm)
    write(folder / "x.h5", comm, {}, slabs)
    place = (5, 39, 3, 16)
    with h5py.File(folder / "x.h5") as file:
        offset = file["a"].id.get_offset() + 4 * int(np.ravel_multi_index(place, array.shape))
    comm.Barrier()
    if comm.rank == 0:
        flip(folder / "x.h5", offset)
    comm.Barrier()
    mine = [all(w.start <= i < w.stop for w, i in zip(piece.where, place)) for piece in slabs["a"].pieces]
    if any(mine):
        with pytest.raises(DamagedError, match="/a differs from its checksum at rows 5 to 5"):
            require_rows(folder / "x.h5", slabs)
    else:
        require_rows(folder / "x.h5", slabs)
