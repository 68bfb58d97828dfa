"""The newest whole checkpoint of several: what is passed over, and what is said of it."""

from pathlib import Path

import pytest

from hpcgen.checkpoints.folder import candidates
from hpcgen.checkpoints.newest import choices, named, newest
from hpcgen.checkpoints.opening import ForeignError
from hpcgen.errors import AccessError, DamagedError, InputError, UnreadableError
from hpcgen.parallel.agreement import from_root

PATHS = [Path("run/step-3.h5"), Path("run/step-2.h5"), Path("run/step-1.h5")]


class Take:
    """Returns the name of a path, or raises the error that is given for it."""

    def __init__(self, *errors):
        self.errors, self.taken = dict(zip(PATHS, errors)), []

    def __call__(self, path):
        self.taken.append(path)
        if error := self.errors.get(path):
            raise error(f"{path}: why")
        return path.name


def test_the_first_whole_one_is_taken_and_no_other_is_looked_at(said):
    take = Take()
    assert newest(Path("run"), PATHS, take) == "step-3.h5" and take.taken == PATHS[:1]
    assert said() == []


@pytest.mark.parametrize("error", [DamagedError, ForeignError, AccessError, UnreadableError])
def test_one_that_cannot_be_taken_is_passed_over_and_named(said, error):
    take = Take(error)
    assert newest(Path("run"), PATHS, take) == "step-2.h5" and take.taken == PATHS[:2]
    assert said() == ["skipped: run/step-3.h5: why"]


def test_what_is_no_checkpoint_counts_as_damaged(said):
    """In a run's folder it is what a crash left."""
    assert newest(Path("run"), PATHS, Take(InputError)) == "step-2.h5"
    assert said() == ["skipped: run/step-3.h5: why (damaged)"]


@pytest.mark.parametrize("paths", [PATHS, []])
def test_no_whole_one_is_bad_input(said, paths):
    with pytest.raises(InputError, match="^run: holds no whole checkpoint$"):
        newest(Path("run"), paths, Take(DamagedError, ForeignError, InputError))
    assert len(said()) == len(paths)


def test_one_that_the_system_cannot_read_may_be_whole():
    """It is what is said then, not that the run holds none."""
    with pytest.raises(UnreadableError, match="step-2.h5: why"):
        newest(Path("run"), PATHS, Take(DamagedError, UnreadableError, DamagedError))


def test_a_mistake_in_the_code_is_not_passed_over():
    with pytest.raises(ZeroDivisionError):
        newest(Path("run"), PATHS, Take(ZeroDivisionError))


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
    assert choices(tmp_path / "y.h5") is None
    assert (
        named(tmp_path / "y.h5", None, take) == named(str(tmp_path / "y.h5"), None, take) == tmp_path / "y.h5"
    )
    with pytest.raises(DamagedError):
        named(tmp_path / "x.h5", None, take)


def test_a_run_folder_is_its_newest_whole_checkpoint(comm, run_folder, said):
    paths = from_root(comm, choices, run_folder)
    newest_one, middle, oldest = candidates(run_folder)
    assert named(run_folder, paths, refusing()) == newest_one
    assert said() == []
    errors = [(newest_one.name, DamagedError("d")), (middle.name, UnreadableError("u"))]
    assert named(str(run_folder), paths, refusing(*errors)) == oldest
    assert said() == ["skipped: d", "skipped: u"]
    with pytest.raises(UnreadableError, match="u"):
        named(run_folder, paths, refusing(*errors, (oldest.name, DamagedError("d"))))


def test_a_folder_without_a_whole_checkpoint(tmp_path):
    with pytest.raises(InputError, match="holds no whole checkpoint"):
        named(tmp_path, choices(tmp_path), refusing())
    paths = [tmp_path / "a.h5", tmp_path / "b.h5"]
    with pytest.raises(InputError, match="holds no whole checkpoint"):
        newest(tmp_path, paths, refusing(("a.h5", InputError("no HDF5")), ("b.h5", DamagedError("d"))))
