"""What `hpcgen inspect` says of a data file, after it has read all of it."""

import errno
import os

import h5py
import numpy as np
import pytest
from stored import flip

from hpcgen.data import inspection
from hpcgen.data.inspection import describe
from hpcgen.data.prepare import prepare
from hpcgen.data.sources.digits import Digits
from hpcgen.data.sources.linear import LinearModel
from hpcgen.errors import DamagedError, InputError, UnreadableError
from hpcgen.files import reading


@pytest.fixture
def prepared(comm, folder):
    prepare(lambda: LinearModel(300, 3, 2, 0.1, 0), folder / "columns.h5", comm)
    return folder / "columns.h5"


def test_a_prepared_file_is_whole(comm, prepared, said):
    said()
    describe(prepared, comm)
    with h5py.File(prepared) as file:
        low, high, source = (file.attrs[name] for name in ("low", "high", "source"))
    assert said() == [
        f"{prepared}: data file, 300 samples of 2 float32",
        "  kind    array",
        f"  source  {source}",
        f"  low     {low}",
        f"  high    {high}",
        "  noise   0.1",
        "  /inputs (300, 3)",
        "  /theta (3, 2)",
        "  whole: every checksum is correct, every number is finite",
    ]


def test_a_file_of_another_program_has_no_checksums(comm, made, said):
    path = made("x.h5", {"kind": "audio", "rate": 100}, samples=np.zeros((7, 4, 2), np.float32))
    said()
    describe(path, comm)
    assert said() == [
        f"{path}: data file, 7 samples of 4 x 2 float32",
        "  kind    audio",
        "  source  not given",
        "  low     not given",
        "  high    not given",
        "  rate    100",
        "  no checksums (not made by hpcgen); every number is finite",
    ]


@pytest.mark.parametrize("row", [0, 30, 59])
def test_a_row_that_one_rank_reads_is_named_by_all(comm, made, monkeypatch, row):
    monkeypatch.setattr(inspection, "ROWS_AT_A_TIME", 7)
    samples = np.zeros((60, 2), np.float32)
    samples[row] = np.inf
    with pytest.raises(InputError, match=f"x.h5: row {row} of the samples holds NaN or infinity"):
        describe(made("x.h5", samples=samples), comm)


@pytest.mark.parametrize("name", ["samples", "inputs", "theta"])
def test_damage_is_found_in_each_dataset(comm, prepared, name):
    with h5py.File(prepared) as file:
        position = file[name].id.get_offset() + file[name].id.get_storage_size() - 3
    comm.Barrier()
    if comm.rank == 0:
        flip(prepared, position)
    comm.Barrier()
    with pytest.raises(DamagedError, match=f"/{name} differs from its checksum"):
        describe(prepared, comm)


@pytest.fixture
def plain(comm, folder):
    """A data file as people write theirs, without checksums and attributes."""
    if comm.rank == 0:
        with h5py.File(folder / "plain.h5", "w") as file:
            file["samples"], file["notes"] = np.arange(60, dtype=np.float32).reshape(20, 3), np.zeros(4)
    comm.Barrier()
    return folder / "plain.h5"


def test_a_file_of_hpcgen(comm, folder, said):
    prepare(Digits, folder / "digits.h5", comm)
    said()
    describe(folder / "digits.h5", comm)
    lines = said()
    assert lines[0] == f"{folder / 'digits.h5'}: data file, 1,797 samples of 8 x 8 x 1 uint8"
    assert lines[1].split() == ["kind", "image"] and "  /labels (1797,)" in lines
    assert lines[-1] == "  whole: every checksum is correct, every number is finite"


def test_a_file_of_another_program(comm, plain, said):
    describe(plain, comm)
    lines = said()
    assert lines[1].split() == ["kind", "not", "given"] and "  /notes (4,)" in lines
    assert lines[-1] == "  no checksums (not made by hpcgen); every number is finite"


def test_rows_that_cannot_be_used_are_named(comm, plain):
    if comm.rank == 0:
        with h5py.File(plain, "r+") as file:
            file["samples"][17, 1] = np.nan
    comm.Barrier()
    with pytest.raises(InputError, match="row 17 of the samples holds NaN"):
        describe(plain, comm)


def test_a_dataset_that_the_system_refuses_ends_all_ranks_in_one_line(comm, plain, monkeypatch):
    """HDF5 reads the header of a dataset when it is opened."""
    monkeypatch.setattr(reading, "RETRY_PAUSES", (0.0,))
    getitem = h5py.File.__getitem__

    def refusing(self, name):
        if comm.rank == comm.size - 1 and name == "notes":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return getitem(self, name)

    monkeypatch.setattr(h5py.File, "__getitem__", refusing)
    with pytest.raises(UnreadableError, match="plain.h5: the system cannot read it: Input/output error"):
        describe(plain, comm)
