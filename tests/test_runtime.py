"""Settings of the process."""

import os

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from hpcgen import runtime
from hpcgen.runtime import environment, lane_threads, one_blas_thread


@pytest.mark.parametrize("value, expected", [("3", 3), ("2,4", 2), (" 5 ", 5)])
def test_the_user_decides_the_threads(comm, monkeypatch, value, expected):
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert lane_threads(comm) == expected


@pytest.mark.parametrize("value", ["", "none", "0"])
def test_ranks_of_a_node_share_its_cores(comm, monkeypatch, value):
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    threads = lane_threads(comm)
    assert 1 <= threads <= len(os.sched_getaffinity(0))
    assert threads == 1 or threads * comm.size <= os.cpu_count()


def test_blas_runs_on_one_thread(monkeypatch):
    with one_blas_thread():
        np.ones((64, 64)) @ np.ones((64, 64))
        assert all(info["num_threads"] == 1 for info in threadpool_info() if info["user_api"] == "blas")


def test_the_environment_names_what_bits_depend_on():
    found = environment()
    assert all(isinstance(value, str) and value for value in found.values())
    assert found["numpy"] == np.__version__ and {"simd", "blas", "kernels", "machine", "mpi"} <= found.keys()


def test_a_choice_of_the_user_stays(monkeypatch):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    monkeypatch.setenv("MALLOC_ARENA_MAX", "1")
    monkeypatch.setattr(runtime, "_malloc", "the system's")
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "7")
    runtime.prepare_process()
    assert os.environ["OPENBLAS_CORETYPE"] == "Haswell" and runtime._malloc == "the user's"
    assert os.environ["OPENBLAS_NUM_THREADS"] == "1"
