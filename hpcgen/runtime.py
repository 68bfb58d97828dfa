"""The process: what is settled before NumPy is loaded, and how it ends when something fails.

Imports nothing that loads NumPy or MPI.
"""

import ctypes
import os
import signal

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
_malloc = "the system's"


def prepare_process():
    """Choose the BLAS kernel and malloc's settings, where the user has not. Call before NumPy is imported."""
    if "OPENBLAS_CORETYPE" not in os.environ and _amd_avx512():
        os.environ["OPENBLAS_CORETYPE"] = "SKYLAKEX"
    global _malloc
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    _malloc = _keep_large_blocks()


def _amd_avx512():
    """Tell whether this is an AMD processor with AVX-512, which OpenBLAS would take for a Haswell: half the
    speed."""
    try:
        with open("/proc/cpuinfo") as file:
            cpu = file.read(8192)
    except OSError:
        return False
    flags = {"avx512f", "avx512dq", "avx512cd", "avx512bw", "avx512vl"}
    return "AuthenticAMD" in cpu and flags <= set(cpu.split())


def _keep_large_blocks():
    """Let glibc keep freed arrays: by default each large temporary is mapped, faulted in page by page, and
    given back.

    Returns what holds now, in words.
    """
    if any(name.startswith(("MALLOC_", "GLIBC_TUNABLES")) for name in os.environ):
        return "the user's"
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return "the system's"
    kept = 1 << 30
    if not mallopt(M_MMAP_THRESHOLD, kept):
        kept = 32 << 20  # the most that older versions of glibc take
        mallopt(M_MMAP_THRESHOLD, kept)
    mallopt(M_TRIM_THRESHOLD, 1 << 30)
    return f"keeps blocks to {kept >> 20} MiB"


def one_blas_thread():
    """Return a context in which BLAS runs on one thread: how it divides a product among several can change
    the bits.

    Lanes are what a run divides among cores: by ranks, and within a rank by `lane_threads`.
    """
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1, "blas")


def lane_threads(comm):
    """Return how many lanes this rank shall compute at a time. Collective over `comm`.

    OMP_NUM_THREADS if the user has set it, else the cores that this node's ranks may use, divided by the
    number of these ranks. (OPENBLAS_NUM_THREADS and its like are about BLAS, which always has one.)
    """
    from mpi4py import MPI

    first = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    node = comm.Split_type(MPI.COMM_TYPE_SHARED)
    try:
        mine = os.sched_getaffinity(0)
        cores = set().union(*node.allgather(mine))
        return (
            int(first)
            if first.isdecimal() and int(first)
            else max(1, min(len(mine), len(cores) // node.size))
        )
    finally:
        node.Free()


def environment():
    """Return what bits and speed depend on, as a dict of strings."""
    import platform

    import h5py
    import numpy
    from mpi4py import MPI
    from threadpoolctl import threadpool_info

    import hpcgen
    from hpcgen.nn import kernels

    blas = [info for info in threadpool_info() if info["user_api"] == "blas"]
    own = [info for info in blas if "numpy" in info["filepath"]] or blas  # SciPy may have brought another
    with_mpi = "with" if h5py.get_config().mpi else "without"
    products = [
        f"{info['internal_api']} {info['version']} {info.get('architecture', '')}".strip() for info in own
    ]
    return {
        "hpcgen": hpcgen.__version__,
        "python": platform.python_version(),
        "numpy": numpy.__version__,
        "simd": _simd(),
        "blas": ", ".join(products) or "unknown",
        "kernels": kernels.name(),
        "malloc": _malloc,
        "h5py": f"{h5py.__version__} ({with_mpi} MPI), HDF5 {h5py.version.hdf5_version}",
        "mpi": MPI.Get_library_version().strip(" \0").splitlines()[0].split(",")[0],
        "machine": platform.machine(),
    }


def _simd():
    """Return the instruction sets that NumPy's own loops use here."""
    from numpy._core._multiarray_umath import (
        __cpu_baseline__,
        __cpu_dispatch__,
        __cpu_features__,
    )

    return " ".join(name for name in (*__cpu_baseline__, *__cpu_dispatch__) if __cpu_features__[name])


class StopRequest:
    """True once SIGUSR1 or SIGTERM came, which batch systems send ahead of the end, or Ctrl-C; the run polls
    it between steps.

    A second Ctrl-C ends the process at once.
    """

    SIGNALS = (signal.SIGUSR1, signal.SIGTERM, signal.SIGINT)

    def __init__(self):
        self.signal = None

    def __enter__(self):
        self._previous = {number: signal.signal(number, self._note) for number in self.SIGNALS}
        return self

    def __exit__(self, *error):
        for number, handler in self._previous.items():
            # The same signal again, while MPI is finalized, must not end the process otherwise.
            signal.signal(number, signal.SIG_IGN if self and number != signal.SIGINT else handler)

    def _note(self, number, frame):
        self.signal = signal.Signals(number)
        if number == signal.SIGINT:
            signal.signal(number, signal.default_int_handler)

    def __bool__(self):
        return self.signal is not None
