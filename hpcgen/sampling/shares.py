"""The shares of samples that ranks generate, and hold until they are written.

A rank holds about 1/ranks of the bytes of all samples. While it generates them it also holds a block: the
whole block, or its cells if samples are divided.
"""

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from hpcgen.data.schema import Schema
from hpcgen.files.checksums import box_shape
from hpcgen.files.slabs import Piece, Slab, partition
from hpcgen.models.model import Model, Theta
from hpcgen.parallel.agreement import PATIENCE_SECONDS, agree
from hpcgen.parallel.operators.halo import Halo
from hpcgen.parallel.partition import Partition
from hpcgen.runtime import one_blas_thread
from hpcgen.sampling.generation import generate
from hpcgen.sampling.origins import SAMPLES_A_BLOCK, Origin, RowsOf

if TYPE_CHECKING:
    from mpi4py import MPI


def shares(
    comm: "MPI.Comm", model: Model, theta: Theta, schema: Schema, origin: Origin, count: int
) -> dict[str, Slab]:
    """Generate `count` samples and the other columns of `origin`. Return this rank's share of each, by name.

    Samples of a divided model are shared by cells if they are so large that they have several checksums: no
    rank holds a whole one. All others are shared by rows. Collective over `comm`.
    """
    space = 1 if model.team is None else model.team.comm.size
    with agree(comm, None if space == 1 else PATIENCE_SECONDS):
        if model.team is not None and box_shape((count, *schema.shape), schema.dtype) != tuple(schema.shape):
            samples = by_cells(comm, model, theta, schema, origin, count)
        else:
            made = partial(generate, model, theta, schema, origin)
            samples = by_rows(comm, made, count, origin.size, space)
        columns = {name: by_rows(comm, rows, count) for name, rows in origin.columns().items()}
        return {"samples": samples, **columns}


def by_rows(comm: "MPI.Comm", rows: RowsOf, count: int, size: int = SAMPLES_A_BLOCK, space: int = 1) -> Slab:
    """Return this rank's share of the `count` rows that rows(start, stop) makes.

    The rows are made in blocks of `size`, each by `space` consecutive ranks together: these ranks make every
    block that overlaps one of their shares, and each keeps its own rows. Collective over these ranks.
    """
    none = rows(0, 0)
    shape = (count, *none.shape[1:])
    parts, first = partition(shape, none.dtype, comm.size), comm.rank // space * space
    mine, last = parts.slice(comm.rank), parts.slice(first + space - 1)
    held = np.empty((mine.stop - mine.start, *shape[1:]), none.dtype)
    for start in range(parts.starts[first] // size * size, last.stop, size):
        low, high = max(start, parts.starts[first]), min(start + size, last.stop)
        made = rows(low, high)
        begin, end = max(low, mine.start), min(high, mine.stop)
        if begin < end:
            held[begin - mine.start : end - mine.start] = made[begin - low : end - low]
    return Slab.rows(shape, mine.start, held)


def by_cells(
    comm: "MPI.Comm", model: Model, theta: Theta, schema: Schema, origin: Origin, count: int
) -> Slab:
    """Return this rank's cells of its team's share of `count` samples.

    Each team generates a run of whole blocks, and its ranks share each sample. The edges of cells are moved
    to the nearest edge of a box that has a checksum, so that each box belongs to one rank. A cell may become
    empty. Collective over the model's team.
    """
    team, shape, dtype = model.team, (count, *schema.shape), np.dtype(schema.dtype)
    mine = Partition.even(count, comm.size // team.comm.size, origin.size).slice(comm.rank // team.comm.size)
    boxes = box_shape(shape, dtype)
    regions = [team.grid.aligned_region(cell, schema.shape, boxes) for cell in range(len(team.grid))]
    halo = Halo(team, schema.shape, [tuple((axis.start, axis.stop) for axis in r) for r in regions])
    held = [np.empty((mine.stop - mine.start, *sizes), dtype) for sizes in halo.shapes]

    def generate_block(first: int) -> None:
        n = min(origin.size, mine.stop - first)
        samples = model.sample(theta, origin.batch(first // origin.size))
        for place, region in zip(held, halo.gather(samples[:n]), strict=True):
            # One at a time: regions and numbers in other units need memory.
            for i in range(n):
                place[first - mine.start + i] = model.units.decode(region.read(slice(i, i + 1)))[0]
            region.release()

    with one_blas_thread():
        for first in range(mine.start, mine.stop, origin.size):
            generate_block(first)
    pieces = [
        Piece((mine.start, *(axis.start for axis in regions[cell])), rows)
        for cell, rows in zip(team.mine, held, strict=True)
        if rows.size
    ]
    return Slab(shape, dtype, pieces)
