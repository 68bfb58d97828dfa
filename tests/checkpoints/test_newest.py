"""A checkpoint that the user names: a file, or a run folder, which stands for its newest whole one."""

from functools import partial

import pytest

from hpcgen.checkpoints.folder import candidates
from hpcgen.checkpoints.newest import named, newest
from hpcgen.errors import DamagedError, InputError, UnreadableError
from hpcgen.parallel.agreement import from_root


def refusing(*refused):
    """Return a function that takes a checkpoint, unless it has one of these (name, error)."""
    errors = dict(refused)

    def take(path):
        if path.name in errors:
            raise errors[path.name]
        return path

    return take


def test_a_file_is_itself(tmp_path):
    take = refusing(("x.h5", DamagedError("x")))
    assert named(tmp_path / "y.h5", take) == named(str(tmp_path / "y.h5"), take) == tmp_path / "y.h5"
    with pytest.raises(DamagedError):
        named(tmp_path / "x.h5", take)


@pytest.mark.parametrize("together", [False, True])
def test_a_run_folder_is_its_newest_whole_checkpoint(comm, run_folder, said, together):
    ask = {"ask": partial(from_root, comm)} if together else {}
    newest_one, middle, oldest = candidates(run_folder)
    assert named(run_folder, refusing(), **ask) == newest_one
    assert said() == []
    errors = [(newest_one.name, DamagedError("d")), (middle.name, UnreadableError("u"))]
    assert named(str(run_folder), refusing(*errors), **ask) == oldest
    assert said() == ["skipped: d", "skipped: u"]
    with pytest.raises(UnreadableError, match="u"):
        named(run_folder, refusing(*errors, (oldest.name, DamagedError("d"))), **ask)


def test_a_folder_without_a_whole_checkpoint(tmp_path):
    with pytest.raises(InputError, match="holds no whole checkpoint"):
        named(tmp_path, refusing())
    paths = [tmp_path / "a.h5", tmp_path / "b.h5"]
    with pytest.raises(InputError, match="holds no whole checkpoint"):
        newest(tmp_path, paths, refusing(("a.h5", InputError("no HDF5")), ("b.h5", DamagedError("d"))))


def test_what_rank_0_sees_counts(comm, run_folder):
    """A file server may show the ranks different names."""

    def ask(function, *arguments):
        return from_root(comm, function if comm.rank == 0 else None, *arguments)

    assert named(run_folder, refusing(), ask) == candidates(run_folder)[0]
