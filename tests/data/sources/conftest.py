"""Helpers for tests of sources: read a source in pieces, and compare `prepare` on all ranks and on one."""

import errno
import os
from contextlib import contextmanager

import h5py
import pytest
from mpi4py import MPI

from hpcgen.data.prepare import PrepareOptions, prepare
from hpcgen.data.rows import Rows
from hpcgen.errors import InputError, UnreadableError
from hpcgen.files import reading
from hpcgen.files.checksums import verify


@pytest.fixture(scope="session")
def in_pieces():
    """in_pieces(source): the `Rows` of a source, read in three pieces, one of them empty."""

    def in_pieces(source):
        source.survey(MPI.COMM_SELF)
        bounds = [0, source.rows // 3, source.rows // 3, source.rows]
        rows = Rows.joined([source.read(start, stop) for start, stop in zip(bounds, bounds[1:])])
        assert rows.samples.shape == (source.rows, *source.shape) and rows.samples.dtype == source.dtype
        assert [name for name in Rows._fields if getattr(rows, name) is not None] == sorted(
            source.columns, key=Rows._fields.index
        )
        return rows

    return in_pieces


@pytest.fixture
def prepared(comm, folder):
    """prepared(make_source, **options): (datasets, attributes) of the file that all ranks make, the same that
    one makes."""

    def content(path):
        with h5py.File(path) as file:
            names = {name for name in file if name != "checksums"}
            return {name: file[name][...] for name in names}, dict(file.attrs)

    def prepared(make_source, **options):
        prepare(make_source, folder / "all.h5", comm, PrepareOptions(**options))
        verify(folder / "all.h5", comm)
        if comm.rank == 0:
            prepare(make_source, folder / "one.h5", MPI.COMM_SELF, PrepareOptions(**options))
        comm.Barrier()
        (datasets, attributes), (expected, same) = content(folder / "all.h5"), content(folder / "one.h5")
        assert attributes == same and datasets.keys() == expected.keys()
        for name, array in expected.items():
            assert datasets[name].dtype == array.dtype and datasets[name].tobytes() == array.tobytes()
        return datasets, attributes

    return prepared


@pytest.fixture(params=[errno.EMFILE, errno.EIO, errno.EACCES], ids=errno.errorcode.get)
def refused(request, monkeypatch):
    """refused(path): a context in which the system refuses to open a file, which must end in one line."""
    reason = os.strerror(request.param)
    kind = InputError if request.param == errno.EACCES else UnreadableError

    @contextmanager
    def refused(path):
        opened = open

        def opening(file, *arguments, **options):
            if file == path:
                raise OSError(request.param, reason)
            return opened(file, *arguments, **options)

        with monkeypatch.context() as patch, pytest.raises(kind, match=f"{path.name}: .*{reason}"):
            patch.setattr(reading, "RETRY_PAUSES", (0.0,))
            patch.setattr("builtins.open", opening)
            yield

    return refused


@pytest.fixture
def put(comm, folder):
    """put(name, content): the path of a file of these bytes, which all ranks see."""

    def put(name, content):
        if comm.rank == 0:
            (folder / name).write_bytes(content)
        comm.Barrier()
        return folder / name

    return put
