"""When checkpoints are written, and which of them stay."""

import pytest

from hpcgen.checkpoints.folder import candidates, checkpoint_name
from hpcgen.errors import RunError
from hpcgen.training.folder import RunFolder
from hpcgen.training.hooks.checkpoints import Checkpoints


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
