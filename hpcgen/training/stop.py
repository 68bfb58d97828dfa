"""The request to stop: a batch system or a user sends a signal to end a run early."""

import signal
from types import FrameType, TracebackType


class StopRequest:
    """True after this process received SIGUSR1, SIGTERM or SIGINT (Ctrl-C). The run checks it in each step.

    Batch systems send SIGUSR1 or SIGTERM some time before they end a job. A second Ctrl-C ends the process at
    once. The object is a context manager, which handles these signals.
    """

    SIGNALS = (signal.SIGUSR1, signal.SIGTERM, signal.SIGINT)

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None

    def __enter__(self) -> "StopRequest":
        self._previous = {number: signal.signal(number, self._note) for number in self.SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            # Launchers send a signal twice. The second one must not kill the process while it finalizes MPI.
            ignored = self and number != signal.SIGINT
            signal.signal(number, signal.SIG_IGN if ignored else handler)

    def request(self) -> None:
        """Ask to stop, as SIGUSR1 does: another rank has received a signal."""
        self.signal = self.signal or signal.SIGUSR1

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.signal = signal.Signals(number)
        if number == signal.SIGINT:
            signal.signal(number, signal.default_int_handler)

    def __bool__(self) -> bool:
        return self.signal is not None
