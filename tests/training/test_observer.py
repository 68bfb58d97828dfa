"""Ranks that observe a run end with it, and with its errors."""

import os
import signal

import pytest

from hpcgen.errors import InputError, RunError
from hpcgen.runtime import lane_threads
from hpcgen.sampling import showing
from hpcgen.training.hooks.metrics import Metrics
from hpcgen.training.loop import Training
from hpcgen.training.observer import Observer
from hpcgen.training.run import train


@pytest.fixture(autouse=True)
def several(comm):
    if comm.size == 1:
        pytest.skip("a rank must train, and another must observe")


@pytest.mark.parametrize("observers", [1, 2])
def test_observers_own_no_lanes(comm, start, observers):
    if observers >= comm.size:
        pytest.skip("a rank must train")
    threads = lane_threads(comm)  # of each rank, if all ranks share the cores
    mine = start("run", f"parallel.observers={observers}", "evaluate.every=10", "evaluate.count=50")
    assert isinstance(mine, Observer if comm.rank >= comm.size - observers else Training)
    if isinstance(mine, Observer):
        assert mine.watch.seconds["observing"] > 0
    else:
        assert mine.lane_workers.threads <= threads
        assert mine.deal.ranks == comm.size - observers


@pytest.mark.parametrize(
    "setting, message",
    [
        ("evaluate.data=missing.h5", "missing.h5: no such file"),  # found by the observers
        ("data.path=missing.h5", "missing.h5: no such file"),  # found by the trainers
    ],
)
def test_bad_input_ends_both_crews(start, setting, message):
    with pytest.raises(InputError, match=message):
        start("run", "parallel.observers=1", "evaluate.every=10", setting)


def test_observers_with_nothing_to_do_are_refused(comm, folder, trained):
    path, _ = trained("classifier")
    with pytest.raises(InputError, match="parallel.observers = 1: this model draws no samples"):
        train(path.with_suffix(".toml"), folder / "run", comm, ["parallel.observers=1"], progress="off")
    comm.Barrier()
    assert not (folder / "run").exists()


def test_a_run_that_fails_ends_its_observers(comm, start, monkeypatch):
    def fail(*arguments):
        raise RunError("injected")

    monkeypatch.setattr(Metrics, "__call__", fail)
    with pytest.raises(RunError, match="injected"):
        start("run", "parallel.observers=1")


def test_a_signal_to_an_observer_stops_the_run(comm, start, monkeypatch):
    """It saves, and can be resumed."""

    def save(*arguments):
        os.kill(os.getpid(), signal.SIGUSR1)

    monkeypatch.setattr(showing, "save", save)
    with pytest.raises(RunError, match="stopped by a signal after step"):
        start("run", "parallel.observers=1", "train.steps=100000", "samples.every=10", "metrics.every=1000")
