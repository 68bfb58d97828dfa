"""The rows of a source in memory: each rank holds a run of them."""

import logging
from typing import TYPE_CHECKING

import numpy as np

from hpcgen.data.checks import require_usable
from hpcgen.data.sources import Source
from hpcgen.files.slabs import Slab, partition
from hpcgen.parallel.agreement import agree
from hpcgen.parallel.partition import Partition
from hpcgen.parallel.redistribute import redistribute

if TYPE_CHECKING:
    from mpi4py import MPI

logger = logging.getLogger(__name__)


class Held:
    """The rows of a source, which the ranks divide. Bad rows that the user allowed to leave out are missing.

    `total` counts the rows of all ranks. `samples` are those of this rank. Collective over `comm`.
    """

    def __init__(self, source: Source, comm: "MPI.Comm") -> None:
        self._comm = comm
        mine = Partition.even(source.rows, comm.size).slice(comm.rank)
        with agree(comm):
            self._rows = source.read(mine.start, mine.stop)
            require_usable(source.name, self._rows, mine.start)
        for lines in comm.allgather(source.left_out):
            for line in lines:
                logger.warning("%s", line)
        self._parts = Partition(comm.allgather(len(self._rows)))
        self.total, self.samples = self._parts.total, self._rows.samples

    def slab(self, name: str, chosen: np.ndarray) -> Slab:
        """Return this rank's share of the `chosen` rows of a column. The ranks exchange them.

        Collective over the communicator.
        """
        local = getattr(self._rows, name)
        shape = (len(chosen), *local.shape[1:])
        after = partition(shape, local.dtype, self._comm.size)
        return Slab.rows(
            shape, after.starts[self._comm.rank], redistribute(self._comm, local, self._parts, after, chosen)
        )
