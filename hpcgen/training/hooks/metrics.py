"""The hook that writes the statistics of the steps to metrics.csv."""

from typing import TYPE_CHECKING

from hpcgen.models.model import Model
from hpcgen.parallel.agreement import agree
from hpcgen.training.folder import RunFolder
from hpcgen.training.hooks.hook import Hook, due
from hpcgen.training.hooks.table import MetricsTable

if TYPE_CHECKING:
    from hpcgen.training.loop import Training
    from hpcgen.training.schedule import Statistics


def columns(model: Model) -> list[str]:
    """Return the columns of metrics.csv for the statistics of a model's players."""
    return [
        f"{player}/{name}" for player in model.players for name in model.statistics[player] if name != "count"
    ]


class Metrics(Hook):
    """Write the statistics to the table every `config.metrics.every` steps.

    A row is on the disk before the checkpoint of the same step, so that the rows of a resumed run are
    complete. Only rank 0 has the table; on other ranks it is None.
    """

    def __init__(self, folder: RunFolder, table: MetricsTable | None) -> None:
        self._folder, self._table = folder, table

    def __call__(self, training: "Training", statistics: "Statistics", last: bool) -> None:
        config = training.config
        row = training.step % config.metrics.every == 0
        checkpoint = due(config.checkpoint.every, training, last)
        if not (row or checkpoint):
            return
        with agree(training.mesh.world):
            if self._table is not None:
                self._folder.require_there()
                if row:
                    self._table.put(training.step, _values(statistics))
                if checkpoint:
                    self._table.sync()


def _values(statistics: "Statistics") -> dict[str, float]:
    return {f"{player}/{name}": value for player, own in statistics.items() for name, value in own.items()}
