"""Hooks that show the progress of a run: a bar on a terminal, or lines in a log."""

import sys
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING

from hpcgen.training.hooks.hook import Hook

if TYPE_CHECKING:
    from hpcgen.training.loop import Training
    from hpcgen.training.schedule import Statistics

SECONDS_BETWEEN_LINES = 4.0
# The width of the bar, which is fixed because mpirun hides the terminal's width from the ranks.
COLUMNS = 110


class Bar(Hook):
    """A progress bar on a terminal, with samples/s and every player's loss."""

    def __init__(self, training: "Training") -> None:
        from tqdm import tqdm

        train = training.config.train
        self._samples = train.lanes * train.lane_size
        self._bar = tqdm(
            total=train.steps * self._samples,
            initial=training.step * self._samples,
            unit=" samples",
            unit_scale=True,
            ncols=COLUMNS,
            mininterval=0.2,
            desc="training",
        )

    def __call__(self, training: "Training", statistics: "Statistics", last: bool) -> None:
        # tqdm redraws only from time to time. Format the losses only when it does.
        if last or self._bar._time() - self._bar.last_print_t >= self._bar.mininterval:
            self._bar.set_postfix_str(_losses(statistics), refresh=False)
        self._bar.update(self._samples)

    def close(self) -> None:
        self._bar.close()


class Lines(Hook):
    """A plain line every few seconds, for batch logs."""

    def __init__(self, training: "Training") -> None:
        self._time, self._step = monotonic(), training.step
        self._start = self._time, self._step

    def __call__(self, training: "Training", statistics: "Statistics", last: bool) -> None:
        now, train = monotonic(), training.config.train
        if not last and now - self._time < SECONDS_BETWEEN_LINES:
            return
        rate = (training.step - self._step) * train.lanes * train.lane_size / max(now - self._time, 1e-9)
        start, first = self._start
        left = (train.steps - training.step) * (now - start) / (training.step - first)
        print(
            f"step {training.step} of {train.steps}  {rate:,.0f} samples/s  "
            f"{_losses(statistics)}  {left:.0f} s left",
            flush=True,
        )
        self._time, self._step = now, training.step


KINDS: dict[str, Callable[["Training"], Hook]] = {"bar": Bar, "lines": Lines, "off": lambda training: Hook()}


def progress(kind: str, training: "Training") -> Hook:
    """Return the hook of `kind` ("auto", "bar", "lines" or "off"). Only rank 0 shows progress.

    "auto" is a bar on a terminal, else lines.
    """
    if kind == "auto":
        kind = "bar" if sys.stderr.isatty() else "lines"
    return KINDS[kind if training.mesh.world.rank == 0 else "off"](training)


def _losses(statistics: "Statistics") -> str:
    return "  ".join(f"{player} {values['loss']:.4f}" for player, values in statistics.items())
