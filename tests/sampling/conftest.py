"""Checkpoints of trained runs for these tests, loaded."""

import pytest
from teams import teams  # noqa: F401
from trained_runs import data, trained  # noqa: F401

from hpcgen.checkpoints.loading import load_together
from hpcgen.sampling.generation import model_of


@pytest.fixture
def loaded(comm, trained):  # noqa: F811
    """loaded(kind): a trained model, its checkpoint, and its data file."""

    def load(kind):
        run, path = trained(kind)
        state = load_together(run, comm)
        return model_of(state), state, path

    return load
