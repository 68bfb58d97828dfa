"""What `hpcgen inspect` says about a data file."""

import errno
import os

import h5py
import numpy as np
import pytest

from hpcgen.data.inspection import describe
from hpcgen.data.prepare import prepare
from hpcgen.data.sources.digits import Digits
from hpcgen.errors import InputError, UnreadableError
from hpcgen.files import reading


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
    assert lines[-1] == "  whole: every checksum holds, every number is finite"


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
