"""Describe and verify a data file, for `hpcgen inspect`."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpcgen.data.opening import open_data
from hpcgen.data.reading import DataFiles
from hpcgen.files import checksums
from hpcgen.files.reading import attempt, content, has_checksums, reread
from hpcgen.parallel.agreement import agree
from hpcgen.parallel.partition import Partition

if TYPE_CHECKING:
    from mpi4py import MPI

logger = logging.getLogger(__name__)

# Number of rows that are read at a time.
ROWS_AT_A_TIME = 4096


def describe(path: Path, comm: "MPI.Comm") -> None:
    """Read all of a data file, and describe it in the log. The ranks divide the reading.

    Collective over `comm`. Raises DamagedError, or InputError for rows that cannot be used.
    """
    with agree(comm):
        title, attributes, others, checked = reread(path, lambda: _facts(path))
        with DataFiles([path]) as data:
            mine = Partition.even(data.rows, comm.size).slice(comm.rank)
            for start in range(mine.start, mine.stop, ROWS_AT_A_TIME):
                data.read(start, min(start + ROWS_AT_A_TIME, mine.stop))
    if checked:
        checksums.verify(path, comm)
    logger.info("%s: data file, %s", path, title)
    for name in ("kind", "source", "low", "high"):
        logger.info("  %-8s%s", name, attributes.get(name, "not given"))
    for name in sorted(attributes.keys() & {"units", "rate", "noise", "slope"}):
        logger.info("  %-8s%s", name, attributes[name])
    for other in others:
        logger.info("  %s", other)
    if checked:
        logger.info("  whole: every checksum is correct, every number is finite")
    else:
        logger.info("  no checksums (not made by hpcgen); every number is finite")


def _facts(path: Path) -> tuple[str, dict[str, Any], list[str], bool]:
    """Return a title, the attributes, the other datasets, and whether the file has checksums."""

    def facts() -> tuple[str, dict[str, Any], list[str], bool]:
        samples, names = file["samples"], content(file)
        others = [f"/{name} {file[name].shape}" for name in names if name != "samples"]
        title = f"{len(samples):,} samples of {' x '.join(map(str, samples.shape[1:]))} {samples.dtype}"
        return title, dict(file.attrs), others, has_checksums(file)

    with open_data(path) as file:
        return attempt(path, "its datasets and attributes", facts)
