"""The hook that writes checkpoints."""

from typing import TYPE_CHECKING

from hpcgen.checkpoints.folder import candidates, checkpoint_name
from hpcgen.files.replacing import refusals
from hpcgen.parallel.agreement import agree
from hpcgen.training.folder import RunFolder
from hpcgen.training.hooks.hook import Hook, due

if TYPE_CHECKING:
    from hpcgen.training.loop import Training
    from hpcgen.training.schedule import Statistics


class Checkpoints(Hook):
    """Write checkpoints/step-NNNNNNNN.h5 every `config.checkpoint.every` steps and after the last one.

    Keep the newest `config.checkpoint.keep`, and delete older ones.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder

    def __call__(self, training: "Training", statistics: "Statistics", last: bool) -> None:
        config = training.config.checkpoint
        if not due(config.every, training, last):
            return
        comm = training.mesh.world
        with agree(comm):
            if comm.rank == 0:
                self._folder.require_there()
        training.save(self._folder.path / "checkpoints" / checkpoint_name(training.step))
        with agree(comm):
            if comm.rank == 0:
                # While the checkpoint was written, another run's folder may have replaced this one.
                self._folder.require_there()
                if config.keep:
                    self._remove_older(config.keep)

    def _remove_older(self, keep: int) -> None:
        """Remove all checkpoints but the newest `keep`. Raises WriteError."""
        for path in candidates(self._folder.path)[keep:]:
            with refusals(path):
                path.unlink(missing_ok=True)
