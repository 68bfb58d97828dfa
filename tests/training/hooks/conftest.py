"""What hooks are given: a Training that does not train."""

from types import SimpleNamespace

import pytest

from hpcgen.config.reading import parse_config
from hpcgen.parallel.mesh import Mesh


@pytest.fixture
def idle(comm):
    """idle(step, *settings): a Training that has reached a step of 20.

    To save it makes an empty file, and enters the path in `asked`.
    """

    def make(step, *settings):
        config = parse_config('data.path = "x"', ["train.steps=20", *settings])
        training = SimpleNamespace(config=config, mesh=Mesh.of(comm), step=step, asked=[])

        def save(path):
            training.asked.append(path)
            if comm.rank == 0:
                path.touch()
            comm.Barrier()

        training.save = save
        return training

    return make
