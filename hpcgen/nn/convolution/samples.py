"""Where a convolution reads the samples of a chunk, and where it writes them."""

from collections.abc import Callable, Hashable
from threading import Lock

from hpcgen.arrays import Array


class Samples:
    """Samples that are read, or written, a chunk at a time. A subclass gives `read`, or `open` and
    `close`."""

    def read(self, chunk: slice) -> Array:
        """Return the samples of a chunk. They are valid until the next call."""
        raise AssertionError(f"{type(self).__name__} is only written")

    def factors(self, function: Callable[[Array], Array], kind: Hashable, chunk: slice) -> Array:
        """Return function(samples of a chunk): factors of products, in a form of convolution of this kind."""
        return function(self.read(chunk))

    def open(self, chunk: slice) -> Array:
        """Return an array that takes the samples of a chunk."""
        raise AssertionError(f"{type(self).__name__} is only read")

    def close(self, chunk: slice) -> None:
        """Take the samples of a chunk: its array is written."""
        raise AssertionError(f"{type(self).__name__} is only read")

    def release(self) -> None:
        """Let go of what is made anew when it is read again."""


class Whole(Samples):
    """The samples of one array. `done(chunk)` is called once a chunk is written."""

    def __init__(self, array: Array, done: Callable[[slice], object] = lambda chunk: None) -> None:
        self.array, self._done = array, done

    def read(self, chunk: slice) -> Array:
        return self.array[chunk]

    def open(self, chunk: slice) -> Array:
        return self.array[chunk]

    def close(self, chunk: slice) -> None:
        self._done(chunk)


class Kept(Whole):
    """The samples of one array, whose factors are kept for other forms of the same kind, in any thread."""

    def __init__(self, array: Array) -> None:
        super().__init__(array)
        self._factors: dict[tuple[Hashable, int, int], Array] = {}
        self._lock = Lock()

    def factors(self, function: Callable[[Array], Array], kind: Hashable, chunk: slice) -> Array:
        # Layers with different numbers of channels may cut different chunks.
        key = kind, chunk.start, chunk.stop
        with self._lock:
            if key not in self._factors:
                self._factors[key] = function(self.read(chunk))
            return self._factors[key]
