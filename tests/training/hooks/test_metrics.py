"""The rows of a resumed run are complete."""

import csv

import pytest

from hpcgen.checkpoints.folder import candidates
from hpcgen.training.run import train


def steps(folder):
    with open(folder / "metrics.csv") as file:
        return [(int(row["step"]), row["vae/loss"] != "") for row in csv.DictReader(file)]


@pytest.mark.parametrize("killed_after", [4, 6])
def test_a_kill_after_a_checkpoint_loses_no_row(comm, folder, trained, monkeypatch, killed_after):
    """The process ends as soon as the checkpoint has its name; nothing else is written."""
    path, _ = trained("vae")
    run_file, settings = path.with_suffix(".toml"), ["train.steps=8", "metrics.every=2", "checkpoint.every=2"]

    class Killed(BaseException):
        pass

    from hpcgen.training.loop import Training

    save = Training.save

    def killing(self, path):
        save(self, path)
        if self.step == killed_after:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Training, "save", killing)
        with pytest.raises(Killed):
            train(run_file, folder / "run", comm, settings, progress="off")
    comm.Barrier()
    assert candidates(folder / "run")[0].name == f"step-{killed_after:08d}.h5"
    comm.Barrier()
    train(run_file, folder / "run", comm, settings, progress="off")
    comm.Barrier()
    assert steps(folder / "run") == [(step, True) for step in (2, 4, 6, 8)]
