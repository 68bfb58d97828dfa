"""Time that a rank spends in each part of a run."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter


class Stopwatch:
    """Seconds spent in each named part of a run on this rank: `with watch("exchange"): ...`.

    A part that starts within another part interrupts it: each second counts once.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._part: str | None = None
        self._start = 0.0

    @contextmanager
    def __call__(self, part: str) -> Iterator[None]:
        """Count the time of the body for `part`."""
        outer = self._change_to(part)
        try:
            yield
        finally:
            self._change_to(outer)

    def _change_to(self, part: str | None) -> str | None:
        """Count the time since the last change for the part that ran. Return that part."""
        now, ended = perf_counter(), self._part
        if ended is not None:
            self.seconds[ended] = self.seconds.get(ended, 0.0) + now - self._start
        self._part, self._start = part, now
        return ended
