"""Tests that start jobs: each test starts commands under mpirun, with a time limit, and checks the output
that a user would see."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass

import mpi4py
import pytest

# h5py with MPI would start MPI in this process, which starts others.
mpi4py.rc.initialize = False

HPCGEN = [sys.executable, "-m", "hpcgen"]
# If a rank fails, Open MPI's mpirun waits two seconds for the others to end, even if there are none.
NO_WAIT = {"OMPI_MCA_odls_base_sigkill_timeout": "0"}
LIMIT = 50
# Open MPI's mpirun warns of this, rarely, on a busy machine: it has closed a rank's pipe itself.
LAUNCHERS_OWN = "[warn] Epoll MOD"


@dataclass
class Ended:
    status: int
    out: str
    err: str
    seconds: float

    def one_line(self):
        """Return stderr, which must be a single line of hpcgen's, beside what `LAUNCHERS_OWN` has."""
        lines = [line for line in self.err.splitlines() if line.strip() and LAUNCHERS_OWN not in line]
        assert len(lines) == 1 and lines[0].startswith("hpcgen"), self.err
        return lines[0]


class Job:
    """A running command; ended, with all its ranks, when the test ends."""

    def __init__(self, ranks, command, env):
        launcher = [os.environ["MPIRUN"], "-n", str(ranks)] if ranks else []
        self._started = time.monotonic()
        self.process = subprocess.Popen(
            [*launcher, *map(str, command)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **(NO_WAIT if ranks == 1 else {}), **env},
            start_new_session=True,
        )

    def wait(self, limit=LIMIT):
        out, err = self.process.communicate(timeout=limit)
        return Ended(self.process.returncode, out, err, time.monotonic() - self._started)

    def kill(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()


@pytest.fixture
def start():
    """start(ranks, *command): start a command under mpirun, or alone for ranks = 0; returns a Job."""
    jobs = []

    def start(ranks, *command, **env):
        jobs.append(Job(ranks, command, env))
        return jobs[-1]

    yield start
    for job in jobs:
        job.kill()


@pytest.fixture
def launch(start):
    """launch(ranks, *arguments): start a command of hpcgen; returns a Job."""
    return lambda ranks, *arguments, **env: start(ranks, *HPCGEN, *arguments, **env)


@pytest.fixture
def hpcgen(launch):
    """hpcgen(ranks, *arguments): run a command of hpcgen to its end."""
    return lambda ranks, *arguments, **env: launch(ranks, *arguments, **env).wait()


@pytest.fixture
def no_wait(monkeypatch):
    """The launcher does not wait for the other ranks of a job that fails: they all end by themselves."""
    for name, value in NO_WAIT.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def digits(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "digits.h5"
    subprocess.run(
        [*HPCGEN, "prepare", "digits", str(path)], check=True, timeout=LIMIT, stdout=subprocess.DEVNULL
    )
    return path


@pytest.fixture
def run_file(tmp_path, digits):
    path = tmp_path / "run.toml"
    path.write_text(
        f"""
        [data]
        path = "{digits}"
        [train]
        steps = 20
        lanes = 8
        lane_size = 4
        [checkpoint]
        every = 10
        """
    )
    return path


@pytest.fixture
def fault(start):
    """fault(ranks, name, *arguments): run hpcgen with a fault of tests/launched/faults.py."""
    script = os.path.join(os.path.dirname(__file__), "faults.py")
    return lambda ranks, name, *arguments: start(ranks, sys.executable, script, name, *arguments).wait()
