"""Messages between the first ranks of two crews, of which neither waits for the other to receive."""

from collections.abc import Sequence
from time import sleep
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from mpi4py import MPI

# The tags of a message's content and of its arrays.
CONTENT, ARRAY = 1, 2
# Seconds between two looks for a message.
PAUSE_SECONDS = 0.002


class Message(NamedTuple):
    """`content` is any object that can be pickled. `arrays` are flat float32 arrays."""

    content: Any
    arrays: Sequence[np.ndarray] = ()


class Link:
    """Messages to and from the rank `peer` of `world`, in the order in which they were sent.

    Collective over `world` to make and to close. Only the two ranks send and receive.
    """

    def __init__(self, world: "MPI.Comm", peer: int | None) -> None:
        assert peer is not None, "a job of one crew"
        self._comm, self._peer = world.Dup(), peer
        self._sent: list[Any] = []

    def send(self, content: Any, arrays: Sequence[np.ndarray] = ()) -> None:
        """Send a message. The arrays must not change until it has arrived. Does not wait."""
        self._sent = [request for request in self._sent if not request.Test()]
        sizes = [array.size for array in arrays]
        self._sent.append(self._comm.isend((content, sizes), self._peer, CONTENT))
        self._sent += [self._comm.Isend(array, self._peer, ARRAY) for array in arrays]

    def poll(self) -> Message | None:
        """Return the next message if one has arrived."""
        found = self._comm.improbe(self._peer, CONTENT)
        if found is None:
            return None
        content, sizes = found.recv()
        arrays = [np.empty(size, np.float32) for size in sizes]
        for array in arrays:
            self._comm.Recv(array, self._peer, ARRAY)
        return Message(content, arrays)

    def receive(self) -> Message:
        """Wait for the next message and return it. Signals are handled meanwhile."""
        while (message := self.poll()) is None:
            self.pause()
        return message

    @staticmethod
    def pause() -> None:
        """Leave the core to others for a moment, between two looks for a message."""
        sleep(PAUSE_SECONDS)

    def flush(self) -> None:
        """Wait until all messages have arrived."""
        for request in self._sent:
            request.Wait()
        self._sent = []

    def close(self) -> None:
        """Free the communicator."""
        self._comm.Free()
