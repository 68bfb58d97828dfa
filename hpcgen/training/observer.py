"""The ranks that observe a run: they draw samples and evaluate while the other ranks train."""

from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np

from hpcgen.arrays import from_host, to_host
from hpcgen.config.sections import Config
from hpcgen.models import MODELS
from hpcgen.nn.vector import Vector
from hpcgen.parallel.agreement import PATIENCE_SECONDS, agree
from hpcgen.parallel.crew import Crew
from hpcgen.parallel.link import Link, Message
from hpcgen.parallel.stopwatch import Stopwatch
from hpcgen.sampling.generation import divided
from hpcgen.training.folder import RunFolder
from hpcgen.training.hooks import evaluation as evaluations
from hpcgen.training.hooks.samples import Drawing
from hpcgen.training.reports import Answer, End, Ready, Snapshot, Start, Stop
from hpcgen.training.stop import StopRequest

if TYPE_CHECKING:
    from hpcgen.data.schema import Schema


class Observer:
    """This rank's part in the observation of a run.

    `watch` counts the time in which the rank waits and observes. All methods are collective over `crew.comm`.
    To make an Observer is collective over `crew.world`, whose other ranks call `Observers.start`. Raises
    InputError if the data to evaluate do not suit the run, and the error of the trainers if the run cannot
    start.
    """

    def __init__(
        self, config: Config, home: RunFolder, crew: Crew, stop: StopRequest, threads: int = 0
    ) -> None:
        self.config, self.watch, self._threads = config, Stopwatch(), threads
        self._comm, self._home, self._stop, self._stop_sent = crew.comm, home, stop, False
        with ExitStack() as resources:
            self._link = Link(crew.world, crew.peer)
            resources.callback(self._link.close)
            start, _ = self._next_message()
            assert isinstance(start, Start)
            with agree(crew.world, PATIENCE_SECONDS):
                self._prepare(start.schema, resources)
            resources.callback(home.leave)
            self._resources = resources.pop_all()
        columns = evaluations.columns(self._evaluation) if self._evaluation else []
        self._send(Ready(columns))

    def _prepare(self, schema: "Schema", resources: ExitStack) -> None:
        """Make the model, and what draws and evaluates it."""
        config = self.config
        self._model = MODELS[config.model.kind](config.model, schema)
        resources.enter_context(divided(self._model, config, self._comm, 1))
        self._layouts = {name: layout.state() for name, layout in self._model.layouts.items()}
        self._drawing = Drawing(self._home, self._model, config, schema, self._comm)
        self._evaluation = None
        if config.evaluate.every:
            self._evaluation = evaluations.evaluation_of(
                self._model, config, schema, self._comm, self._threads, resources
            )

    def run(self) -> None:
        """Draw and evaluate what the trainers send, until the run ends. Raises the trainers' error."""
        while True:
            with self.watch("waiting"):
                message, arrays = self._next_message()
            if isinstance(message, End):
                return
            assert isinstance(message, Snapshot)
            with self.watch("observing"):
                values = self._observe(message, self._states(arrays))
            self._send(Answer(message.step, values))

    def _observe(self, snapshot: Snapshot, theta: dict[str, Vector]) -> dict[str, Any]:
        """Draw and evaluate. Return the values for metrics.csv."""
        if self._comm.rank == 0:
            self._home.attend()
        if snapshot.draw:
            self._drawing.draw(theta, snapshot.step)
        if self._evaluation is not None and snapshot.evaluate:
            return evaluations.values(self._evaluation, theta)
        return {}

    def _next_message(self) -> tuple[Start | Snapshot | End, Sequence[np.ndarray]]:
        """Return the next message of the trainers, with its arrays on rank 0. Raises an End's error."""
        message, arrays = self._receive() if self._comm.rank == 0 else (None, ())
        message = self._comm.bcast(message)
        if isinstance(message, End) and message.error is not None:
            raise message.error
        return message, arrays

    def _states(self, arrays: Sequence[np.ndarray]) -> dict[str, Vector]:
        """Return the states of the players, which rank 0 has received, on all ranks."""
        theta = {}
        for i, (name, layout) in enumerate(self._layouts.items()):
            theta[name] = Vector(layout, from_host(arrays[i]) if self._comm.rank == 0 else None)
            host = to_host(theta[name].data)
            self._comm.Bcast(host)
            theta[name].data[...] = from_host(host)
        return theta

    def _receive(self) -> Message:
        """Wait for a message. Tell the trainers meanwhile if this rank is asked to stop."""
        while (message := self._link.poll()) is None:
            if self._stop and not self._stop_sent:
                self._stop_sent = True
                self._link.send(Stop())
            self._link.pause()
        return message

    def _send(self, content: Any) -> None:
        if self._comm.rank == 0:
            self._link.send(content)

    def close(self) -> None:
        """Release the files, the threads and the communicators."""
        self._resources.close()
