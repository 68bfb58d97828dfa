import errno
import os

import pytest

from hpcgen.checkpoints.folder import candidates, checkpoint_name, set_aside
from hpcgen.errors import AccessError, RunError, UnreadableError
from hpcgen.files import reading


def test_candidates_are_the_checkpoints_newest_first(comm, folder):
    if comm.rank == 0:
        (folder / "checkpoints" / "step-00000007.h5").mkdir(parents=True)
        others = [".step-00000009.h5.d16a1.part", "step-00000009.damaged", "step-9.h5", "notes.txt"]
        for each in [checkpoint_name(8), checkpoint_name(123456789), checkpoint_name(10), *others]:
            (folder / "checkpoints" / each).touch()
    comm.Barrier()
    found = ["step-123456789.h5", "step-00000010.h5", "step-00000008.h5"]
    assert [path.name for path in candidates(folder)] == found
    assert candidates(folder / "missing") == []


def test_a_damaged_checkpoint_is_set_aside(tmp_path):
    (tmp_path / checkpoint_name(1)).write_text("damaged")
    assert set_aside(tmp_path / checkpoint_name(1)) == tmp_path / "step-00000001.damaged"
    assert (tmp_path / "step-00000001.damaged").read_text() == "damaged"
    (tmp_path / checkpoint_name(1)).write_text("damaged again")
    assert set_aside(tmp_path / checkpoint_name(1)) == tmp_path / "step-00000001.2.damaged"
    assert (tmp_path / "step-00000001.damaged").read_text() == "damaged"
    with pytest.raises(RunError, match=r"cannot be renamed to step-00000001.3.damaged: No such file"):
        set_aside(tmp_path / checkpoint_name(1))


@pytest.mark.parametrize("error", [PermissionError(errno.EACCES, "no"), OSError(errno.EIO, "no")])
@pytest.mark.parametrize("times", [1, 9])
def test_a_listing_that_fails_is_no_empty_folder(tmp_path, monkeypatch, error, times):
    """A run that found no checkpoint would start again from step 0."""
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / checkpoint_name(1)).touch()
    failures, scandir = [error] * times, os.scandir

    def failing(path):
        if failures:
            raise failures.pop()
        return scandir(path)

    monkeypatch.setattr(os, "scandir", failing)
    monkeypatch.setattr(reading, "RETRY_PAUSES", (0.0, 0.0))
    if times == 1:
        assert [path.name for path in candidates(tmp_path)] == [checkpoint_name(1)]
    else:
        with pytest.raises((AccessError, UnreadableError)):
            candidates(tmp_path)
