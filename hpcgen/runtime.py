"""The process: settings that must precede the import of NumPy, threads, and the software in use.

This module imports nothing that loads NumPy or MPI.
"""

import ctypes
import os
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mpi4py import MPI

# The parameter of mallopt (malloc.h) above which free memory is given back to the system.
M_TRIM_THRESHOLD = -1
# The parameter of mallopt above which blocks are mapped one by one.
M_MMAP_THRESHOLD = -3
# The largest block in bytes that malloc keeps.
KEPT_BLOCK = 1 << 30
# The largest block in bytes that older versions of glibc agree to keep.
KEPT_BLOCK_OLD_GLIBC = 32 << 20

_malloc = "the system's"


def prepare_process() -> None:
    """Set the BLAS kernel and malloc's parameters, unless the user has set them. Call it before NumPy is
    imported."""
    global _malloc
    if "OPENBLAS_CORETYPE" not in os.environ and _is_amd_with_avx512():
        os.environ["OPENBLAS_CORETYPE"] = "SKYLAKEX"
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    _malloc = _keep_large_blocks()


def _is_amd_with_avx512() -> bool:
    """Return whether this is an AMD processor with AVX-512.

    OpenBLAS treats such a processor as a Haswell, and then runs at half the speed.
    """
    try:
        with open("/proc/cpuinfo") as file:
            cpu = file.read(8192)
    except OSError:
        return False
    flags = {"avx512f", "avx512dq", "avx512cd", "avx512bw", "avx512vl"}
    return "AuthenticAMD" in cpu and flags <= set(cpu.split())


def _keep_large_blocks() -> str:
    """Make glibc keep the memory of freed arrays. Return a description of malloc's settings.

    By default glibc maps new memory for each large array. The system then clears it page by page at the first
    access.
    """
    if any(name.startswith(("MALLOC_", "GLIBC_TUNABLES")) for name in os.environ):
        return "the user's"
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return "the system's"
    kept = KEPT_BLOCK
    if not mallopt(M_MMAP_THRESHOLD, kept):
        kept = KEPT_BLOCK_OLD_GLIBC
        mallopt(M_MMAP_THRESHOLD, kept)
    mallopt(M_TRIM_THRESHOLD, KEPT_BLOCK)
    return f"keeps blocks to {kept >> 20} MiB"


def one_blas_thread() -> AbstractContextManager:
    """Return a context in which BLAS uses one thread. The bits of a product may depend on the number of
    threads.

    Cores compute different lanes instead: the ranks divide the lanes, and so do the `lane_threads` of a rank.
    """
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1, "blas")


def lane_threads(comm: "MPI.Comm") -> int:
    """Return how many lanes this rank computes at the same time. Collective over `comm`.

    This is OMP_NUM_THREADS if the user has set it. Otherwise it is the number of cores that the ranks of this
    node may use, divided by the number of these ranks. OPENBLAS_NUM_THREADS and similar variables have no
    effect: BLAS always uses one thread.
    """
    from mpi4py import MPI

    node = comm.Split_type(MPI.COMM_TYPE_SHARED)
    try:
        mine = os.sched_getaffinity(0)
        cores = set().union(*node.allgather(mine))
        share = max(1, min(len(mine), len(cores) // node.size))
    finally:
        node.Free()
    first = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    asked = int(first) if first.isdecimal() else 0
    return asked if asked else share


def environment() -> dict[str, str]:
    """Return the software and the processor instructions on which the bits and the speed depend."""
    import platform

    import h5py
    import numpy
    from mpi4py import MPI

    import hpcgen
    from hpcgen.nn import kernels

    with_mpi = "with" if h5py.get_config().mpi else "without"
    return {
        "hpcgen": hpcgen.__version__,
        "python": platform.python_version(),
        "numpy": numpy.__version__,
        "simd": _simd(),
        "blas": _blas(),
        "kernels": kernels.name(),
        "malloc": _malloc,
        "h5py": f"{h5py.__version__} ({with_mpi} MPI), HDF5 {h5py.version.hdf5_version}",
        "mpi": MPI.Get_library_version().strip(" \0").splitlines()[0].split(",")[0],
        "machine": platform.machine(),
    }


def _blas() -> str:
    """Return the BLAS that NumPy uses. SciPy may have loaded another one."""
    from threadpoolctl import threadpool_info

    loaded = [info for info in threadpool_info() if info["user_api"] == "blas"]
    own = [info for info in loaded if "numpy" in info["filepath"]]
    products = [
        f"{info['internal_api']} {info['version']} {info.get('architecture', '')}".strip()
        for info in (own if own else loaded)
    ]
    return ", ".join(products) if products else "unknown"


def _simd() -> str:
    """Return the instruction sets that NumPy's own loops use on this processor."""
    from numpy._core._multiarray_umath import (
        __cpu_baseline__,
        __cpu_dispatch__,
        __cpu_features__,
    )

    return " ".join(name for name in (*__cpu_baseline__, *__cpu_dispatch__) if __cpu_features__[name])
