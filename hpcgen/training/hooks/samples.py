"""The hook that draws samples during training."""

from pathlib import Path
from typing import TYPE_CHECKING

from hpcgen.config.sections import Config
from hpcgen.data.schema import Schema
from hpcgen.models.model import Model
from hpcgen.nn.vector import Vector
from hpcgen.parallel.agreement import PATIENCE_SECONDS, agree
from hpcgen.sampling import showing
from hpcgen.sampling.generation import generate
from hpcgen.sampling.origins import Prior
from hpcgen.training.folder import RunFolder
from hpcgen.training.hooks.hook import Hook, due

if TYPE_CHECKING:
    from mpi4py import MPI

    from hpcgen.training.loop import Training
    from hpcgen.training.schedule import Statistics


class Drawing:
    """The samples of a run: samples/step-NNNNNNNN.png, of the parameters after any step.

    Text is written to a .txt file, audio to a .wav file. `comm` has the ranks that draw.
    """

    def __init__(
        self, folder: RunFolder, model: Model, config: Config, schema: Schema, comm: "MPI.Comm"
    ) -> None:
        self._folder, self._model, self._schema, self._comm = folder, model, schema, comm
        self._seed, self._count = config.seed, config.samples.count
        self._ending = showing.natural(schema)

    def path(self, step: int) -> Path:
        """Return the path of the samples of a step."""
        return self._folder.path / "samples" / f"step-{step:08d}{self._ending}"

    def draw(self, theta: dict[str, Vector], step: int) -> None:
        """Draw the same samples as `hpcgen sample` with the run's seed. Collective over `comm`."""
        space = 1 if self._model.team is None else self._model.team.comm.size
        with agree(self._comm, None if space == 1 else PATIENCE_SECONDS):
            # The ranks of the first team make the samples together.
            if self._comm.rank < space:
                self._save(theta, step)

    def _save(self, theta: dict[str, Vector], step: int) -> None:
        samples = generate(self._model, theta, self._schema, Prior(self._model, self._seed), 0, self._count)
        if self._comm.rank == 0:
            # The folder may have been moved or removed while the samples were drawn.
            self._folder.require_there()
            showing.save(samples, self.path(step), self._schema, self._ending)


class Samples(Hook):
    """Draw samples every `config.samples.every` steps and after the last one."""

    def __init__(self, drawing: Drawing) -> None:
        self._drawing = drawing

    def begin(self, training: "Training") -> None:
        """Draw the samples that a killed run did not draw."""
        last = training.step >= training.config.train.steps
        if training.step and due(training.config.samples.every, training, last):
            comm = training.mesh.world
            if comm.bcast(comm.rank == 0 and not self._drawing.path(training.step).exists()):
                self._drawing.draw(training.sampled(), training.step)

    def __call__(self, training: "Training", statistics: "Statistics", last: bool) -> None:
        if due(training.config.samples.every, training, last):
            self._drawing.draw(training.sampled(), training.step)
