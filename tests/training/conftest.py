"""Data and runs of a small GAN, the trained runs and the teams that these tests need, and a run that goes on
from one."""

import shutil

import pytest
from networks import write_data
from teams import cut, teams  # noqa: F401
from trained_runs import data, trained  # noqa: F401

from hpcgen.data.prepare import prepare
from hpcgen.data.sources.digits import Digits
from hpcgen.training.run import train as train_run


@pytest.fixture
def written(comm, folder):
    """written(kind): the path of a data file of random samples."""

    def write(kind):
        path = folder / f"{kind}.h5"
        if comm.rank == 0:
            write_data(path, kind)
        comm.Barrier()
        return path

    return write


@pytest.fixture
def digits(comm, folder):
    prepare(Digits, folder / "digits.h5", comm)
    return folder / "digits.h5"


@pytest.fixture
def start(comm, folder, digits):
    """start(name, *settings): train for 20 steps in the folder `name`; returns the Training."""
    path = folder / "run.toml"
    if comm.rank == 0:
        path.write_text(
            f"""
            seed = 5
            data.path = "{digits}"
            train = {{ steps = 20, lanes = 12, lane_size = 4 }}
            checkpoint = {{ every = 8, keep = 2 }}
            samples = {{ every = 10, count = 9 }}
            metrics.every = 5
            """
        )
    comm.Barrier()

    def run(name, *settings, world=comm, file=path, **options):
        training = train_run(file, folder / name, world, settings, progress="off", **options)
        world.Barrier()
        return training

    return run


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
