"""Whole runs in this process: their files, their resumption, and their errors."""

import csv

import h5py
import numpy as np
import pytest
from mpi4py import MPI

import hpcgen
from hpcgen.checkpoints.comparison import compare
from hpcgen.checkpoints.folder import candidates
from hpcgen.checkpoints.inspection import inspect
from hpcgen.data.prepare import PrepareOptions, prepare
from hpcgen.data.sources.digits import Digits
from hpcgen.errors import InputError, RunError
from hpcgen.training.folder import RunFolder


def parameters(training):
    return {player: theta.data.tobytes() for player, theta in training.theta.items()}


@pytest.mark.parametrize("exchange", ["auto", "allreduce"])
def test_a_resumed_run_equals_an_uninterrupted_one(comm, folder, start, exchange):
    setting = f"parallel.exchange={exchange}"
    whole = start("whole", setting)
    start("parts", setting, "train.steps=8")
    resumed = start("parts", setting)
    assert parameters(resumed) == parameters(whole)
    assert (folder / "parts" / "metrics.csv").read_text() == (folder / "whole" / "metrics.csv").read_text()
    last = "checkpoints/step-00000020.h5"
    assert compare(folder / "whole" / last, folder / "parts" / last, comm) == 0


def test_another_rank_resumes_with_the_same_bits(comm, folder, start):
    """Saved by all ranks, resumed by one; saved by one, resumed by all."""
    whole = start("whole")
    start("many-one", "train.steps=8")
    if comm.rank == 0:
        start("many-one", world=MPI.COMM_SELF)
        start("one-many", "train.steps=8", world=MPI.COMM_SELF)
    comm.Barrier()
    resumed = start("one-many")
    assert parameters(resumed) == parameters(whole)
    last = "checkpoints/step-00000020.h5"
    assert compare(folder / "whole" / last, folder / "many-one" / last, comm) == 0


def test_a_run_folder_holds_what_the_readme_says(comm, folder, start):
    start("run")
    assert [path.name for path in candidates(folder / "run")] == [
        "step-00000020.h5",
        "step-00000016.h5",
    ]
    assert sorted(path.name for path in (folder / "run" / "samples").iterdir()) == [
        "step-00000010.png",
        "step-00000020.png",
    ]
    with open(folder / "run" / "metrics.csv") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [5, 10, 15, 20]
    assert set(rows[0]) == {
        "step", "discriminator/loss", "discriminator/real_logit", "discriminator/fake_logit", "generator/loss"
    }  # fmt: skip
    assert inspect(folder / "run", comm) == 0


def deals(lanes, size):
    """Return how many lanes a rank has, in words."""
    return f"{lanes // size}" if lanes % size == 0 else f"{lanes // size} to {lanes // size + 1}"


def test_a_finished_run_has_nothing_left_to_do(comm, folder, start, said):
    start("run")
    lines = said()
    deal = "1 rank" if comm.size == 1 else f"{comm.size} ranks, {deals(12, comm.size)} per rank"
    assert f"12 lanes of 4 samples on {deal}; exchange exact" in lines[0]
    assert lines[-3:] == [
        f"run         {folder / 'run'}",
        f"checkpoint  {folder / 'run' / 'checkpoints' / 'step-00000020.h5'}",
        f"samples     {folder / 'run' / 'samples' / 'step-00000020.png'}",
    ]
    start("run")
    lines = said()
    assert "nothing left to do: 20 of train.steps = 20 steps are done" in lines
    assert f"resuming from {folder / 'run' / 'checkpoints' / 'step-00000020.h5'}" in lines
    longer = start("run", "train.steps=24")
    assert longer.step == 24


def test_two_runs_do_not_share_a_folder(comm, folder, start, monkeypatch):
    monkeypatch.setattr("hpcgen.training.folder.LOCK_SECONDS", 0.2)
    with (
        RunFolder(folder / "run").locked(comm),
        pytest.raises(InputError, match="another run is writing there"),
    ):
        start("run", "train.steps=1")
    start("run", "train.steps=1")


def test_a_checkpoint_of_another_run_is_refused(comm, folder, start):
    start("run", "train.steps=2")
    if comm.rank == 0:
        (folder / "run" / "config.toml").unlink()
    comm.Barrier()
    with pytest.raises(InputError, match="another configuration .model.generator.hidden"):
        start("run", "model.generator.hidden=[64]")
    assert start("run", "train.steps=3").step == 3


def test_another_configuration_or_other_data_is_refused(comm, folder, start):
    start("run", "train.steps=2")
    with pytest.raises(InputError, match="model.latent: 7, not 100; .*--fresh"):
        start("run", "model.latent=7", "model.loss=minimax")
    prepare(Digits, folder / "other.h5", comm, PrepareOptions(seed=1))
    before = (folder / "run" / "config.toml").read_text()
    with pytest.raises(InputError, match="not the data that .* was trained on"):
        start("run", f"data.path={folder / 'other.h5'}")
    assert (folder / "run" / "config.toml").read_text() == before
    fresh = start("run", "model.latent=7", fresh=True)
    assert fresh.step == 20
    assert (folder / "run" / "old-1" / "checkpoints" / "step-00000002.h5").exists()


def test_a_checkpoint_is_there_before_measures_are_taken(comm, folder, start, monkeypatch):
    def fails(self, theta):
        raise RunError("no measure")

    monkeypatch.setattr("hpcgen.evaluation.evaluation.Evaluation.measures", fails)
    with pytest.raises(RunError, match="no measure"):
        start("run", "evaluate.every=8", "evaluate.count=50")
    comm.Barrier()
    assert [path.name for path in candidates(folder / "run")] == ["step-00000008.h5"]


def test_what_cannot_be_evaluated_leaves_the_run_folder_alone(comm, folder, start):
    start("run")
    with pytest.raises(InputError, match="no such file"):
        start("run", "evaluate.every=5", "evaluate.data=missing.h5", fresh=True)
    assert (folder / "run" / "checkpoints" / "step-00000020.h5").exists() and not (
        folder / "run" / "old-1"
    ).exists()


def test_a_damaged_checkpoint_is_skipped_and_named(comm, folder, start, said):
    whole = start("run")
    newest, older = candidates(folder / "run")
    if comm.rank == 0:
        newest.write_bytes(newest.read_bytes()[:100_000])
    comm.Barrier()
    assert inspect(folder / "run", comm) == 1
    said()
    assert hpcgen.load(folder / "run").step == 16
    (line,) = said()
    assert line.startswith("skipped: ") and newest.name in line
    again = start("run", "checkpoint.keep=1")
    warned = [line for line in said() if line.startswith("skipped: ")]
    assert len(warned) == 1 and newest.name in warned[0]
    assert parameters(again) == parameters(whole)
    kept = sorted(path.name for path in (folder / "run" / "checkpoints").iterdir())
    assert kept == ["step-00000020.damaged", "step-00000020.h5"]


def test_a_loss_that_is_not_finite_stops_the_run(comm, folder, start):
    start(
        "run",
        "optimizer.generator.learning_rate=1e30",
        "train.steps=1",
        "checkpoint.every=1",
    )
    with pytest.raises(
        RunError, match=r"step \d+: the (discriminator|generator)'s (loss is|numbers are)"
    ) as error:
        start("run", "optimizer.generator.learning_rate=1e30", "checkpoint.every=1")
    saved = candidates(folder / "run")
    assert f"the last good checkpoint is {saved[0]}" in str(error.value)
    for player in hpcgen.load(saved[0]).players.values():
        assert np.isfinite(player.data).all()


RICH = """
    data = {{ path = "{data}", block = 1 }}
    train = {{ steps = 6, lanes = 4, lane_size = 4 }}
    checkpoint.every = 3
    [model]
    network = "dcgan28"
    loss = "wasserstein"
    gradient_penalty = 10.0
    discriminator_steps = 2
    spectral_norm = true
    conditional = true
    generator.width = 16
    discriminator.width = 16
    [optimizer]
    schedule = "cosine"
    decay_steps = 6
    average = 0.9
    """


def test_all_that_a_run_carries_on_is_in_its_checkpoint(comm, folder, start, random):
    """Turns, spectral norms' vectors, averages, schedules, and the place in data that are read in blocks."""
    if comm.rank == 0:
        with h5py.File(folder / "data.h5", "w") as file:
            file["samples"] = random.integers(0, 255, (5000, 32, 32, 1), np.uint8)
            file["labels"] = random.integers(0, 3, 5000)
        (folder / "rich.toml").write_text(RICH.format(data=folder / "data.h5"))
    comm.Barrier()
    whole = start("whole", file=folder / "rich.toml")
    if comm.rank == 0:
        start("parts", "train.steps=3", world=MPI.COMM_SELF, file=folder / "rich.toml")
    comm.Barrier()
    parts = start("parts", file=folder / "rich.toml")
    assert parameters(parts) == parameters(whole)
    assert compare(folder / "whole", folder / "parts", comm) == 0
