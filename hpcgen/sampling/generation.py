"""Generate samples of a model, block by block."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from hpcgen.checkpoints.loading import Checkpoint
from hpcgen.config.sections import Config
from hpcgen.data.schema import Schema
from hpcgen.errors import InputError
from hpcgen.models import MODELS
from hpcgen.models.batch import Batch
from hpcgen.models.model import Model, Theta
from hpcgen.parallel.cells import Grid
from hpcgen.parallel.mesh import Mesh
from hpcgen.parallel.operators.gather import Gather
from hpcgen.parallel.partition import Partition
from hpcgen.parallel.placement.network import divide
from hpcgen.parallel.team import Team
from hpcgen.runtime import one_blas_thread
from hpcgen.sampling.origins import Origin, samples_a_block

if TYPE_CHECKING:
    from mpi4py import MPI


def model_of(checkpoint: Checkpoint) -> Model:
    """Return the model of a loaded checkpoint."""
    options = checkpoint.config.model
    return MODELS[options.kind](options, checkpoint.schema)


@contextmanager
def drawing_model(checkpoint: Checkpoint, comm: "MPI.Comm", count: int, space: int = 0) -> Iterator[Model]:
    """Yield the model of a checkpoint, to draw `count` samples on the ranks of `comm`.

    If the run divides its samples into cells, so does the model. The ranks then form teams of `space` ranks
    that generate blocks of samples. 0 means as few as possible, but at least parallel.space, and as many as
    it takes that no team stays without a block. The samples have the same bits for any `space`. Collective
    over `comm`. Raises InputError for a `space` that the ranks or the cells do not allow.
    """
    model = model_of(checkpoint)
    with divided(model, checkpoint.config, comm, count, space):
        yield model


@contextmanager
def divided(model: Model, config: Config, comm: "MPI.Comm", count: int, space: int = 0) -> Iterator[None]:
    """Divide a model among teams of the ranks of `comm`, as `drawing_model` does, until the context ends."""
    grid = Grid(config.train.grid)
    if space:
        _require_space(space, comm.size, len(grid))
    if not config.train.grid:
        yield
        return
    blocks = -(-count // samples_a_block(model.sample_shape))
    space = space or _ranks_a_block(comm.size, len(grid), blocks, config.parallel.space)
    mesh = Mesh.of(comm, space)
    try:
        divide(model, Team(mesh.team, grid, Partition.even(len(grid), space)))
        yield
    finally:
        mesh.close()


def _require_space(space: int, ranks: int, cells: int) -> None:
    """Raise InputError unless `ranks` ranks can form teams of `space`, each rank with some of the cells."""
    if space > cells:
        have = (
            f"the run's train.cells makes only {cells}: use at most {cells}"
            if cells > 1
            else "the run does not set train.cells: leave it out"
        )
        raise InputError(f"--space {space}: each rank that shares a sample needs a cell, but {have}")
    if ranks % space:
        possible = " or ".join(str(n) for n in range(1, min(ranks, cells) + 1) if ranks % n == 0)
        raise InputError(f"--space {space} does not divide the number of ranks, {ranks}: use {possible}")


def _ranks_a_block(ranks: int, cells: int, blocks: int, least: int) -> int:
    """Return how many ranks generate a block together: a divisor of the number of ranks, at most `cells`."""
    divisors = [n for n in range(1, min(ranks, cells) + 1) if ranks % n == 0]
    return next((n for n in divisors if n >= least and ranks // n <= blocks), divisors[-1])


def generate(model: Model, theta: Theta, schema: Schema, origin: Origin, start: int, stop: int) -> np.ndarray:
    """Return samples [start, stop) of `origin`, (stop - start, *sample_shape).

    They have the interval and the type of the data. Collective over the model's team, if it has one: each of
    its ranks gets the samples.
    """
    first, last = start // origin.size, -(-stop // origin.size)
    with one_blas_thread():
        blocks = [_whole(model, theta, origin.batch(block)) for block in range(first, last)]
    samples = np.concatenate(blocks) if blocks else np.empty((0, *schema.shape), schema.dtype)
    return samples[start - first * origin.size : stop - first * origin.size]


def _whole(model: Model, theta: Theta, batch: Batch) -> np.ndarray:
    if model.team is None:
        return model.generate(theta, batch)
    gather = Gather(model.team, model.sample_shape[: len(model.team.grid.shape)])
    return model.units.decode(gather.whole(model.sample(theta, batch)))
