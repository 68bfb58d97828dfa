"""The mesh: the named communicators of a run."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mpi4py import MPI

# The most numbers in a message: MPI counts are 32-bit integers.
LARGEST_COUNT = 2**31 - 1


@dataclass(frozen=True)
class Mesh:
    """The communicators of a run. Each has the ranks that do a task together.

    `world` has all ranks that train: they agree on errors and call the hooks. `data` has the ranks that
    exchange a gradient: they divide the lanes among their teams, and stop together, because the request to
    stop is part of the gradient. Today these are all ranks that train. `team` has the ranks that share a
    lane.
    """

    world: "MPI.Comm"
    data: "MPI.Comm"
    team: "MPI.Comm"

    @classmethod
    def of(cls, comm: "MPI.Comm", space: int = 1) -> "Mesh":
        """Return the mesh of all ranks of `comm`, in teams of `space` ranks. Collective over `comm`."""
        from mpi4py import MPI

        return cls(comm, comm, comm.Split(comm.rank // space, comm.rank) if space > 1 else MPI.COMM_SELF)

    def close(self) -> None:
        """Free the communicators that the mesh has made."""
        if self.team.size > 1:
            self.team.Free()
