"""The statistics of the steps, in metrics.csv."""

from typing import TYPE_CHECKING

from hpcgen.models.model import Model
from hpcgen.training.folder import RunFolder
from hpcgen.training.hooks.hook import Hook, due
from hpcgen.training.hooks.table import MetricsTable

if TYPE_CHECKING:
    from hpcgen.training.loop import Training
    from hpcgen.training.schedule import Statistics


def columns(model: Model) -> list[str]:
    """Return the columns of the statistics of a model's players."""
    return [
        f"{player}/{name}" for player in model.players for name in model.statistics[player] if name != "count"
    ]


class Metrics(Hook):
    """Write the statistics to the table every `config.metrics.every` steps. Rank 0 has the table, the others
    None.

    The row is on the disk before the checkpoint of the same step is: the rows of a resumed run are complete.
    """

    def __init__(self, folder: RunFolder, table: MetricsTable | None) -> None:
        self._folder, self._table = folder, table

    def __call__(self, training: "Training", statistics: "Statistics", last: bool) -> None:
        if self._table is None:
            return
        config = training.config
        if training.step % config.metrics.every == 0:
            self._folder.require_there()
            values = {f"{player}/{name}": v for player, own in statistics.items() for name, v in own.items()}
            self._table.put(training.step, values)
        if due(config.checkpoint.every, training, last):
            self._table.sync()
