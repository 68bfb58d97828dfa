"""Time spent in each part of a run."""

from time import perf_counter
from types import TracebackType


class Stopwatch:
    """Seconds spent in each named part of a run on this rank: `with watch("exchange"): ...`. Parts must not
    nest."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._part = ""
        self._start = 0.0

    def __call__(self, part: str) -> "Stopwatch":
        self._part = part
        return self

    def __enter__(self) -> None:
        self._start = perf_counter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.seconds[self._part] = self.seconds.get(self._part, 0.0) + perf_counter() - self._start
