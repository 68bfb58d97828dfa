"""The hook that has observers draw samples and evaluate, while the run goes on."""

from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np

from hpcgen.arrays import to_host
from hpcgen.data.schema import Schema
from hpcgen.errors import InputError, RunError
from hpcgen.parallel.agreement import agree
from hpcgen.parallel.crew import Crew
from hpcgen.parallel.link import Link
from hpcgen.training.folder import RunFolder
from hpcgen.training.hooks import evaluation as evaluations
from hpcgen.training.hooks.hook import Hook, due
from hpcgen.training.hooks.samples import Drawing
from hpcgen.training.hooks.table import MetricsTable
from hpcgen.training.reports import Answer, End, Ready, Snapshot, Start, Stop
from hpcgen.training.stop import StopRequest

if TYPE_CHECKING:
    from hpcgen.training.loop import Training
    from hpcgen.training.schedule import Statistics


class Observers(Hook):
    """The observers, as the trainers see them.

    Rank 0 sends a Snapshot to them when samples or measures are due, and does not wait. While they are busy,
    one more Snapshot waits; with evaluate.skip it is left out. A third one stops training until the first is
    done. The measures are written to the table when they arrive. After the last step the trainers wait for
    all of them.

    A context manager: it ends the observers, with the error of the trainers if there is one.
    """

    def __init__(self, folder: RunFolder, crew: Crew, stop: StopRequest) -> None:
        self._folder, self._crew, self._stop = folder, crew, stop
        self._link = Link(crew.world, crew.peer)
        self._first, self._over = crew.comm.rank == 0, False
        self._table: MetricsTable | None = None
        self._drawing: Drawing | None = None
        self._busy = False
        self._waiting: tuple[Snapshot, list[np.ndarray]] | None = None
        self._answers: list[Answer] = []

    def __enter__(self) -> "Observers":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Any other error is not known to all trainers: it ends all ranks at once.
        plain = isinstance(error, (InputError, RunError))
        if self._first and not self._over and (plain or error is None):
            self._link.send(End(error if isinstance(error, Exception) else None))
            # After an error do not wait until busy observers take what was sent.
            if error is None:
                self._link.flush()
        self._link.close()

    def start(self, schema: Schema) -> list[str]:
        """Let the observers begin. Return the columns of metrics.csv that they will fill.

        Collective over `crew.world`, whose other ranks make an `Observer`. Raises their InputError.
        """
        if self._first:
            self._link.send(Start(schema))
        try:
            with agree(self._crew.world):
                pass
        except Exception:
            self._over = True  # The observers have raised the error too.
            raise
        ready = self._link.receive().content if self._first else None
        ready = self._crew.comm.bcast(ready)
        assert isinstance(ready, Ready)
        return ready.columns

    def serve(self, table: MetricsTable | None, drawing: Drawing | None) -> None:
        """Set where the measures are written, and what is drawn (None: nothing)."""
        self._table, self._drawing = table, drawing

    def begin(self, training: "Training") -> None:
        """Ask for the samples and measures that a killed run left undone."""
        if not training.step:
            return
        step, over = training.step, training.step >= training.config.train.steps
        draw, evaluate = self._due(training, over)
        if self._first:
            draw = draw and self._drawing is not None and not self._drawing.path(step).exists()
            evaluate = evaluate and self._table is not None and not evaluations.written(self._table, step)
        draw, evaluate = self._crew.comm.bcast((draw, evaluate))
        self._ask(training, draw, evaluate, last=True)
        if over:
            self._finish()

    def __call__(self, training: "Training", statistics: "Statistics", last: bool) -> None:
        draw, evaluate = self._due(training, last)
        self._ask(training, draw, evaluate, last)
        if last:
            self._finish()
            return
        if self._first:
            self._poll()
        if training.step % training.config.metrics.every == 0:
            self._write()

    def _due(self, training: "Training", last: bool) -> tuple[bool, bool]:
        config = training.config
        draw = self._drawing is not None and due(config.samples.every, training, last)
        return draw, bool(config.evaluate.every) and evaluations.due_now(training)

    def _ask(self, training: "Training", draw: bool, evaluate: bool, last: bool) -> None:
        """Send a Snapshot, or let it wait. Collective over the trainers."""
        if not (draw or evaluate):
            return
        sampled = training.sampled()
        if not self._first or (self._busy and training.config.evaluate.skip and not last):
            return
        while self._waiting:
            self._pause()
        # Training changes the parameters while the copy is on its way.
        snapshot = Snapshot(training.step, draw, evaluate), [to_host(v.data).copy() for v in sampled.values()]
        if evaluate and self._table is not None:
            self._table.expect(training.step)
        if self._busy:
            self._waiting = snapshot
        else:
            self._send(*snapshot)

    def _send(self, snapshot: Snapshot, arrays: list[np.ndarray]) -> None:
        self._busy, self._waiting = True, None
        self._link.send(snapshot, arrays)

    def _poll(self) -> None:
        """Take the messages of the observers that have arrived. Send the Snapshot that waits for them."""
        while (message := self._link.poll()) is not None:
            if isinstance(message.content, Stop):
                self._stop.request()
                continue
            self._busy = False
            self._answers.append(message.content)
            if self._waiting:
                self._send(*self._waiting)

    def _pause(self) -> None:
        self._link.pause()
        self._poll()

    def _finish(self) -> None:
        """Wait for all answers, and write them. Collective over the trainers."""
        while self._first and self._busy:
            self._pause()
        self._write()

    def _write(self) -> None:
        """Write the measures that have arrived to the table. Collective over the trainers."""
        with agree(self._crew.comm):
            if self._table is not None:
                for answer in self._answers:
                    if answer.values:
                        self._folder.require_there()
                        self._table.put(answer.step, answer.values)
            self._answers = []
