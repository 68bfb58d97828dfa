"""The hook that draws samples during training."""

from pathlib import Path
from typing import TYPE_CHECKING

from hpcgen.data.schema import Schema
from hpcgen.nn.vector import Vector
from hpcgen.parallel.agreement import PATIENCE_SECONDS, agree
from hpcgen.sampling import showing
from hpcgen.sampling.generation import generate
from hpcgen.sampling.origins import Prior
from hpcgen.training.folder import RunFolder
from hpcgen.training.hooks.hook import Hook, due

if TYPE_CHECKING:
    from hpcgen.training.loop import Training
    from hpcgen.training.schedule import Statistics


class Samples(Hook):
    """Draw samples/step-NNNNNNNN.png every `config.samples.every` steps and after the last one.

    Text is written to a .txt file, audio to a .wav file.
    """

    def __init__(self, folder: RunFolder, schema: Schema) -> None:
        self._folder, self._ending = folder, showing.natural(schema)

    def path(self, step: int) -> Path:
        """Return the path of the samples of a step."""
        return self._folder.path / "samples" / f"step-{step:08d}{self._ending}"

    def begin(self, training: "Training") -> None:
        """Draw the samples that a killed run did not draw."""
        last = training.step >= training.config.train.steps
        if training.step and due(training.config.samples.every, training, last):
            comm = training.mesh.world
            if comm.bcast(comm.rank == 0 and not self.path(training.step).exists()):
                self._draw(training)

    def __call__(self, training: "Training", statistics: "Statistics", last: bool) -> None:
        if due(training.config.samples.every, training, last):
            self._draw(training)

    def _draw(self, training: "Training") -> None:
        """Draw the same samples as `hpcgen sample` with the run's seed. Collective over `mesh.world`."""
        theta, world = training.sampled(), training.mesh.world
        team = training.mesh.team
        with agree(world, None if team.size == 1 else PATIENCE_SECONDS):
            # The ranks of the first team make the samples together.
            if world.rank < team.size:
                self._save(training, theta)

    def _save(self, training: "Training", theta: dict[str, Vector]) -> None:
        model, config, schema = training.model, training.config, training.shards.schema
        samples = generate(model, theta, schema, Prior(model, config.seed), 0, config.samples.count)
        if training.mesh.world.rank == 0:
            # The folder may have been moved or removed while the samples were drawn.
            self._folder.require_there()
            showing.save(samples, self.path(training.step), schema, self._ending)
