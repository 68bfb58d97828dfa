"""The hook that evaluates the model during training, and writes the measures to metrics.csv."""

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from hpcgen.checkpoints.loading import load_together
from hpcgen.config.sections import Config
from hpcgen.data.reading import DataFiles, paths_of, require_suitable
from hpcgen.data.schema import Schema
from hpcgen.evaluation.evaluation import Evaluation
from hpcgen.evaluation.features import Features
from hpcgen.models.model import Model, Theta
from hpcgen.parallel.agreement import agree
from hpcgen.training.folder import RunFolder
from hpcgen.training.hooks.hook import Hook
from hpcgen.training.hooks.table import MetricsTable

if TYPE_CHECKING:
    from mpi4py import MPI

    from hpcgen.training.loop import Training
    from hpcgen.training.schedule import Statistics

ABOUT = "evaluate/about"


def evaluation_of(
    model: Model, config: Config, schema: Schema, comm: "MPI.Comm", threads: int, stack: ExitStack
) -> Evaluation:
    """Return the Evaluation of a model that the run file describes. Its files are closed with `stack`.

    Collective over `comm`. Raises InputError.
    """
    asked = config.evaluate
    with agree(comm):
        paths = paths_of(asked.data or config.data.path)
        files = stack.enter_context(DataFiles(paths))
        require_suitable(", ".join(paths), files, schema, "the training data")
    features = Features(load_together(asked.features, comm)) if asked.features else None
    made = Evaluation(model, schema, files, comm, asked.count or None, 0, features, threads)
    stack.callback(made.close)
    return made


def columns(evaluation: Evaluation) -> list[str]:
    """Return the columns of metrics.csv for an evaluation."""
    return [*(f"evaluate/{name}/{key}" for name in evaluation.names for key in evaluation.keys), ABOUT]


def values(evaluation: Evaluation, theta: Theta) -> dict[str, Any]:
    """Return the values of metrics.csv for the parameters theta. Collective, as the evaluation is."""
    measures = evaluation.measures(theta)
    found = {
        f"evaluate/{name}/{key}": value
        for name, pair in measures.items()
        for key, value in zip(evaluation.keys, pair, strict=True)
    }
    return {**found, ABOUT: evaluation.about}


def due_now(training: "Training") -> bool:
    """Return whether measures are due: every `config.evaluate.every` steps, and after the last of the run."""
    config = training.config
    return training.step % config.evaluate.every == 0 or training.step == config.train.steps


def written(table: MetricsTable, step: int) -> bool:
    """Return whether the table has the measures of `step`, the last step of the table."""
    return table.has(step, ABOUT)


class Evaluations(Hook):
    """Write the measures to the table every `config.evaluate.every` steps, and after the last step of the
    run.

    All ranks compute the measures. Only rank 0 has the table; on other ranks it is None.
    """

    def __init__(self, folder: RunFolder, table: MetricsTable | None, evaluation: Evaluation) -> None:
        self._folder, self._table, self._evaluation = folder, table, evaluation

    def begin(self, training: "Training") -> None:
        """Compute the measures that a killed run did not write."""
        if training.step and due_now(training):
            missing = self._table is not None and not written(self._table, training.step)
            if training.mesh.world.bcast(missing):
                self._measure(training)

    def __call__(self, training: "Training", statistics: "Statistics", last: bool) -> None:
        if due_now(training):
            self._measure(training)

    def _measure(self, training: "Training") -> None:
        found = values(self._evaluation, training.sampled())
        with agree(training.mesh.world):
            if self._table is not None:
                self._folder.require_there()
                self._table.put(training.step, found)
