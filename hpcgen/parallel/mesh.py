"""The mesh: the named communicators of a run."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mpi4py import MPI


@dataclass(frozen=True)
class Mesh:
    """The communicators of a run. Each has the ranks that do a task together.

    `world` has all ranks: they agree on errors, stop together, and call the hooks. `data` has the ranks that
    divide the lanes and exchange gradients.
    """

    world: "MPI.Comm"
    data: "MPI.Comm"

    @classmethod
    def of(cls, comm: "MPI.Comm") -> "Mesh":
        """Return the mesh in which all ranks of `comm` divide the lanes."""
        return cls(world=comm, data=comm)
