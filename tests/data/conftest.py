"""Data files as people make theirs: without checksums."""

import h5py
import pytest


@pytest.fixture
def made(comm, folder):
    """made(name, attributes, **columns): the path, as a text, of a file with these datasets."""

    def make(name, attributes=None, **columns):
        if comm.rank == 0:
            with h5py.File(folder / name, "w") as file:
                for column, values in columns.items():
                    file[column] = values
                file.attrs.update(attributes or {})
        comm.Barrier()
        return str(folder / name)

    return make
