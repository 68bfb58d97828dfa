import errno
import os
import shutil

import h5py
import numpy as np
import pytest
from stored import reseal

from hpcgen.checkpoints.saving import RunState, save
from hpcgen.checkpoints.state import PlayerState
from hpcgen.config.reading import parse_config
from hpcgen.data.prepare import prepare
from hpcgen.data.schema import Schema
from hpcgen.data.sources.digits import Digits
from hpcgen.files import reading
from hpcgen.nn.vector import Layout, Vector
from hpcgen.parallel.ownership import Ownership
from hpcgen.training.run import train


@pytest.fixture(scope="session")
def _trained(_test_comm, tmp_path_factory):
    comm = _test_comm
    folder = comm.bcast(tmp_path_factory.mktemp("checkpoints"))
    prepare(Digits, folder / "digits.h5", comm)
    if comm.rank == 0:
        (folder / "run.toml").write_text(
            f"""
            data.path = "{folder / "digits.h5"}"
            model.network = "seedgan"
            train = {{ steps = 3, lanes = 4, lane_size = 4 }}
            checkpoint = {{ every = 1, keep = 0 }}
            samples.every = 1000
            """
        )
    comm.Barrier()
    train(folder / "run.toml", folder / "run", comm, progress="off")
    return folder


@pytest.fixture
def run_file(_trained):
    return _trained / "run.toml"


@pytest.fixture
def run_folder(comm, _trained, folder):
    """A copy of a run folder with the checkpoints of steps 1, 2 and 3."""
    if comm.rank == 0:
        shutil.copytree(_trained / "run", folder / "run")
    comm.Barrier()
    return folder / "run"


@pytest.fixture
def resume(comm, run_file, run_folder):
    """resume(): train one step more; returns the Training."""

    def go_on():
        training = train(run_file, run_folder, comm, ["train.steps=4"], progress="off")
        comm.Barrier()
        return training

    return go_on


@pytest.fixture
def harm(comm):
    """harm(path, function): let function(content) change a checkpoint, then seal it anew.

    Such files were left where MPI-IO lost bytes before the file was sealed.
    """

    def change(path, function):
        if comm.rank == 0:
            names = []
            with h5py.File(path) as file:
                file.visititems(lambda name, item: names.append(name) if hasattr(item, "dtype") else None)
                names = [name for name in names if not name.startswith("checksums")]
                start = file.userblock_size
                places = [(file[name].id.get_offset(), file[name].id.get_storage_size()) for name in names]
            content = bytearray(path.read_bytes())
            function(content)
            path.write_bytes(content)
            reseal(path, start, sorted(places))
        comm.Barrier()

    return change


@pytest.fixture
def refused(comm, monkeypatch):
    """refused(*paths): from now on the last rank cannot open these files: too many are open."""
    monkeypatch.setattr(reading, "RETRY_PAUSES", (0.0,))
    opened = h5py.File

    def refuse(*paths):
        def opening(path, *arguments, **options):
            if comm.rank == comm.size - 1 and path in paths:
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            return opened(path, *arguments, **options)

        monkeypatch.setattr(h5py, "File", opening)

    return refuse


@pytest.fixture
def saved(comm, folder):
    """saved(name, weights, step, part, **slots): the path of a checkpoint of one player and these numbers."""

    def write(name, weights, step=1, part="w", **slots):
        layout = Layout({part: weights.shape})
        own = Ownership.even(layout.size, comm.size, comm.rank)
        mine = {slot: own.take(values.reshape(-1)) for slot, values in slots.items()}
        theta = Vector(layout, weights.reshape(-1).astype(np.float32))
        players = {"player": PlayerState(theta, mine, own, own)}
        schema = Schema((2,), "float32", "array", 0.0, 1.0)
        save(folder / name, comm, RunState(step, parse_config('data.path = "x"'), schema, "", {}, players))
        return folder / name

    return write
