"""Compare two checkpoints bit by bit."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np

from hpcgen.checkpoints.newest import choices, named
from hpcgen.checkpoints.opening import verify
from hpcgen.files.reading import attempt, content, open_file, reread
from hpcgen.files.slabs import partition
from hpcgen.parallel.agreement import agree, from_root

if TYPE_CHECKING:
    from mpi4py import MPI

logger = logging.getLogger(__name__)

# Approximate number of bytes of a dataset that are compared at a time.
COMPARED_BYTES = 1 << 24


def compare(a: Path, b: Path, comm: "MPI.Comm") -> int:
    """Log whether two checkpoints hold the same bits in every dataset. Return 0 if so, else 1.

    For a run folder, its newest whole checkpoint is compared. Collective over `comm`. Raises InputError.
    """
    from mpi4py import MPI

    a, b = _whole(a, comm), _whole(b, comm)
    with agree(comm):
        mine, largest = reread(
            [a, b], lambda: attempt(f"{a} or {b}", "its datasets", lambda: _differences(a, b, comm))
        )
    lines = comm.reduce(mine, op=_largest_by_name)
    largest = comm.allreduce(largest, op=MPI.MAX)
    for name, difference in sorted((lines or {}).items()):
        logger.info(
            "%s: %s",
            name,
            difference if isinstance(difference, str) else f"differs by up to {difference:.9g}",
        )
    logger.info("the same bits" if largest < 0 else f"different; largest difference {largest:.9g}")
    return 0 if largest < 0 else 1


def _whole(path: Path, comm: "MPI.Comm") -> Path:
    """Return the verified checkpoint `path`, or the newest whole one in the run folder `path`."""

    def verified(checkpoint: Path) -> Path:
        verify(checkpoint, comm)
        return checkpoint

    return named(path, from_root(comm, choices, path), verified)


def _differences(a: Path, b: Path, comm: "MPI.Comm") -> tuple[dict[str, str | float], float]:
    """Return ({name: difference}, largest) over this rank's rows. Without a difference, largest is -1."""
    found: dict[str, str | float] = {}
    largest = -1.0
    with open_file(a) as one, open_file(b) as other:
        steps = int(one.attrs["step"]), int(other.attrs["step"])
        if steps[0] != steps[1]:
            found["step"], largest = f"{steps[0]} and {steps[1]}", 0.0
        names = [set(content(file)) for file in (one, other)]
        for name in names[0] ^ names[1]:
            found[name], largest = f"only in {a if name in names[0] else b}", np.inf
        for name in sorted(names[0] & names[1]):
            difference = _dataset_difference(one[name], other[name], comm)
            if difference is not None:
                found[name] = difference
                largest = max(largest, np.inf if isinstance(difference, str) else difference)
    return found, largest


def _dataset_difference(one: h5py.Dataset, other: h5py.Dataset, comm: "MPI.Comm") -> str | float | None:
    """Return the largest difference of this rank's rows, a text if there is no such number, or None if the
    bits are the same."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return f"{one.dtype} {one.shape} and {other.dtype} {other.shape}"
    mine = partition(one.shape, one.dtype, comm.size).slice(comm.rank)
    step = max(1, COMPARED_BYTES // max(1, one.dtype.itemsize * int(np.prod(one.shape[1:], dtype=np.int64))))
    largest: float | None = None
    for start in range(mine.start, mine.stop, step):
        stop = min(start + step, mine.stop)
        x, y = one[start:stop], other[start:stop]
        if x.tobytes() == y.tobytes():
            continue
        if x.dtype.kind != "f":
            return "differs"
        with np.errstate(invalid="ignore"):  # infinity minus infinity
            difference = np.abs(x.astype(np.float64) - y)
        # NaN has no order. It counts as an infinite difference.
        largest = max(largest or 0.0, float(np.nan_to_num(difference, nan=np.inf, posinf=np.inf).max()))
    return largest


def _largest_by_name(x: dict[str, str | float], y: dict[str, str | float]) -> dict[str, str | float]:
    """Return the differences of two ranks in one dictionary. A text takes precedence over a number."""
    merged = dict(x)
    for name, difference in y.items():
        known = merged.get(name, difference)
        if isinstance(difference, str) or isinstance(known, str):
            merged[name] = difference if isinstance(difference, str) else known
        else:
            merged[name] = max(known, difference)
    return merged
