"""With observers a run writes what it writes without them, byte for byte."""

import pytest

from hpcgen.checkpoints.comparison import compare
from hpcgen.training.hooks.observers import Observers
from hpcgen.training.run import train


@pytest.fixture(autouse=True)
def several(comm):
    if comm.size == 1:
        pytest.skip("a rank must train, and another must observe")


def content(folder):
    """Return the bytes of a run's pictures and of its metrics.csv."""
    paths = [folder / "metrics.csv", *sorted((folder / "samples").iterdir())]
    return {path.name: path.read_bytes() for path in paths}


# The samples to compare. 0: the kind has measures of all rows.
COUNTS = {"gan": 40, "rvae": 20, "classifier": 0, "volumes": 8}


@pytest.mark.parametrize("kind", COUNTS)
def test_the_same_files(comm, folder, trained, kind):
    """And the same checkpoints."""
    path, _ = trained(kind)
    settings = ["train.steps=6", "metrics.every=2", "samples.every=2", "samples.count=4"]
    settings += ["evaluate.every=3", f"evaluate.count={COUNTS[kind]}"]
    for observers in sorted({0, 1, comm.size - 1}):
        own = [*settings, f"parallel.observers={observers}"]
        train(path.with_suffix(".toml"), folder / f"run{observers}", comm, own, progress="off")
        comm.Barrier()
        assert content(folder / f"run{observers}") == content(folder / "run0")
        checkpoints = [folder / f"run{each}/checkpoints/step-00000006.h5" for each in (0, observers)]
        assert compare(*checkpoints, comm) == 0


def test_an_average_is_what_is_observed(comm, folder, start):
    settings = ["optimizer.average=0.9", "evaluate.every=4", "evaluate.count=50"]
    start("without", *settings)
    start("with", *settings, "parallel.observers=1")
    assert content(folder / "with") == content(folder / "without")


def test_busy_observers_lose_nothing(comm, folder, start, monkeypatch):
    """Rank 0 hears of answers late: one Snapshot waits, and a third one waits for the first."""
    settings = ["evaluate.every=1", "evaluate.count=50", "samples.every=3", "metrics.every=2"]
    start("without", *settings)
    poll = Observers._poll

    def late(self):
        if len(calls := self.__dict__.setdefault("calls", [])) % 4 == 3:
            poll(self)
        calls.append(1)

    monkeypatch.setattr(Observers, "_poll", late)
    start("with", *settings, "parallel.observers=1")
    assert content(folder / "with") == content(folder / "without")


def test_busy_observers_may_be_left_alone(comm, folder, start, monkeypatch):
    """All but the first and the last Snapshot come while the observers are busy."""
    monkeypatch.setattr(Observers, "_poll", lambda self: None)
    finish = Observers._finish

    def late(self):
        monkeypatch.undo()
        finish(self)

    monkeypatch.setattr(Observers, "_finish", late)
    start("run", "parallel.observers=1", "samples.every=3", "evaluate.skip=true")
    names = [path.name for path in sorted((folder / "run" / "samples").iterdir())]
    assert names == ["step-00000003.png", "step-00000020.png"]


def test_what_a_killed_run_left_undone_is_made_up_for(comm, folder, start):
    settings = ["evaluate.every=20", "evaluate.count=50", "parallel.observers=1"]
    start("run", *settings)
    whole = content(folder / "run")
    comm.Barrier()
    if comm.rank == 0:
        (folder / "run/samples/step-00000020.png").unlink()
        text = (folder / "run/metrics.csv").read_text().splitlines(keepends=True)
        lost = text[-1].split(",")
        header = text[0].split(",")
        kept = [value if "evaluate" not in name else "" for name, value in zip(header, lost)]
        (folder / "run/metrics.csv").write_text("".join(text[:-1]) + ",".join(kept) + "\n")
    comm.Barrier()
    start("run", *settings)
    assert content(folder / "run") == whole
