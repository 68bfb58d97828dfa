"""Messages arrive as they were sent, in order, and nobody waits for a receiver."""

from contextlib import closing

import numpy as np

from hpcgen.parallel.link import Link


def test_messages_arrive_in_order(comm):
    """The first and the last rank, which at one rank are the same."""
    ends = (0, comm.size - 1)
    with closing(Link(comm, ends[comm.rank == 0])) as link:
        if comm.rank in ends:
            sent = [np.arange(size, dtype=np.float32) for size in (3, 0, 70_000)]
            for i in range(3):
                link.send({"number": i}, sent[:i])
            link.send("no arrays")
            for i in range(3):
                content, arrays = link.receive()
                assert content == {"number": i}
                assert [array.tobytes() for array in arrays] == [array.tobytes() for array in sent[:i]]
            assert link.receive() == ("no arrays", [])
            link.flush()
        comm.Barrier()
        assert link.poll() is None
