"""The trained runs that these tests need, and a run that goes on from one."""

import shutil

import pytest
from trained_runs import data, trained  # noqa: F401

from hpcgen.training.run import train as train_run


@pytest.fixture
def train(comm, trained, folder):  # noqa: F811
    """train(*settings): train in a copy of a trained run's folder; returns the Training."""
    path, _ = trained("vae")
    if comm.rank == 0:
        shutil.copytree(path, folder / "run")
        shutil.copy(path.with_suffix(".toml"), folder / "run.toml")
    comm.Barrier()

    def train(*settings, fresh=False):
        made = train_run(folder / "run.toml", folder / "run", comm, settings, fresh, progress="off")
        comm.Barrier()
        return made

    return train
