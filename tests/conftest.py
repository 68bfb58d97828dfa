"""Tests are written once for any number of ranks.

All ranks run a test that uses the fixture `comm`, itself or through another fixture. Rank 0 reports, and all
ranks fail together. A test without `comm` does not depend on the number of ranks. It runs only at one rank.

A failure on one rank is printed at once. Then the ranks agree on it. If a rank waits for a failed rank, the
time limit of the test (setup.cfg) ends its process, which ends all ranks.
"""

import os
import sys

import pytest

LAUNCHED = any(name in os.environ for name in ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMIX_RANK"))

# The tests in tests/launched start their own mpirun: their process must not be an MPI process itself.
collect_ignore = ["launched"] if LAUNCHED else []


def world():
    from mpi4py import MPI

    return MPI.COMM_WORLD


def world_of_one():
    from mpi4py import MPI

    return MPI.COMM_SELF


@pytest.fixture(scope="session")
def _test_comm():
    comm = world().Dup()
    yield comm
    comm.Free()


@pytest.fixture
def comm(_test_comm):
    """A communicator over all ranks."""
    return _test_comm


@pytest.fixture
def alone(comm):
    """alone(call): what call(world) returns on rank 0 with a communicator of its own, on all ranks."""

    def alone(call):
        return comm.bcast(call(world_of_one()) if comm.rank == 0 else None)

    return alone


@pytest.fixture
def folder(comm, tmp_path):
    """A temporary folder that all ranks share."""
    return comm.bcast(tmp_path)


@pytest.fixture
def said(caplog):
    """said(): what hpcgen has logged since the last call, as a list of lines."""
    caplog.set_level("INFO", "hpcgen")

    def said():
        lines = [record.getMessage() for record in caplog.records]
        caplog.clear()
        return lines

    return said


@pytest.fixture
def random():
    """A generator of the same numbers on every rank."""
    import numpy as np

    return np.random.default_rng(1234)


@pytest.hookimpl(trylast=True)
def pytest_configure(config):
    if LAUNCHED and world().rank:
        silence = open(os.devnull, "w")
        config.pluginmanager.getplugin("terminalreporter")._tw._file = silence
        config.add_cleanup(silence.close)


def pytest_collection_modifyitems(config, items):
    if LAUNCHED and world().size > 1:
        serial = [item for item in items if "_test_comm" not in item.fixturenames]
        config.hook.pytest_deselected(items=serial)
        items[:] = [item for item in items if item not in set(serial)]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if LAUNCHED:
        comm = world()
        if report.failed:
            with item.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
                print(f"[rank {comm.rank}] {item.nodeid}\n{report.longreprtext}", file=sys.stderr, flush=True)
        failed = [rank for rank, bad in enumerate(comm.allgather(report.failed)) if bad]
        if failed and not report.failed:
            report.outcome, report.longrepr = "failed", f"failed on ranks {failed}"
    return report
