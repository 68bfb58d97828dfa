"""When checkpoints are written, and which of them stay."""

import errno
import os
from pathlib import Path

import pytest

from hpcgen.checkpoints.folder import candidates, checkpoint_name
from hpcgen.errors import RunError, WriteError
from hpcgen.training.folder import RunFolder
from hpcgen.training.hooks.checkpoints import Checkpoints
from hpcgen.training.loop import Training


@pytest.fixture
def home(comm, folder):
    if comm.rank == 0:
        (folder / "checkpoints").mkdir()
    comm.Barrier()
    return RunFolder(folder)


@pytest.mark.parametrize(
    "every, keep, kept",
    [(3, 2, [7, 6]), (3, 0, [7, 6, 3]), (1, 3, [7, 6, 5]), (100, 1, [7]), (7, 9, [7])],
)
def test_the_newest_stay(comm, home, idle, every, keep, kept):
    hook, settings = Checkpoints(home), (f"checkpoint.every={every}", f"checkpoint.keep={keep}")
    asked = []
    for step in range(1, 8):
        training = idle(step, *settings)
        hook(training, {}, step == 7)
        asked += training.asked
    comm.Barrier()
    assert [path.name for path in candidates(home.path)] == [checkpoint_name(step) for step in kept]
    due = [step for step in range(1, 8) if step % every == 0 or step == 7]
    assert asked == [home.path / "checkpoints" / checkpoint_name(step) for step in due]


def test_nothing_is_saved_in_a_folder_that_has_gone(comm, home, idle, monkeypatch):
    """Rank 0 alone looks; all ranks end."""

    def gone():
        raise RunError("the run folder was moved or removed")

    monkeypatch.setattr(home, "require_there", gone)
    training = idle(1, "checkpoint.every=1")
    with pytest.raises(RunError, match="moved or removed"):
        Checkpoints(home)(training, {}, False)
    assert training.asked == [] and candidates(home.path) == []


KEEP_ONE = ("train.steps=5", "checkpoint.every=5", "checkpoint.keep=1", "samples.every=100")


def names(run):
    return [path.name for path in candidates(run)]


def test_the_newest_stay_too(comm, folder, train):
    train("train.steps=9", "checkpoint.every=2", "checkpoint.keep=2", "samples.every=100")
    assert names(folder / "run") == ["step-00000009.h5", "step-00000008.h5"]
    comm.Barrier()
    train("train.steps=11", "checkpoint.every=1", "checkpoint.keep=0", "samples.every=100")
    assert names(folder / "run")[0] == "step-00000011.h5" and len(names(folder / "run")) == 4


def test_the_checkpoints_of_another_run_stay(comm, folder, train, monkeypatch):
    """While a long write ends, the run folder is moved away, and another run's takes its place."""
    save = Training.save

    def saving(self, path):
        save(self, path)
        if comm.rank == 0:
            (folder / "run").rename(folder / "moved")
            (folder / "run" / "checkpoints").mkdir(parents=True)
            for step in range(1, 9):
                (folder / "run" / "checkpoints" / f"step-{step:08d}.h5").touch()
        comm.Barrier()

    monkeypatch.setattr(Training, "save", saving)
    with pytest.raises(RunError, match="run: the run folder was moved or removed"):
        train(*KEEP_ONE)
    comm.Barrier()
    assert len(names(folder / "run")) == 8
    assert names(folder / "moved") == ["step-00000005.h5", "step-00000003.h5"]


@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO])
def test_a_checkpoint_that_cannot_be_removed_ends_all_ranks_in_one_line(
    comm, folder, train, monkeypatch, code
):
    unlink = Path.unlink

    def refusing(self, missing_ok=False):
        if self.name == "step-00000003.h5":
            raise OSError(code, os.strerror(code))
        unlink(self, missing_ok)

    monkeypatch.setattr(Path, "unlink", refusing)
    with pytest.raises(WriteError, match=f"the disk refused step-00000003.h5: {os.strerror(code)}"):
        train(*KEEP_ONE)
    monkeypatch.undo()
    comm.Barrier()
    assert names(folder / "run") == ["step-00000005.h5", "step-00000003.h5"]


def test_checkpoints_that_cannot_be_listed_end_all_ranks_in_one_line(comm, folder, train, monkeypatch):
    """The listing is rank 0's alone."""

    def refusing(run):
        raise RunError("cannot be listed")

    monkeypatch.setattr("hpcgen.training.hooks.checkpoints.candidates", refusing)
    with pytest.raises(RunError, match="cannot be listed"):
        train(*KEEP_ONE)
