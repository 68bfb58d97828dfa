"""Trained runs for these tests, and the subjects to measure."""

from contextlib import ExitStack, closing

import pytest
from trained_runs import data, trained  # noqa: F401

from hpcgen.checkpoints.loading import load_together
from hpcgen.data.reading import DataFiles
from hpcgen.evaluation.measure import Subject
from hpcgen.evaluation.reference import Reference
from hpcgen.evaluation.work import Work
from hpcgen.sampling.generation import model_of


@pytest.fixture
def work(comm):
    with closing(Work(comm)) as work:
        yield work


@pytest.fixture
def subject(comm, work, trained):  # noqa: F811
    """subject(kind, count, kind of Subject): a trained model beside its own data, and its parameters."""
    with ExitStack() as stack:

        def make(kind, count=None, make=Subject, path=None, **given):
            run, data = trained(kind)
            state = load_together(run, comm)
            files = stack.enter_context(DataFiles([path or data]))
            reference = Reference(files, state.schema, count or files.rows // 2)
            return make(model_of(state), reference, work, **given), state.sampled

        yield make
