"""Time that a rank spends in each part of a run."""

from time import perf_counter


class Stopwatch:
    """Seconds spent in each named part of a run on this rank: `with watch("exchange"): ...`.

    A part that starts within another part interrupts it: each second counts once. Only one thread of the rank
    may use it.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._part: str | None = None
        self._outer: list[str | None] = []
        self._start = 0.0

    # A step of a small network takes less than a millisecond: a generator of contextlib would be 1 % of it.
    def __call__(self, part: str) -> "Stopwatch":
        """Count the time of the body for `part`."""
        self._outer.append(self._part)
        self._change_to(part)
        return self

    def __enter__(self) -> None:
        pass

    def __exit__(self, *error: object) -> None:
        self._change_to(self._outer.pop())

    def _change_to(self, part: str | None) -> None:
        """Count the time since the last change for the part that ran."""
        now = perf_counter()
        if self._part is not None:
            self.seconds[self._part] = self.seconds.get(self._part, 0.0) + now - self._start
        self._part, self._start = part, now
