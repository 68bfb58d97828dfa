"""The crews of a job: the ranks that train, and the ranks that observe them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hpcgen.errors import InputError

if TYPE_CHECKING:
    from mpi4py import MPI


@dataclass(frozen=True)
class Crew:
    """The crew of this rank.

    `comm` has the ranks of the crew. `world` has all ranks of the job. `peer` is the rank in `world` of the
    first rank of the other crew, or None if there is no other crew. `observes` says which crew it is.
    """

    comm: "MPI.Comm"
    world: "MPI.Comm"
    peer: int | None
    observes: bool


@contextmanager
def crew(world: "MPI.Comm", observers: int) -> Iterator[Crew]:
    """Yield the crew of this rank: the last `observers` ranks of `world` observe, all others train.

    Collective over `world`. Raises InputError if no rank is left to train.
    """
    if not observers:
        yield Crew(world, world, None, False)
        return
    first = world.size - observers
    if first < 1:
        ranks = "1 rank" if world.size == 1 else f"{world.size} ranks"
        raise InputError(
            f"parallel.observers = {observers}: {ranks} leave none to train; start at least "
            f"{observers + 1} ranks"
        )
    observes = world.rank >= first
    comm = world.Split(int(observes), world.rank)
    try:
        yield Crew(comm, world, 0 if observes else first, observes)
    finally:
        comm.Free()
