"""The hook that evaluates the model during training, and writes the measures to metrics.csv."""

from contextlib import ExitStack
from typing import TYPE_CHECKING

from hpcgen.checkpoints.loading import load_together
from hpcgen.data.reading import DataFiles, paths_of, require_suitable
from hpcgen.evaluation.evaluation import Evaluation
from hpcgen.evaluation.features import Features
from hpcgen.parallel.agreement import agree
from hpcgen.training.folder import RunFolder
from hpcgen.training.hooks.hook import Hook
from hpcgen.training.hooks.table import MetricsTable

if TYPE_CHECKING:
    from hpcgen.training.loop import Training
    from hpcgen.training.schedule import Statistics

ABOUT = "evaluate/about"


def evaluation_of(training: "Training", stack: ExitStack) -> Evaluation:
    """Return the Evaluation that the run file describes. Its files are closed with `stack`.

    Collective over `mesh.world`. Raises InputError.
    """
    asked, schema, comm = training.config.evaluate, training.shards.schema, training.mesh.world
    with agree(comm):
        paths = paths_of(asked.data or training.config.data.path)
        files = stack.enter_context(DataFiles(paths))
        require_suitable(", ".join(paths), files, schema, "the training data")
    features = Features(load_together(asked.features, comm)) if asked.features else None
    made = Evaluation(training.model, schema, files, comm, asked.count or None, features=features)
    stack.callback(made.close)
    return made


def columns(evaluation: Evaluation) -> list[str]:
    """Return the columns of metrics.csv for an evaluation."""
    return [*(f"evaluate/{name}/{key}" for name in evaluation.names for key in evaluation.keys), ABOUT]


class Evaluations(Hook):
    """Write the measures to the table every `config.evaluate.every` steps, and after the last step of the
    run.

    All ranks compute the measures. Only rank 0 has the table; on other ranks it is None.
    """

    def __init__(self, folder: RunFolder, table: MetricsTable | None, evaluation: Evaluation) -> None:
        self._folder, self._table, self._evaluation = folder, table, evaluation

    def begin(self, training: "Training") -> None:
        """Compute the measures that a killed run did not write."""
        if training.step and self._due(training):
            missing = self._table is not None and not self._table.has(training.step, ABOUT)
            if training.mesh.world.bcast(missing):
                self._measure(training)

    def __call__(self, training: "Training", statistics: "Statistics", last: bool) -> None:
        if self._due(training):
            self._measure(training)

    @staticmethod
    def _due(training: "Training") -> bool:
        config = training.config
        return training.step % config.evaluate.every == 0 or training.step == config.train.steps

    def _measure(self, training: "Training") -> None:
        measures = self._evaluation.measures(training.sampled())
        keys = self._evaluation.keys
        values = {
            f"evaluate/{name}/{key}": value
            for name, pair in measures.items()
            for key, value in zip(keys, pair, strict=True)
        }
        with agree(training.mesh.world):
            if self._table is not None:
                self._folder.require_there()
                self._table.put(training.step, {**values, ABOUT: self._evaluation.about})
